"""Answers of runs, item by item."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.comparison.answers import Asked, answers
from bench_lib.core.errors import BadData, BenchError, Unsupported
from bench_lib.core.record import Predictions
from bench_lib.core.spec import canonical_json, digest
from bench_lib.harness.datasets import evaluation_examples
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.text_generation import packed
from bench_lib.tasks.formats.text_metrics import Written
from bench_lib.tasks.sources.load import load_data
from tests.store.conftest import make_record


def put(store: Store, task: str, seed: int, predictions: Predictions, source: str = "embedded", **spec: Any) -> None:
    """A run of 4 items of a task's embedded corpus."""
    data = load_data(TASKS.get(task), "embedded").fingerprint
    identity = {"task": [task, "1"], "seed": seed, "data": data, "profile": {"eval_examples": 4}, **spec}
    record = make_record(
        seed,
        task=task,
        data_source=source,
        run_id=digest(identity),
        spec=canonical_json(identity),
        predictions=predictions,
    )
    store.append(record)


def test_written_answers_are_shown_as_texts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for seed, texts in enumerate((["a", "b", "", "x y"], ["a", "c", "", "x y"])):
        put(store, "e2e_nlg", seed, packed([Written(text) for text in texts]))
    found = answers(store, Asked("e2e_nlg"), 2)
    assert [item.place for item in found.items] == [1, 0]
    assert [(one.words, one.seeds) for one in found.items[0].answers] == [("b", {"adamw": [0]}), ("c", {"adamw": [1]})]
    assert [one.words for one in found.items[1].answers] == ["a"]
    example = evaluation_examples(load_data(TASKS.get("e2e_nlg"), "embedded"), 4)[1]
    assert found.items[0].right == example.reference
    assert answers(store, Asked("e2e_nlg"), 4).items[3].answers[0].words == "x y"


def test_sentences_with_any_other_tag_differ(tmp_path: Path) -> None:
    store, task = Store(tmp_path), TASKS.get("conll2003")
    examples = evaluation_examples(load_data(task, "embedded"), 4)
    lengths = np.array([len(example.inputs) for example in examples], np.int32)
    for seed in (0, 1):
        values = np.zeros((lengths.sum(), len(task.labels)), np.float32)
        values[:, task.labels.index("O")] = 1
        if seed:
            values[lengths[:2].sum(), task.labels.index("B-PER")] = 2  # the first word of item 2
        put(store, task.name, seed, Predictions(values, lengths))
    (item,) = answers(store, Asked("conll2003"), 1).items
    assert (item.place, item.disagreement) == (2, 1.0)
    assert item.inputs == (" ".join(examples[2].inputs),)
    assert {one.words for one in item.answers} == {"O", f"{examples[2].inputs[0]}/B-PER"}


@pytest.mark.parametrize(
    ("changes", "error", "expected"),
    [
        ({"harness": "another"}, Unsupported, "runs of another harness have scores and no items"),
        ({"profile": {"eval_examples": 4, "scored_on": "dev"}}, Unsupported, "scored on the dev set"),
        ({"profile": {"eval_examples": 5}}, BadData, "not scored on the 5 items of their evaluation set"),
        ({"source": "local"}, BenchError, r"that the runs read .local. is to be named as their data"),
    ],
)
def test_runs_whose_items_are_not_known_are_refused(
    tmp_path: Path, changes: dict[str, Any], error: type[BenchError], expected: str
) -> None:
    put(Store(tmp_path), "sst2", 0, Predictions(np.zeros((4, 2), np.float32)), **changes)
    with pytest.raises(error, match=expected):
        answers(Store(tmp_path), Asked("sst2"), 1)


def test_runs_on_different_data_have_no_items_in_common(tmp_path: Path) -> None:
    store = Store(tmp_path)
    put(store, "sst2", 0, Predictions(np.zeros((4, 2), np.float32)))
    put(store, "sst2", 1, Predictions(np.zeros((4, 2), np.float32)), data="other")
    with pytest.raises(BadData, match="the runs of sst2 read different data"):
        answers(store, Asked("sst2"), 1)
    assert answers(store, Asked("sst2", seeds=(0,)), 1).runs == 1
    assert json.loads(store.records()[0].spec)["data"] != "other"
