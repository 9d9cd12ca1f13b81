"""The registry of techniques: every file in the folder of a family is one, imported when it is asked for."""

from __future__ import annotations

from types import ModuleType

from bench_lib.core.registry import Registry
from bench_lib.techniques.interface.declared import check_technique
from bench_lib.techniques.interface.plugin import load_entry
from bench_lib.techniques.interface.technique import FAMILIES, Technique

__all__ = ["TECHNIQUES"]


def techniques_in(module: ModuleType) -> list[type[Technique]]:
    """The techniques that a module defines itself."""
    return [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Technique) and value.__module__ == module.__name__
    ]


TECHNIQUES: Registry[type[Technique]] = Registry("technique", "stabbench.techniques", check_technique, load_entry)
for _family in FAMILIES:
    TECHNIQUES.scan(f"{__name__}.{_family.replace('-', '_')}", techniques_in)
