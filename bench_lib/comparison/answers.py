"""What runs answered, item by item: runs of one task that were scored on the same items."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.errors import BadData, BenchError, UnknownName, Unsupported
from bench_lib.core.record import Predictions
from bench_lib.core.spec import Profile
from bench_lib.harness.datasets import evaluation_examples
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction
from bench_lib.tasks import TASKS
from bench_lib.tasks.find import absolute
from bench_lib.tasks.formats import Example
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.sources.own.reading import own_data
from bench_lib.tasks.task import Data

COLUMNS = (*KEPT, "spec", "data_source")


@dataclass(frozen=True)
class Asked:
    """Which runs: of a task, and of the other names, where they are given. `data` is the source that the runs read."""

    task: str
    techniques: tuple[str, ...] = ()
    model: str = ""
    profile: str = ""
    seeds: Collection[int] = ()
    data: str = ""


@dataclass
class Answer:
    """An answer in words, and the runs that gave it: seeds by technique."""

    words: str
    seeds: dict[str, list[int]] = field(default_factory=dict)


@dataclass(frozen=True)
class Item:
    """An item of the evaluation set by its place, from 0; `disagreement` is the chance that two of the runs differ.

    `right` are the answers that count as right; `answers` are those of the runs, the most frequent first.
    """

    place: int
    inputs: tuple[str, ...]
    right: tuple[str, ...]
    answers: Sequence[Answer]
    disagreement: float


@dataclass(frozen=True)
class Answered:
    """Items on which runs differ most, most of all first; of `without`, ids of runs, no predictions are stored."""

    model: str
    profile: str
    runs: int
    count: int
    items: Sequence[Item]
    without: Sequence[str]


def answers(store: Store, asked: Asked, most: int) -> Answered:
    """The items on which the stored runs differ most, at most so many, with what each run answered.

    Raises `UnknownName` for a name without runs, `BenchError` where the runs are of several models or profiles or the
    source of their data is not known, `BadData` where it holds other data now, and `Unsupported` for runs whose items
    are not those of the evaluation set.
    """
    chosen = _chosen(store, asked)
    found = [(row, store.predictions(row["run_id"])) for row in chosen]
    known = [(row, predictions) for row, predictions in found if predictions is not None]
    if not known:
        raise BenchError(f"{store.root} has no predictions of these {len(chosen)} runs")
    data, examples = _items(chosen, asked)
    codes = _item_codes(data, [predictions for _, predictions in known])
    if codes is None or codes.shape[1] != len(examples):
        raise BadData(f"the runs of {asked.task} were not scored on the {len(examples)} items of their evaluation set")
    disagreement = _disagreement(codes)
    places = np.argsort(-disagreement, kind="stable")[:most].tolist()
    said = [_said(data, examples, predictions, places) for _, predictions in known]
    runs = [row for row, _ in known]
    items = [
        _item(data, examples[place], place, [(run, own[number]) for run, own in zip(runs, said, strict=True)], share)
        for number, (place, share) in enumerate(zip(places, disagreement[places].tolist(), strict=True))
    ]
    without = [row["run_id"] for row, predictions in found if predictions is None]
    return Answered(chosen[0]["model"], chosen[0]["profile"], len(known), len(examples), items, without)


def _chosen(store: Store, asked: Asked) -> list[dict[str, Any]]:
    """The runs that are asked for, in the order of the store."""
    rows: list[dict[str, Any]] = store.table(Reduction(COLUMNS, lambda table: table.select(COLUMNS))).to_pylist()
    for name in ("task", "model", "profile"):
        known, value = {row[name] for row in rows}, getattr(asked, name)
        if value and value not in known:
            raise UnknownName(f"{name} of the stored runs", value, known)
        if not value and len(known) > 1:
            raise BenchError(
                f"there are runs of several {name}s, of which one is to be named: {', '.join(sorted(known))}"
            )
        rows = [row for row in rows if not value or row[name] == value]
    techniques = {row["technique"] for row in rows}
    for name in asked.techniques:
        if name not in techniques:
            raise UnknownName(f"technique of the stored runs of {asked.task}", name, techniques)
    rows = [row for row in rows if not asked.techniques or row["technique"] in asked.techniques]
    rows = [row for row in rows if not asked.seeds or row["seed"] in asked.seeds]
    if not rows:
        raise BenchError(f"{store.root} has no runs of {asked.task} on these seeds")
    return rows


def _items(rows: Sequence[dict[str, Any]], asked: Asked) -> tuple[Data, tuple[Example, ...]]:
    """The data that the runs read, and the examples that they were scored on."""
    specs = [json.loads(row["spec"]) for row in rows]
    if any("harness" in spec for spec in specs):
        raise Unsupported("runs of another harness have scores and no items")
    profile = {**{name: getattr(Profile(), name) for name in ("eval_examples", "scored_on")}, **specs[0]["profile"]}
    if profile["scored_on"] == "dev":
        raise Unsupported("runs that are scored on the dev set have no items in common: it depends on the seed")
    fingerprints = {spec["data"] for spec in specs}
    if len(fingerprints) > 1:
        raise BadData(f"the runs of {asked.task} read different data: choose techniques or seeds that read the same")
    sources = {row["data_source"] for row in rows}
    source = asked.data or (sources.pop() if sources <= {"hub", "embedded"} and len(sources) == 1 else "")
    if not source:
        where = " and ".join(sorted({row["data_source"] for row in rows}))
        raise BenchError(
            f"the folder, or the file of the task, that the runs read ({where}) is to be named as their data"
        )
    data = load_data(TASKS.get(asked.task), source) if asked.task in TASKS else own_data(absolute(source))
    if {data.fingerprint} != fingerprints:
        then = fingerprints.pop()
        raise BadData(
            f"{source} has other data of {asked.task} than the runs read: {then} then, {data.fingerprint} now"
        )
    return data, evaluation_examples(data, profile["eval_examples"])


def _item_codes(data: Data, predictions: Sequence[Predictions]) -> NDArray[np.integer] | None:
    """A number for each answer that occurs: (runs, items); None where the runs answered different items."""
    codes, lengths = data.task.format.item_codes(predictions), predictions[0].lengths
    if codes is None or lengths is None or not data.task.format.labels_words:
        return codes
    sentences = np.split(codes, np.cumsum(lengths)[:-1], axis=1)
    return np.stack([np.unique(own, axis=0, return_inverse=True)[1].ravel() for own in sentences], axis=1)


def _disagreement(codes: NDArray[np.integer]) -> NDArray[np.float64]:
    """For each item the chance that two different runs answer differently; 0 of a single run: (items,)."""
    runs, items = codes.shape
    if runs < 2:
        return np.zeros(items)
    alike = (codes[:, None] == codes[None]).sum(axis=(0, 1)) - runs
    return np.asarray(1 - alike / (runs * (runs - 1)))


def _said(data: Data, examples: Sequence[Example], predictions: Predictions, places: Sequence[int]) -> list[str]:
    """The answers of a run to some items, in words."""
    form, labels = data.task.format, data.task.labels
    found = form.answers(examples, predictions)
    return [form.in_words(examples[place], found[place], labels) for place in places]


def _item(
    data: Data, example: Example, place: int, said: Sequence[tuple[dict[str, Any], str]], disagreement: float
) -> Item:
    found: dict[str, Answer] = {}
    for run, words in said:
        found.setdefault(words, Answer(words)).seeds.setdefault(run["technique"], []).append(run["seed"])
    often = sorted(found.values(), key=lambda one: -sum(map(len, one.seeds.values())))
    form = data.task.format
    inputs = (" ".join(example.inputs),) if form.labels_words else example.inputs
    return Item(place, inputs, form.right_in_words(example, data.task.labels), often, disagreement)
