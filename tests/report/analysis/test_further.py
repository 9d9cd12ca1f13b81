"""Scores on further sets and forgetting: over the seeds of a cell, and only where runs have them."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import canonical_json, digest
from bench_lib.report.analysis.further import further_column
from bench_lib.report.analysis.results import summarise
from bench_lib.store import Store

ALSO = {"imdb_cad": "data1", "forgetting": "text1"}


def measured(run: RunRecord, **metrics: float) -> RunRecord:
    """The run as one with `--also` and `--forgetting`: names of metrics with `__` for the dot."""
    spec = canonical_json({**json.loads(run.spec), "also": ALSO})
    named = {name.replace("__", "."): value for name, value in metrics.items()}
    return run.changed({"spec": spec, "run_id": digest(json.loads(spec)), "metrics": {"accuracy": run.score, **named}})


@pytest.fixture
def summarised(tmp_path: Path) -> Callable[..., Any]:
    def build(*runs: RunRecord) -> Any:
        store = Store(tmp_path / "store")
        for run in runs:
            store.append(run)
        return summarise(store)

    return build


def test_mean_and_mad_of_a_set_stand_beside_those_on_the_task(record: Any, summarised: Any) -> None:
    runs = [measured(record(i, s), imdb_cad__accuracy=t) for i, (s, t) in enumerate([(0.8, 0.6), (0.9, 0.7)])]
    lost = record(2, None, status=Status.DIVERGED).changed({"metrics": {}})
    (row,) = summarised(*runs, lost).further.to_dict("records")
    assert (row["set"], row["measure"], row["runs"], row["technique"]) == ("imdb_cad", "accuracy", 2, "adamw")
    found = [row[name] for name in ("mean", "mad", "task_mean", "task_mad")]
    assert found == pytest.approx([0.65, 0.05, 0.85, 0.05])


def test_only_runs_with_the_measure_count_and_one_run_has_no_spread(record: Any, summarised: Any) -> None:
    runs = [measured(record(0, 0.8), imdb_cad__accuracy=0.6), measured(record(1, 0.9), imdb_cad__accuracy=math.nan)]
    (row,) = summarised(*runs).further.to_dict("records")
    assert (row["runs"], row["mean"], row["task_mean"]) == (1, 0.6, 0.8)
    assert math.isnan(row["mad"])
    assert math.isnan(row["task_mad"])


def test_forgetting_is_of_logarithms(record: Any, summarised: Any) -> None:
    pairs = [(10.0, 20.0), (10.0, 80.0), (10.0, math.inf)]
    runs = [
        measured(record(i), forgetting__perplexity_before=before, forgetting__perplexity=after)
        for i, (before, after) in enumerate(pairs)
    ]
    summary = summarised(*runs)
    (row,) = summary.forgetting.to_dict("records")
    assert summary.further.empty
    assert (row["runs"], row["perplexity_before"], row["perplexity"]) == (2, pytest.approx(10), pytest.approx(40))
    assert (row["log_ratio"], row["log_ratio_mad"]) == (pytest.approx(math.log(4)), pytest.approx(math.log(2)))


def test_perplexities_near_the_largest_float_are_known(record: Any, summarised: Any) -> None:
    largest = {"forgetting__perplexity_before": 10.0, "forgetting__perplexity": 1.7e308}
    (row,) = summarised(*(measured(record(i), **largest) for i in range(2))).forgetting.to_dict("records")
    assert row["perplexity"] == pytest.approx(1.7e308)
    assert row["log_ratio_mad"] == 0


def test_runs_without_such_measures_have_no_rows(record: Any, summarised: Any) -> None:
    summary = summarised(record(0), record(1))
    assert summary.further.empty
    assert summary.forgetting.empty


def test_the_column_holds_the_metrics_of_the_sets_that_the_spec_names() -> None:
    metrics = [[("accuracy", 0.8), ("b.x", 0.5), ("a.x", 0.25), ("a.y", math.nan)], [("b.x", 0.5)], [], None]
    specs = ['{"also":{"a":"1"}}', "{}", "not read", "not read"]
    column = further_column(_metrics(metrics), pa.chunked_array([specs]))
    assert column.to_pylist() == ['{"a.x":0.25}', "", "", ""]


def test_a_spec_that_is_not_an_object_is_refused() -> None:
    with pytest.raises(BadStore, match="not a JSON object"):
        further_column(_metrics([[("a.x", 0.5)]]), pa.chunked_array([["[1"]]))


def _metrics(values: list[Any]) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values, pa.map_(pa.string(), pa.float64()))])
