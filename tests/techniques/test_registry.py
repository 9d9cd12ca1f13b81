"""A technique is registered by standing in the folder of its family."""

from __future__ import annotations

from types import ModuleType

from bench_lib.techniques import TECHNIQUES, techniques_in
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


def test_a_file_defines_the_techniques_whose_classes_stand_in_it() -> None:
    mine = module("mine", "mine", "more")
    assert techniques_in(mine) == [mine.One0, mine.One1]
