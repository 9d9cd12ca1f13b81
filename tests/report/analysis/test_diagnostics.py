from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, Status
from bench_lib.report.analysis.diagnostics import DIAGNOSTICS, diagnostics
from bench_lib.report.analysis.dynamics import DYNAMICS
from bench_lib.report.cells import group_runs
from bench_lib.stats.bootstrap import bca_interval
from bench_lib.stats.spread import mad
from bench_lib.tasks.formats import QUESTION_ANSWERING

SCORES = 0.8 + 0.01 * np.random.default_rng(0).normal(size=30)


def classes(*labels: int) -> Predictions:
    return Predictions(np.eye(3, dtype=np.float32)[list(labels)])


def spans(*bounds: tuple[int, int]) -> Predictions:
    return Predictions(np.array([(*pair, 0.5) for pair in bounds], dtype=np.float32))


@pytest.fixture
def one(record: Any, frame: Any) -> Any:
    """The diagnostics of one cell with these scores, whose runs predicted what the list says."""

    def build(scores: Any, predicted: list[Any] | None = None, **changes: Any) -> Any:
        records = [record(seed, score, **changes) for seed, score in enumerate(scores)]
        stored = dict(zip((r.run_id for r in records), predicted or [], strict=False))
        table = diagnostics(group_runs(frame(records)), stored.get)
        assert tuple(table.columns) == DIAGNOSTICS
        return table.iloc[0]

    return build


def test_measures_of_the_scores_by_hand(one: Any) -> None:
    found = one([0.1, 0.2, 0.3, 0.4, 0.9])
    assert found.iqm == pytest.approx(0.3)
    chances = np.diff((np.arange(6) / 5) ** 5)
    assert found.expected_max_5 == pytest.approx(chances @ [0.1, 0.2, 0.3, 0.4, 0.9])
    assert found.mad_low < mad([0.1, 0.2, 0.3, 0.4, 0.9]) < found.mad_high


def test_the_interval_of_the_mad_is_bca_and_knows_no_name(one: Any) -> None:
    found, other = one(SCORES), one(SCORES, technique="mixout", task="imdb")
    rows = lambda scores: np.apply_along_axis(mad, -1, scores)  # noqa: E731
    expected = bca_interval(rows, SCORES, np.random.default_rng([0, 30]), resamples=1999)
    assert (found.mad_low, found.mad_high) == pytest.approx(expected)
    assert (other.mad_low, other.mad_high) == (found.mad_low, found.mad_high)


def test_few_scores_have_no_interval_and_equal_ones_no_spread(one: Any) -> None:
    assert math.isnan(one([0.8, 0.9]).mad_low)
    assert one([0.8, 0.9]).iqm == pytest.approx(0.85)
    flat = one([0.1 + 0.2] * 7)
    assert (flat.mad_low, flat.mad_high) == (0, 0)


def test_runs_that_failed_say_nothing(record: Any, frame: Any) -> None:
    runs = [record(0, 0.5, status=Status.COLLAPSED), record(1, None, status=Status.DIVERGED)]
    table = diagnostics(group_runs(frame(runs)), lambda run_id: classes(0, 1))
    assert table[[name for name in DIAGNOSTICS if name not in table.columns[:8]]].isna().all(axis=None)
    mixed = [record(0, 0.8), record(1, 0.5, status=Status.COLLAPSED), record(2, 0.8)]
    stored = {mixed[0].run_id: classes(0, 1), mixed[1].run_id: classes(1, 0), mixed[2].run_id: classes(0, 1)}
    assert diagnostics(group_runs(frame(mixed)), stored.get).iloc[0].churn == 0


def test_churn_and_kappa_of_classes_by_hand(one: Any) -> None:
    found = one([0.8] * 3, [classes(0, 1, 0, 1), classes(0, 1, 0, 0), classes(0, 1, 1, 1)])
    assert found.churn == pytest.approx((1 + 1 + 2) / 3 / 4)
    shares = np.array([6, 6]) / 12
    assert found.kappa == pytest.approx(1 - found.churn / (1 - (shares**2).sum()))


def test_tags_are_compared_word_by_word(one: Any) -> None:
    tags = [Predictions(classes(*labels).values, np.array([3, 2])) for labels in ([0, 1, 2, 0, 0], [0, 1, 1, 0, 0])]
    assert one([0.8] * 2, tags, task="conll2003").churn == pytest.approx(1 / 5)


def test_spans_are_the_same_where_both_ends_are(one: Any) -> None:
    runs = [spans((0, 4), (7, 11), (300, 1000), (0, 0)), spans((0, 4), (7, 12), (300, 1000), (1, 0))]
    assert one([0.4] * 2, runs, task="squad").churn == pytest.approx(2 / 4)


def test_codes_of_different_spans_differ() -> None:
    draws = np.random.default_rng(0).integers(0, 3000, (2, 500, 2))
    found = QUESTION_ANSWERING.item_codes([spans(*map(tuple, run)) for run in draws.tolist()])
    assert found is not None
    assert len(np.unique(found)) == len(np.unique(draws.reshape(-1, 2), axis=0))


@pytest.mark.parametrize(
    "predicted",
    [
        [],
        [None, None, None],
        [classes(0, 1), None, None],
        [classes(0, 1), classes(0, 1, 1), classes(0, 1)],
        [classes(0, 1), Predictions(classes(0, 1).values, np.array([1, 1])), classes(0, 1)],
        [Predictions(classes(0, 1).values, np.array(lengths)) for lengths in ([1, 1], [2], [2])],
    ],
)
def test_predictions_that_cannot_be_compared_have_no_churn(one: Any, predicted: list[Any]) -> None:
    found = one([0.8] * 3, predicted)
    assert math.isnan(found.churn)
    assert math.isnan(found.kappa)


def test_a_run_without_predictions_leaves_the_others(one: Any) -> None:
    assert one([0.8] * 3, [classes(0, 1), None, classes(0, 0)]).churn == 0.5


def test_a_task_that_is_not_installed_has_no_churn(one: Any) -> None:
    assert math.isnan(one([0.8] * 2, [classes(0, 1)] * 2, task="elsewhere").churn)


def test_training_is_averaged_over_the_runs_that_tell(record: Any, frame: Any) -> None:
    runs = frame([record(0), record(1), record(2), record(3, 0.5, status=Status.COLLAPSED)])
    told = runs.assign(**{name: [1.0, 2.0, np.nan, 100.0] for name in DYNAMICS}).assign(vanishing=np.nan)
    found = diagnostics(group_runs(told)).iloc[0]
    assert found[list(DYNAMICS)].drop("vanishing").tolist() == [1.5] * 4
    assert math.isnan(found.vanishing)


def test_a_frame_straight_from_the_store_tells_nothing_of_training(one: Any) -> None:
    assert one([0.8] * 3)[list(DYNAMICS)].isna().all()


def test_cells_keep_their_order_and_none_have_no_rows(sweep: Any) -> None:
    known = group_runs(sweep(5))
    table = diagnostics(known)
    assert [tuple(key) for key in table.iloc[:, :8].itertuples(index=False)] == [cell.cell_id for cell in known]
    pd.testing.assert_frame_equal(diagnostics(known), table)
    assert diagnostics([]).empty


def test_scores_beyond_all_bounds_are_refused(one: Any) -> None:
    with pytest.raises(BadStore, match=r"converged but its score is 1e\+200; allowed: a fraction"):
        one([1e200, 0.5, 0.5])
