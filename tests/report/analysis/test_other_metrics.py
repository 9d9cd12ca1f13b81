"""Metrics beside the primary one: over the seeds of a cell, and only where runs have them."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.record import Status
from bench_lib.report.analysis.other_metrics import NAMES, OTHERS, VALUES, other_metric_columns
from bench_lib.report.analysis.results import summarise
from bench_lib.report.analysis.runs import read
from bench_lib.store import Store


def measured(run: Any, **metrics: float) -> Any:
    return run.changed({"metrics": {"accuracy": run.score, **metrics}})


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., Store]:
    def build(*runs: Any) -> Store:
        store = Store(tmp_path / "store")
        for run in runs:
            store.append(run)
        return store

    return build


def columns(metrics: list[Any], primary: list[str]) -> dict[str, list[Any]]:
    maps = pa.chunked_array([pa.array(metrics, pa.map_(pa.string(), pa.float64()))])
    found = other_metric_columns(maps, pa.chunked_array([pa.array(primary, pa.string())]))
    return {name: column.to_pylist() for name, column in found.items()}


def test_mean_and_mad_of_a_metric_stand_beside_those_of_the_primary_one(record: Any, stored: Any) -> None:
    runs = [measured(record(i, s), macro_f1=f) for i, (s, f) in enumerate([(0.8, 0.6), (0.9, 0.7)])]
    (row,) = summarise(stored(*runs)).other_metrics.to_dict("records")
    assert tuple(row) == OTHERS
    named = [row[name] for name in ("technique", "task", "primary", "metric", "status", "runs")]
    assert named == ["adamw", "sst2", "accuracy", "macro_f1", "converged", 2]
    found = [row[name] for name in ("mean", "mad", "minimum", "maximum", "primary_mean", "primary_mad")]
    assert found == pytest.approx([0.65, 0.05, 0.6, 0.7, 0.85, 0.05])


def test_failed_runs_are_in_no_mean_and_collapsed_ones_apart(record: Any, stored: Any) -> None:
    good = [measured(record(i, 0.8), macro_f1=0.7) for i in range(2)]
    collapsed = measured(record(2, 0.5, status=Status.COLLAPSED), macro_f1=0.1)
    diverged = record(3, None, status=Status.DIVERGED).changed({"metrics": {}})
    halfway = record(4, 0.6, status=Status.TIMEOUT).changed({"metrics": {"accuracy": 0.6, "macro_f1": 0.3}})
    first, second = summarise(stored(*good, collapsed, diverged, halfway)).other_metrics.to_dict("records")
    assert (first["status"], first["runs"], first["mean"]) == ("converged", 2, 0.7)
    assert (second["status"], second["runs"], second["mean"], second["primary_mean"]) == ("collapsed", 1, 0.1, 0.5)
    assert math.isnan(second["mad"])


def test_runs_that_lack_a_metric_or_have_no_finite_one_do_not_count(record: Any, stored: Any) -> None:
    scores = [{"em": 0.5, "f1": 0.75}, {"f1": 0.25}, {"em": math.nan}, {"em": math.inf}]
    table = summarise(stored(*(measured(record(i), **own) for i, own in enumerate(scores)))).other_metrics
    assert dict(zip(table["metric"], table["runs"], strict=True)) == {"em": 1, "f1": 2}
    assert dict(zip(table["metric"], table["mean"], strict=True)) == {"em": 0.5, "f1": 0.5}


def test_a_collapsed_run_with_an_impossible_score_does_not_count(record: Any, stored: Any) -> None:
    run = record(1, 7.0, status=Status.COLLAPSED).changed({"metrics": {"accuracy": 7.0, "macro_f1": 0.5}})
    assert summarise(stored(record(0), run)).other_metrics.empty


def test_runs_with_the_primary_metric_alone_have_no_rows(record: Any, stored: Any) -> None:
    store = stored(measured(record(0)), record(1))
    assert summarise(store).other_metrics.empty
    assert set(read(store).frame[NAMES]) == {""}


def test_values_are_those_of_their_run_whatever_the_order_and_the_size_of_batches(
    record: Any, stored: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [measured(record(i, 0.8, t), **{f"m{i % 3}": i / 10}) for i in range(6) for t in ("mixout", "adamw")]
    store = stored(*reversed(runs), record(9))
    whole = summarise(store).other_metrics
    monkeypatch.setattr("bench_lib.store.parquet.BATCH", 2)
    assert summarise(store).other_metrics.equals(whole)
    own = whole[whole["technique"] == "mixout"].set_index("metric")["mean"]
    assert own.to_dict() == pytest.approx({"m0": 0.15, "m1": 0.25, "m2": 0.35})


def test_the_columns_leave_out_primary_metrics_and_further_sets() -> None:
    metrics = [[("em", 0.5), ("f1", 0.6)], [("f1", 0.7)], [], None, [("a.em", 0.1), ("em", 0.2), ("z", None)]]
    found = columns(metrics, ["f1", "f1", "", "f1", "f1"])
    assert found[NAMES] == ['["em"]', "", "", "", '["em", "z"]']
    assert found[VALUES] == [[0.5], [], [], [], [0.2, None]]


NAMED = st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), st.floats(0, 1), max_size=4)


@given(st.lists(st.tuples(NAMED, st.sampled_from("abx")), max_size=9), st.integers(0, 3))
def test_every_value_is_kept_but_the_primary_one(rows: list[Any], begin: int) -> None:
    maps = pa.array([list(own.items()) for own, _ in rows], pa.map_(pa.string(), pa.float64()))[begin:]
    primary = pa.array([name for _, name in rows], pa.string())[begin:]
    found = other_metric_columns(pa.chunked_array([maps]), pa.chunked_array([primary]))
    texts, values = found[NAMES].to_pylist(), found[VALUES].to_pylist()
    expected = [{name: value for name, value in own.items() if name != first} for own, first in rows[begin:]]
    assert [dict(zip(_parsed(text), own, strict=True)) for text, own in zip(texts, values, strict=True)] == expected


def _parsed(text: str) -> list[str]:
    return [part.strip('" ') for part in text.strip("[]").split(",")] if text else []


def test_an_empty_store_has_no_values(tmp_path: Path) -> None:
    values, offsets = read(Store(tmp_path / "none")).measured
    assert (values.shape, np.asarray(offsets).tolist()) == ((0,), [0])
