"""Duplicates, conflicting labels and empty texts of a split, and overlap of two splits, by exact match."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from bench_lib.tasks.formats import Example

Input = tuple[str, ...]
Answers = frozenset[Any]


@dataclass(frozen=True)
class Counts:
    """One split by itself.

    `repeats` counts examples with the input of an earlier one, `alike` those whose input differs from an earlier one at
    most in case and white space. `conflicting` counts inputs whose examples have no common answer, and is None where
    examples have none; `empty` counts examples with a blank text. `labels` are shares of the classes, of the labels of
    all sets, or of `O` and each type among tagged words; empty for spans, numbers, and examples without answers.
    `numbers` are their least, greatest and mean, empty where there are none.
    """

    examples: int
    repeats: int
    alike: int
    conflicting: int | None
    empty: int
    labels: Mapping[str, float]
    numbers: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Overlap:
    """Overlap of two splits of a task: the number of shared inputs, and of their examples in each split.

    `alike` inputs differ at most in case and white space; `conflicting` ones have no common answer, and are None where
    a split is without answers.
    """

    first: str
    second: str
    shared: int
    first_examples: int
    second_examples: int
    alike: int
    conflicting: int | None


@dataclass(frozen=True, eq=False)
class Inputs:
    """The inputs of a split with the answers of their examples, and the normalised inputs.

    Where a split is not `answered`, the answers of its examples only stand in the place of one and are not counted.
    """

    answers: Mapping[Input, Sequence[Answers]]
    plain: frozenset[Input]
    answered: bool = True


def index(examples: Iterable[Example], answered: bool = True) -> Inputs:
    """The inputs of a split, as `count` and `overlap` need them."""
    found: dict[Input, list[Answers]] = {}
    for example in examples:
        found.setdefault(example.inputs, []).append(example.accepted_answers)
    return Inputs(found, frozenset(map(_plain, found)), answered)


def count(examples: Sequence[Example], known: Inputs, labels: Sequence[str]) -> Counts:
    """The counts of a split, from its index `known` and the labels of the task."""
    return Counts(
        examples=len(examples),
        repeats=len(examples) - len(known.answers),
        alike=len(examples) - len(known.plain),
        conflicting=sum(map(_conflict, known.answers.values())) if known.answered else None,
        empty=sum(not all(map(str.strip, example.inputs)) for example in examples),
        labels=balance(examples, labels) if known.answered else {},
        numbers=_numbers([example.reference for example in examples if example.format.predicts_numbers]),
    )


def overlap(first: tuple[str, Inputs], second: tuple[str, Inputs]) -> Overlap:
    """The overlap of two splits, each given by name and index."""
    (name, one), (other_name, other) = first, second
    shared = one.answers.keys() & other.answers.keys()
    both = one.answered and other.answered
    return Overlap(
        first=name,
        second=other_name,
        shared=len(shared),
        first_examples=sum(len(one.answers[text]) for text in shared),
        second_examples=sum(len(other.answers[text]) for text in shared),
        alike=len(one.plain & other.plain),
        conflicting=sum(_conflict([*one.answers[text], *other.answers[text]]) for text in shared) if both else None,
    )


def balance(examples: Iterable[Example], labels: Sequence[str]) -> dict[str, float]:
    """The share of each class among texts, or of `O` and each type of entity among words; empty without any."""
    seen = Counter(label for example in examples for label in example.label_indices)
    totals: Counter[str] = Counter()
    if not seen:
        return {}
    for position, label in enumerate(labels):
        totals[label.removeprefix("B-").removeprefix("I-")] += seen[position]
    return {name: number / seen.total() for name, number in totals.items()}


def _numbers(found: Sequence[float]) -> dict[str, float]:
    return {"least": min(found), "greatest": max(found), "mean": fmean(found)} if found else {}


def _conflict(answers: Sequence[Answers]) -> bool:
    return not frozenset.intersection(*answers)


def _plain(texts: Input) -> Input:
    return tuple(" ".join(text.casefold().split()) for text in texts)
