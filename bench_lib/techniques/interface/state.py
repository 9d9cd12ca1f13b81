"""State of techniques' classes and modules that outlives a run, by which equal runs may differ."""

from __future__ import annotations

import inspect
import pickle
import sys
from collections.abc import Iterator
from typing import Any

from bench_lib.techniques.interface.sources import is_own
from bench_lib.techniques.interface.stack import Stack


def kept_state(stack: Stack) -> dict[str, bytes]:
    """The values in the classes and modules of a stack's techniques, by name, to be compared.

    For functions: their defaults, closures and cache statistics.
    """
    return {name: _bits(value) for technique in stack.techniques for name, value in _values(type(technique))}


def _values(technique: type) -> Iterator[tuple[str, Any]]:
    owners: dict[str, Any] = {owner.__qualname__: owner for owner in technique.__mro__ if _is_foreign(owner)}
    for module in [sys.modules[owner.__module__] for owner in owners.values() if owner.__module__ in sys.modules]:
        owners[module.__name__.partition("stabbench_plugin_")[0] or "the file"] = module
        for name, value in vars(module).items():
            if inspect.ismodule(value) and is_own(getattr(value, "__file__", None) or ""):
                owners[name] = value
    for where, owner in owners.items():
        for name, value in vars(owner).items():
            if not (name.startswith("__") or inspect.isclass(value) or inspect.ismodule(value)):
                yield f"{where}.{name}", value


def _is_foreign(owner: type) -> bool:
    return owner is not object and owner.__module__.partition(".")[0] not in ("bench_lib", "typing", "abc")


def _bits(value: Any) -> bytes:
    """A value as bytes; by its id where it cannot be pickled."""
    function = inspect.unwrap(value) if callable(value) else value
    if inspect.isfunction(function):
        caches = value.cache_info() if hasattr(value, "cache_info") else None
        cells = [cell.cell_contents for cell in function.__closure__ or () if not callable(cell.cell_contents)]
        value = (function.__defaults__, function.__kwdefaults__, cells, caches)
    try:
        return pickle.dumps(value)
    except Exception:
        return f"{type(value)} {id(value)}".encode()
