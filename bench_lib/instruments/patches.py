"""Attributes of modules and classes that runs rely on: recorded before foreign code runs, and restored after it."""

from __future__ import annotations

import builtins
import functools
import re
import sys
from collections.abc import Iterator
from operator import is_
from types import ModuleType
from typing import Any

MODULES = (
    *("builtins", "copy", "functools", "itertools", "json", "math", "operator", "os", "random", "time"),
    *("numpy", "numpy.random", "torch", "torch.amp.autocast_mode", "torch.autograd", "torch.autograd.grad_mode"),
    *("torch.linalg", "torch.nn", "torch.nn.functional", "torch.nn.init", "torch.nn.modules.module"),
    *("torch.nn.utils", "torch.nn.utils.clip_grad", "torch.optim", "torch.optim.lr_scheduler", "torch.optim.optimizer"),
    *("torch.overrides", "torch.random", "torch.utils.deterministic", "torch._C._nn", "torch._VF"),
)
"""Modules whose attributes, and those of their classes, are compared."""
PATTERN = re.compile(
    r"bench_lib(\..+)?"
    r"|transformers\.(activations|masking_utils|pytorch_utils|configuration_utils|modeling_\w+|tokenization_\w+)"
    r"|transformers\.integrations\.\w*attention|transformers\.models\.(?!auto)\w+\.modeling_\w+"
)
"""Further modules that are compared if loaded: this package, and modelling code."""
LAZY = {"__annotations__", "__slotnames__", "__non_callable_proto_members__", "__protocol_attrs__"}
"""Attributes that Python adds to a class at first use."""

_MISSING = object()


class Attributes:
    """A snapshot of the compared attributes."""

    def __init__(self) -> None:
        self.before = [(owner, vars(owner).copy()) for owner in _owners(len(sys.modules))]

    def restore(self) -> list[str]:
        """Restore replaced, removed and added attributes; returns their names, such as `torch.nn.Linear.forward`."""
        changed = []
        for owner, before in self.before:
            after = vars(owner)
            if len(before) == len(after) and all(map(is_, before.values(), after.values())):
                continue
            for name in _changed(owner, before, dict(after)):
                _put(owner, name, before.get(name, _MISSING))
                changed.append(f"{_name(owner)}.{name}")
        return changed


@functools.lru_cache(maxsize=1)
def _owners(_loaded: int) -> tuple[ModuleType | type, ...]:
    """The loaded modules and their own classes; cached until more modules are loaded."""
    owners: dict[int, ModuleType | type] = {}
    for name, module in list(sys.modules.items()):
        if not isinstance(module, ModuleType) or (name not in MODULES and not PATTERN.fullmatch(name)):
            continue
        owners[id(module)] = module
        package = name.partition(".")[0]
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__.partition(".")[0] == package:
                owners[id(value)] = value
    return tuple(owners.values())


def _changed(owner: ModuleType | type, before: dict[str, Any], after: dict[str, Any]) -> Iterator[str]:
    for name in before.keys() | after.keys():
        counts = _is_behaviour(owner, name, before[name]) if name in before else _shadows(owner, name)
        one, other = before.get(name, _MISSING), after.get(name, _MISSING)
        if counts and one is not other and not _is_profiled(owner, other, one):
            yield name


def _is_profiled(owner: ModuleType | type, other: Any, one: object) -> bool:
    """Whether torch wrapped the `step` of an optimiser's class for its profiler, as it does with the first of each."""
    inherited = [vars(base)["step"] for base in getattr(owner, "__mro__", ())[1:] if "step" in vars(base)]
    return hasattr(other, "hooked") and any(other.__wrapped__ is step for step in (one, *inherited))


def _is_behaviour(owner: ModuleType | type, name: str, value: object) -> bool:
    """Whether replacing a value changes what others do: libraries count things, and fill what is empty at first use."""
    if _name(owner).startswith("bench_lib"):
        return not (name.startswith("_") and isinstance(value, bool))  # what a module notes, such as a worker's end
    return not (value is None or type(value) in (int, str, tuple))


def _shadows(owner: ModuleType | type, name: str) -> bool:
    """Whether an attribute that was added changes what others do: modules are given submodules as these are loaded."""
    if isinstance(owner, ModuleType):
        return owner is not builtins and hasattr(builtins, name) and not name.startswith("__")
    inherited = any(name in vars(base) for base in owner.__mro__[1:])
    return inherited and name not in LAZY and not name.startswith("_abc_")


def _put(owner: ModuleType | type, name: str, value: object) -> None:
    if value is _MISSING:
        delattr(owner, name)
    else:
        setattr(owner, name, value)


def _name(owner: ModuleType | type) -> str:
    return owner.__name__ if isinstance(owner, ModuleType) else f"{owner.__module__}.{owner.__qualname__}"
