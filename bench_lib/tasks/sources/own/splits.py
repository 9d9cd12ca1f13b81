"""The splits of a user's own task: their files, and one made by content where there is none for evaluation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats import Example
from bench_lib.tasks.sources.local import holdings
from bench_lib.tasks.sources.own.definition import Definition
from bench_lib.tasks.sources.split_files import files_by_split, files_of
from bench_lib.tasks.sources.tables import READERS
from bench_lib.tasks.transforms.sampling import choose_by_content

TRAIN = "train"
EVALUATION = ("validation", "valid", "val", "dev", "eval", "evaluation", "test")
"""The usual names of evaluation splits, of which the first counts that is there: labels of a test are often hidden."""


@dataclass(frozen=True)
class SplitFiles:
    """The files of each split; `evaluation` has none where the split is made of the training data."""

    train: tuple[Path, ...]
    evaluation: tuple[Path, ...]
    eval_split: str
    others: Mapping[str, tuple[Path, ...]]


def find_splits(own: Definition) -> SplitFiles:
    """The files that a definition names, or those with the usual names; `BadData` for what is missing."""
    if not own.folder.is_dir():
        raise BadData(f"{own.path}: there is no folder {own.folder}; {holdings(own.folder.parent)}")
    there = files_by_split(own.folder)
    train = _named(own, own.train) if own.train else files_of(TRAIN, there)
    if not train:
        kinds = ", ".join(READERS)
        raise BadData(f"{own.path}: no file of the split {TRAIN} ({kinds}); {holdings(own.folder)}")
    usual = "" if own.train or own.share else next((name for name in EVALUATION if name in there), "")
    evaluation = _named(own, own.evaluation) if own.evaluation else files_of(usual, there)
    if same := {*train} & {*evaluation}:
        raise BadData(f"{own.path}: {min(same)} is both trained and evaluated on")
    used = {*train, *evaluation}
    # Splits that files are named for are other ones only beside others that are found by name.
    rest = {} if own.train or own.evaluation else {name for name in there if not used & {*there[name]}}
    return SplitFiles(train, evaluation, usual or EVALUATION[0], {name: files_of(name, there) for name in sorted(rest)})


def split_by_content(
    examples: Sequence[Example], labels: Sequence[str], share: float
) -> tuple[tuple[Example, ...], tuple[Example, ...]]:
    """Examples to train and to evaluate on, in their order: about a share of each class, by the hashes of their inputs.

    All examples with the same inputs are in the same split, and so are all questions on the same context.
    """
    units: dict[tuple[str, ...], Example] = {}
    for example in sorted(examples, key=lambda example: example.inputs):
        units.setdefault(example.unit, example)
    different = list(units.values())
    held_out = {different[index].unit for index in choose_by_content(different, labels, round(share * len(different)))}
    train = tuple(example for example in examples if example.unit not in held_out)
    return train, tuple(example for example in examples if example.unit in held_out)


def _named(own: Definition, patterns: Sequence[str]) -> tuple[Path, ...]:
    """The files of names and patterns, each once."""
    found: dict[Path, None] = {}
    for pattern in patterns:
        place = own.folder / pattern
        paths = sorted(place.parent.glob(place.name)) if set("*?[") & set(place.name) else [place]
        files = [path for path in paths if path.is_file()]
        if not files:
            raise BadData(f"{own.path}: no file {place}; {holdings(place.parent)}")
        found |= dict.fromkeys(files)
    return tuple(found)
