from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.core.errors import BadData, BadValue
from bench_lib.integrations.scores.records import ImportSettings, add, cells, records
from bench_lib.integrations.scores.table import GivenTable, Reading, read_runs
from bench_lib.integrations.scores.values import Scale
from bench_lib.store import Store, verify

Write = Callable[..., Path]
HEAD = "method,task,seed,acc,state"
LINES = ("sam,rte,0,80,finished", "sam,rte,1,50,finished", "sam,rte,2,,finished", "sam,rte,3,70,crashed")


@pytest.fixture
def table(write: Write) -> GivenTable:
    return read_runs(write("runs.csv", HEAD, *LINES), Reading())


def test_runs_become_records_of_an_external_harness(table: GivenTable) -> None:
    found = records(table, ImportSettings(harness="lab", model="bert", constant_baseline=52.7))
    assert [(record.seed, record.status, record.score) for record in found] == [
        *((0, "converged", 0.8), (1, "collapsed", 0.5), (2, "diverged", None), (3, "crashed", 0.7))
    ]
    first = found[0]
    assert first.external
    assert (first.data_source, first.profile, first.model, first.metric) == ("external: lab", "lab", "bert", "acc")
    assert first.constant_baseline == pytest.approx(0.527)
    assert math.isnan(first.timing.train_seconds)
    assert first.provenance["imported_from"] == "runs.csv"
    assert [*cells(found)] == [("rte", "sam", 4)]


def test_the_identity_is_by_value(table: GivenTable) -> None:
    ids = [record.run_id for record in records(table, ImportSettings())]
    assert len({*ids}) == 4
    assert [record.run_id for record in records(table, ImportSettings(profile="other"))] == ids
    for changed in (ImportSettings(harness="lab"), ImportSettings(model="bert")):
        assert not {*ids} & {record.run_id for record in records(table, changed)}
    spec = json.loads(records(table, ImportSettings())[0].spec)
    assert spec["stack"] == [["sam", {}, "external"]]


def test_a_store_takes_each_run_once(table: GivenTable, tmp_path: Path, write: Write) -> None:
    store, settings = Store(tmp_path / "store"), ImportSettings()
    found = records(table, settings)
    assert [add(store, found, table.runs) for _ in range(2)] == [4, 0]
    assert verify(store) == []
    longer = read_runs(write("more.csv", HEAD, *LINES, "sam,rte,4,81,finished"), Reading())
    assert add(store, records(longer, settings), longer.runs) == 1
    other = read_runs(write("other.csv", HEAD, "sam,rte,0,81,finished"), Reading())
    with pytest.raises(
        BadData, match=r"other\.csv, row 1: .* holds seed 0 of sam on rte with a score of 0\.8 \(converged\), not"
    ):
        add(store, records(other, settings), other.runs)


def test_of_what_is_better_lower_the_rest_to_1_is_stored(write: Write) -> None:
    table = read_runs(write("a.csv", "method,task,seed,wer", "x,asr,0,0.2", "x,asr,1,0.9"), Reading())
    first, second = records(table, ImportSettings(constant_baseline=0.85))
    assert (first.metric, first.score, first.status) == ("1 - wer", 0.8, "converged")
    assert (second.score, second.status) == (pytest.approx(0.1), "collapsed")


def test_evaluations_of_a_trainer_are_kept(tmp_path: Path, trainer: Write) -> None:
    trainer("sam/rte/seed-3")
    table = read_runs(tmp_path, Reading(layout="{technique}/{task}/seed-{seed}"))
    (record,) = records(table, ImportSettings())
    assert (record.metric, record.score, record.profile) == ("accuracy", 0.8, "trainer")
    assert record.evaluations.steps == (10, 20)
    assert record.evaluations.scores == pytest.approx((0.7, 0.8))


@pytest.mark.parametrize(
    ("lines", "reading", "said"),
    [
        (["task,seed,acc", "rte,0,0.5"], Reading(), "has no column for the technique; name one: technique=COLUMN"),
        (["method,seed,acc", "sam,0,0.5"], Reading(), "has no column for the task"),
        (["method,task,acc", "sam,rte,0.5"], Reading(), "has no column for the seed, which a stored run needs"),
        (
            ["method,task,seed,ppl", "sam,lm,0,12"],
            Reading(scale=Scale.NUMBER),
            "column ppl is 12, a plain number; a store holds fractions.*--scale percent",
        ),
        (["method,task,seed,loss", "sam,lm,0,0.4"], Reading(), "loss is 0.4, a plain number; .*--scale fraction"),
        (["method,task,seed,loss", "sam,lm,0,"], Reading(), "loss is nan, a plain number"),
    ],
)
def test_what_cannot_be_stored_is_named(write: Write, lines: list[str], reading: Reading, said: str) -> None:
    with pytest.raises(BadData, match=said):
        records(read_runs(write("a.csv", *lines), reading), ImportSettings())


def test_names_that_are_said_fill_in_columns(write: Write) -> None:
    table = read_runs(write("a.csv", "seed,acc", "0,0.5"), Reading())
    (record,) = records(table, ImportSettings(task="rte", technique="sam"))
    assert (record.task, record.technique, record.model) == ("rte", "sam", "unknown")
    with pytest.raises(BadValue, match="--task"):
        ImportSettings(task=" rte")
