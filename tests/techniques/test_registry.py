"""A technique is registered by standing in the folder of its family."""

from __future__ import annotations

from types import ModuleType

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.techniques import TECHNIQUES, technique_of
from bench_lib.techniques.interface.technique import FAMILIES, Technique


def module(name: str, *techniques: str) -> ModuleType:
    made = ModuleType(f"bench_lib.techniques.layers.{name}")
    made.__file__ = f"layers/{name}.py"
    vars(made)["Imported"] = TECHNIQUES.get("adamw")
    for number, technique in enumerate(techniques):
        body = {"name": technique, "paper": "none", "__module__": made.__name__}
        vars(made)[f"One{number}"] = type(f"One{number}", (Technique,), body)
    return made


def test_every_technique_stands_in_the_folder_of_its_family_under_its_name() -> None:
    for name in TECHNIQUES.names():
        technique = TECHNIQUES.get(name)
        assert technique.__module__ == f"bench_lib.techniques.{technique.family.replace('-', '_')}.{name}"


def test_families_follow_one_another_and_names_within_them_are_sorted() -> None:
    places = [([*FAMILIES].index(TECHNIQUES.get(name).family), name) for name in TECHNIQUES.names()]
    assert places == sorted(places)


def test_a_file_defines_one_technique_of_its_name() -> None:
    made = module("mine", "mine")
    assert technique_of(made) is made.One0


@pytest.mark.parametrize(
    ("techniques", "found"),
    [
        ((), "no technique"),
        (("other",), "One0 named 'other'"),
        (("mine", "more"), "One0 named 'mine', One1 named 'more'"),
    ],
)
def test_any_other_file_is_refused(techniques: tuple[str, ...], found: str) -> None:
    with pytest.raises(BenchError, match=rf"layers/mine\.py defines {found}; allowed: one, named 'mine'"):
        technique_of(module("mine", *techniques))
