"""The registry of techniques: every file in the folder of a family is one, imported when it is asked for."""

from __future__ import annotations

from types import ModuleType

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import Registry
from bench_lib.techniques.interface.declared import check_technique
from bench_lib.techniques.interface.plugin import load_entry
from bench_lib.techniques.interface.technique import FAMILIES, Technique

__all__ = ["TECHNIQUES"]


def technique_of(module: ModuleType) -> type[Technique]:
    """The one technique that a file of a family defines, which has the file's name."""
    name = module.__name__.rpartition(".")[2]
    defined = [
        value
        for value in vars(module).values()
        if isinstance(value, type) and issubclass(value, Technique) and value.__module__ == module.__name__
    ]
    if [technique.name for technique in defined] != [name]:
        found = ", ".join(f"{technique.__name__} named {technique.name!r}" for technique in defined)
        raise BenchError(f"{module.__file__} defines {found or 'no technique'}; allowed: one, named {name!r}")
    return defined[0]


TECHNIQUES: Registry[type[Technique]] = Registry("technique", "stabbench.techniques", check_technique, load_entry)
for _family in FAMILIES:
    TECHNIQUES.scan(f"{__name__}.{_family.replace('-', '_')}", technique_of)
