"""What a technique declares, above all its space: what is registered does it rightly, and what does not is refused."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import pytest

from bench_lib.core.errors import BenchError, require
from bench_lib.core.spec import Scalar
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.declared import check_technique
from bench_lib.techniques.interface.plugin import load_plugin
from bench_lib.techniques.interface.technique import Technique

NAMES = TECHNIQUES.names()
KNOBS = [(name, field) for name in NAMES for field in TECHNIQUES.get(name).space]
UNTUNED = {
    "best_checkpoint": "the set that it selects on is no strength",
    "low_lr": "its factor is the profile's rate, which is tuned for all",
    "scale_lr": "it is what is tuned beside the space of every technique",
    "grad_accumulation": "parts save memory, and change nothing else",
    "ensemble": "more members are better and dearer: a budget",
    "dedupe": "what it drops is what it is for",
    "lm_bff": "its template and words are the task's",
    "prune_magnitude": "the score alone would choose the least that is pruned",
    "prune_structured_heads": "the score alone would choose the least that is pruned",
}
OUTSIDE = {
    ("wd_pre", "strength"): "the published strength does next to nothing in a short run",
    ("eda", "alpha"): "None goes by the size of the training set",
    ("eda", "copies"): "None goes by the size of the training set",
}


@dataclass(frozen=True)
class Knobs(Technique):
    """Does nothing."""

    name: ClassVar[str] = "knobs"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = "none"
    identity: ClassVar[Mapping[str, Scalar] | None] = None

    rate: float = 0.1
    size: int | None = 2
    word: str = "a"
    flag: bool = False

    def __post_init__(self) -> None:
        require(0 < self.rate < 1, "knobs:rate", self.rate, "between 0 and 1")
        require(self.size is None or self.rate < self.size, "knobs:size", self.size, "above the rate")
        self.word.index("a")


def with_space(space: object) -> type[Technique]:
    @dataclass(frozen=True)
    class Mine(Knobs):
        pass

    Mine.space = space  # type: ignore[assignment]  # spaces of wrong types are what is tried
    return Mine


@pytest.mark.parametrize(
    ("said", "value"),
    [
        *[("no_identity", None), ("no_trimming", None), ("trimmable", "yes")],
        *[("supersedes", ["llrd"]), ("supersedes", {"llrd": None}), ("supersedes", {3: "why"})],
    ],
)
def test_reasons_that_are_no_texts_are_refused(said: str, value: object) -> None:
    mine = with_space({})
    setattr(mine, said, value)
    with pytest.raises(BenchError, match=f"{said} of the technique mine is "):
        check_technique(mine, "mine")


def test_reasons_are_no_part_of_what_is_hashed() -> None:
    plain, reasoned = with_space({}), with_space({})
    reasoned.no_identity, reasoned.supersedes = "a rule without a strength", {"llrd+": "it takes its place"}
    reasoned.no_trimming, reasoned.trimmable = "it draws for every row", True
    check_technique(reasoned, "mine")
    assert reasoned().spec() == plain().spec()


def test_a_child_has_to_say_itself_that_words_may_be_trimmed() -> None:
    class Parent(Knobs, trimmable=True):
        pass

    class Child(Parent):
        pass

    class Same(Parent, trimmable=True):
        pass

    assert [each.trimmable for each in (Knobs, Parent, Child, Same)] == [False, True, False, True]


ACCEPTED: list[Mapping[str, Any]] = [
    {},
    {"rate": (0.1, 0.5)},
    {"size": (1, 2, 30), "flag": (True, False)},
    {"word": ("ba", "a"), "rate": tuple(0.001 * number for number in range(1, 51))},
]
REFUSED: list[tuple[object, str]] = [
    (3, "space of the technique mine is 3; allowed: a mapping of fields to the values to try"),
    ([("rate", (0.1, 0.2))], "allowed: a mapping of fields"),
    (None, "space of the technique mine is None; allowed: a mapping"),
    ({"rate": (0.1, 0.2), "size": (1, 2), "word": ("a", "ba")}, "allowed: 2 fields at most"),
    ({"rat": (0.1, 0.2)}, "field in space of the technique mine is 'rat'; allowed: rate, size, word, flag"),
    ({3: (0.1, 0.2)}, "field in space of the technique mine is 3; allowed: rate, size, word, flag"),
    ({"rate": 0.1}, "rate in space of the technique mine is 0.1; allowed: a tuple of 2 to 50 values"),
    ({"rate": [0.1, 0.2]}, "allowed: a tuple of 2 to 50 values"),
    ({"word": "ab"}, "word in space of the technique mine is 'ab'; allowed: a tuple of 2 to 50 values"),
    ({"rate": (0.1,)}, "allowed: a tuple of 2 to 50 values"),
    ({"size": tuple(range(1, 52))}, "allowed: a tuple of 2 to 50 values"),
    ({"rate": (0.1, 0.1)}, "rate in space of the technique mine is (0.1, 0.1); allowed: numbers in rising order"),
    ({"rate": (0.2, 0.1)}, "allowed: numbers in rising order, each once"),
    ({"word": ("a", "ba", "a")}, "allowed: different values"),
    ({"flag": (True, True)}, "allowed: different values"),
    ({"rate": (0.1, "0.2")}, "value of rate in space of the technique mine is '0.2'; allowed: a value of float"),
    ({"rate": (1, 2)}, "value of rate in space of the technique mine is 1; allowed: a value of float"),
    ({"flag": (0, 1)}, "value of flag in space of the technique mine is 0; allowed: a value of bool"),
    ({"size": (None, 2)}, "value of size in space of the technique mine is None; allowed: a value of int"),
    ({"size": ([], {})}, "value of size in space of the technique mine is []; allowed: a value of int"),
    ({"rate": (0.1, float("inf"))}, "value of rate in space of the technique mine is inf; allowed: a finite number"),
    ({"rate": (float("nan"), 0.1)}, "value of rate in space of the technique mine is nan; allowed: a finite number"),
    ({"rate": (0.5, 1.5)}, "has rate=1.5, which cannot be made: knobs:rate is 1.5; allowed: between 0 and 1"),
    ({"rate": (0.1, 0.5), "size": (0, 1)}, "has rate=0.1:size=0, which cannot be made: knobs:size is 0"),
    ({"word": ("a", "b")}, "has word=b, which cannot be made: making it raised ValueError: substring not found"),
]


@pytest.mark.parametrize("space", ACCEPTED)
def test_a_space_may_hold_what_can_be_told_apart_and_made(space: Mapping[str, Any]) -> None:
    technique = with_space(space)
    check_technique(technique, "mine")
    assert technique().spec() == Knobs().spec(), "a space is no part of what is run"


@pytest.mark.parametrize(("space", "message"), REFUSED)
def test_any_other_space_is_refused_in_one_line(space: object, message: str) -> None:
    with pytest.raises(BenchError) as caught:
        check_technique(with_space(space), "mine")
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_values_of_two_types_of_a_field_are_refused() -> None:
    @dataclass(frozen=True)
    class Either(Knobs):
        space: ClassVar[Mapping[str, tuple[Scalar, ...]]] = {"either": (1, "many")}

        either: int | str = 1

    with pytest.raises(BenchError, match=r"either in space of the technique mine is \(1, 'many'\); allowed: values of"):
        check_technique(Either, "mine")


def test_what_needs_other_settings_too_is_not_made() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Needing(Knobs):
        space: ClassVar[Mapping[str, tuple[Scalar, ...]]] = {"rate": (0.5, 1.5)}

        other: int

    check_technique(Needing, "mine")


FILE = '''
from dataclasses import dataclass
import torch
from bench_lib.techniques.interface.technique import Technique

@dataclass(frozen=True)
class Mine(Technique):
    """Does nothing."""

    name, family, paper, identity = "mine", "baselines", "none", None
    space = {space}

    rate: float = 0.1

    def __post_init__(self):
        torch.set_grad_enabled(self.rate < 0.3)
'''


@pytest.mark.parametrize(
    ("space", "message"),
    [
        ("{'rate': (0.1, 'x')}", "value of rate in space of the technique .*mine.py:Mine is 'x'"),
        ("{'rate': (0.1, 0.5)}", "checking .*mine.py:Mine changes torch's gradient mode"),
    ],
)
def test_the_space_of_a_file_is_checked_as_the_file_is_read(tmp_path: Path, space: str, message: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(FILE.replace("{space}", space))
    with pytest.raises(BenchError, match=message):
        load_plugin(f"{path}:Mine")


def test_the_example_has_a_space() -> None:
    example = Path(__file__).parents[3] / "examples" / "shaken.py"
    assert load_plugin(f"{example}:Shaken").space.keys() == {"strength"}


@pytest.mark.parametrize("name", NAMES)
def test_every_registered_technique_has_a_space_or_nothing_to_tune(name: str) -> None:
    technique = TECHNIQUES.get(name)
    check_technique(technique, name)
    untuned = bool(dataclasses.fields(technique)) and not technique.space
    assert untuned == (name in UNTUNED)


@pytest.mark.parametrize(("name", "field"), KNOBS)
def test_a_default_lies_within_what_is_tried(name: str, field: str) -> None:
    values: Any = TECHNIQUES.get(name).space[field]
    default = getattr(TECHNIQUES.get(name)(), field)
    # A whole number need not be one of those that stand there, where the default is one of our own.
    within = default is not None and (
        values[0] <= default <= values[-1] if type(default) in (int, float) else default in values
    )
    assert within == ((name, field) not in OUTSIDE)
