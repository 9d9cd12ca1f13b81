"""Every attempted run is counted somewhere, and every figure is that of its own cell."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import UnknownName
from bench_lib.core.record import Status
from bench_lib.report.analysis.summary import CELLS, CONTRASTS, TECHNIQUES, add_contrasts, cells, compare, over_tasks
from bench_lib.stats.bootstrap import analytic_mean_interval
from bench_lib.stats.compare import boschloo, brown_forsythe
from bench_lib.stats.correct import holm
from bench_lib.stats.failure import wilson

SCORES = (0.80, 0.82, 0.87, 0.75)


def one(table: pd.DataFrame, **values: str) -> Any:
    """The only row with these values."""
    found = table[(table[list(values)] == list(values.values())).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def test_a_cell_by_hand(record: Any, frame: Any) -> None:
    runs = [record(i, s, seconds=10 + i) for i, s in enumerate(SCORES)]
    runs += [record(4, 0.5, status="collapsed"), record(5, None, status="diverged"), record(6, None, status="oom")]
    row = cells(frame(runs)).iloc[0]
    assert (row.attempted, row.judged, row.failed, row.lost, row.converged) == (7, 6, 2, 1, 4)
    assert row["mean"] == pytest.approx(0.81)
    assert row["mad"] == pytest.approx((0.01 + 0.01 + 0.06 + 0.06) / 4)
    assert row["sd"] == pytest.approx(((2 * 0.01**2 + 2 * 0.06**2) / 3) ** 0.5)
    assert row["median_ad"] == pytest.approx(0.035)
    assert row["minimum"] == row["cvar"] == 0.75
    assert row["failure_rate"] == pytest.approx(2 / 6)
    assert (row["failure_low"], row["failure_high"]) == wilson(2, 6)
    assert row["mean_low"] < row["mean"] < row["mean_high"]
    assert (row["train_seconds"], row["peak_memory_mib"], row["tokens_per_second"]) == (11.5, 900, 2000)


def test_every_attempted_run_is_counted_once(sweep: Any) -> None:
    runs = sweep(6)
    table = cells(runs)
    assert list(table.columns) == list(CELLS)
    assert table[[str(s) for s in Status]].to_numpy().sum() == table["attempted"].sum() == len(runs)
    assert (table["judged"] + table["lost"] + table["unsupported"] == table["attempted"]).all()


@pytest.mark.parametrize("seeds", [99, 100])
def test_the_interval_of_a_mean_takes_the_formula_from_a_hundred_scores(record: Any, frame: Any, seeds: int) -> None:
    scores = np.random.default_rng(0).normal(0.8, 0.01, seeds)
    row = cells(frame([record(seed, float(score)) for seed, score in enumerate(scores)])).iloc[0]
    by_formula = analytic_mean_interval(scores)
    assert ((row["mean_low"], row["mean_high"]) == by_formula) == (seeds == 100)
    assert (row["mean_low"], row["mean_high"]) == pytest.approx(by_formula, abs=2e-4)


def test_one_seed_has_a_mean_and_no_spread(record: Any, frame: Any) -> None:
    row = cells(frame([record(0, 0.8)])).iloc[0]
    assert row["mean"] == row["minimum"] == 0.8
    assert row[["mad", "sd", "iqr", "median_ad", "mean_low", "mean_high"]].isna().all()


def test_a_cell_of_failures_has_a_rate_and_no_scores(record: Any, frame: Any) -> None:
    row = cells(frame([record(i, None, status="diverged") for i in range(3)])).iloc[0]
    assert (row.failed, row.failure_rate) == (3, 1.0)
    assert row[["mean", "mad", "minimum", "cvar", "train_seconds", "tokens_per_second"]].isna().all()


def test_a_cell_without_a_judged_run_has_no_rate(record: Any, frame: Any) -> None:
    runs = [
        record(i, None, status=s, reason=r) for i, (s, r) in enumerate([("unsupported", "no"), ("timeout", "60 s")])
    ]
    row = cells(frame(runs)).iloc[0]
    assert np.isnan([row.failure_rate, row.failure_low, row.failure_high]).all()
    assert (row.reason, row.lost, row.unsupported) == ("no", 1, 1)


def test_the_interval_depends_on_the_cell_alone(sweep: Any) -> None:
    runs = sweep(5)
    whole = cells(runs)
    part = cells(runs[(runs["task"] == "imdb") & (runs["technique"] == "mixout")].iloc[::-1])
    pd.testing.assert_frame_equal(
        part.reset_index(drop=True),
        whole[(whole["task"] == "imdb") & (whole["technique"] == "mixout")].reset_index(drop=True),
        check_exact=True,
    )


def test_contrasts_are_those_of_the_stats_and_corrected_over_the_section(sweep: Any) -> None:
    runs = sweep(12)
    table, contrasts = cells(runs), compare(runs)
    assert list(contrasts.columns) == list(CONTRASTS)
    ours, theirs = (one(table, task="sst2", technique=t) for t in ("bertadam", "adamw"))
    found = one(contrasts, task="sst2", technique="bertadam")
    assert found["p_failure"] == boschloo(ours.failed, ours.judged, theirs.failed, theirs.judged)
    assert found["mean_difference"] == pytest.approx(ours["mean"] - theirs["mean"])
    assert found["mad_ratio_all"] == pytest.approx(ours["mad"] / theirs["mad"])
    converged = {
        t: runs[(runs.task == "sst2") & (runs.technique == t) & (runs.status == "converged")] for t in runs.technique
    }
    shortest = {t: own.train_seconds.min() for t, own in converged.items()}
    assert found["cost_ratio"] == pytest.approx(shortest["bertadam"] / shortest["adamw"])
    assert found["p_spread"] == brown_forsythe(converged["bertadam"].score, converged["adamw"].score)
    for test in ("p_failure", "p_spread"):
        np.testing.assert_array_equal(contrasts[f"{test}_holm"], holm(contrasts[test].to_numpy()))


def test_sections_are_corrected_apart(record: Any, frame: Any) -> None:
    def runs(source: str) -> list[Any]:
        fails = [record(i, None, "fgm", source=source, status="diverged") for i in range(8)]
        return fails + [record(i, 0.7 + i / 100, source=source) for i in range(8)]

    both, alone = compare(frame(runs("local") + runs("embedded"))), compare(frame(runs("local")))
    assert one(both, data="real", technique="fgm")["p_failure_holm"] == one(alone, technique="fgm")["p_failure"]


def test_the_baseline_has_no_test_against_itself(sweep: Any) -> None:
    own = compare(sweep(5)).query("technique == 'adamw'")
    assert own[["p_failure", "p_spread", "p_failure_holm", "p_spread_holm"]].isna().all(axis=None)
    assert (own["mad_ratio_all"] == 1).all()
    assert (own["cost_ratio"] == 1).all()


def test_a_cell_is_compared_within_its_own_setting_only(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8 + i / 100, rate=2e-5) for i in range(3)]
    runs += [record(i, 0.7 + i / 100, rate=3e-5) for i in range(3)]
    runs += [record(i, 0.7 + i / 50, "fgm", rate=3e-5) for i in range(3)]
    runs += [record(i, 0.7 + i / 50, "fgm", rate=4e-5) for i in range(3)]
    rows = compare(frame(runs)).query("technique == 'fgm'").sort_values("against")
    assert rows["against"].tolist()[0] == ""
    assert np.isnan(rows["mad_ratio_all"].tolist()[0])
    assert rows["mad_ratio_all"].tolist()[1] == pytest.approx(2)


def test_of_two_baselines_in_one_setting_the_one_with_more_judged_runs_counts(record: Any, frame: Any) -> None:
    runs = (
        [record(i) for i in range(4)] + [record(i, 0.5, version="2") for i in range(2)] + [record(0, technique="fgm")]
    )
    contrasts = compare(frame(runs))
    first = contrasts[contrasts["technique"] == "adamw"].set_index("label")
    (against,) = contrasts[contrasts["technique"] == "fgm"]["against"]
    assert first.loc[against, "mean_difference"] == 0
    assert contrasts[contrasts["technique"] == "fgm"]["mean_difference"].item() == 0


def test_a_baseline_that_no_run_has_is_answered_with_the_nearest(record: Any, frame: Any) -> None:
    with pytest.raises(UnknownName, match="baseline technique 'adamv': did you mean 'adamw'"):
        compare(frame([record(0), record(0, technique="mixout")]), "adamv")


def test_lost_arms_are_not_tested(record: Any, frame: Any) -> None:
    runs = [record(0), record(1), *(record(i, None, "fgm", status="crashed") for i in range(2))]
    row = one(compare(frame(runs)), technique="fgm")
    assert np.isnan([row.p_failure, row.p_spread, row.mad_ratio_all, row.mean_difference, row.cost_ratio]).all()


def test_over_tasks_by_hand(record: Any, frame: Any) -> None:
    runs = [record(i, s, task=t) for t, s in (("sst2", 0.9), ("imdb", 0.8), ("squad", 0.4)) for i in range(2)]
    runs.append(record(2, None, task="squad", status="diverged"))
    table = over_tasks(cells(frame(runs)))
    assert list(table.columns) == list(TECHNIQUES)
    row = table.iloc[0]
    assert row["tasks"] == 3
    assert row["mad_over_tasks"] == pytest.approx((0.2 + 0.1 + 0.3) / 3)
    assert row["failure_rate"] == pytest.approx((0 + 0 + 1 / 3) / 3)


def test_over_tasks_leaves_out_what_is_ambiguous_or_has_no_mean(record: Any, frame: Any) -> None:
    runs = [record(0, task="sst2"), record(0, task="sst2", rate=1e-5), record(0, task="imdb")]
    row = over_tasks(cells(frame([*runs, record(0, None, task="squad", status="diverged")]))).iloc[0]
    assert (row["tasks"], row["tasks_ambiguous"], row["failure_rate"]) == (1, 1, 0.5)
    assert np.isnan(row["mad_over_tasks"])


def test_joining_without_contrasts_keeps_every_cell_and_column(sweep: Any) -> None:
    runs = sweep(2)
    bare, whole = add_contrasts(cells(runs), None), add_contrasts(cells(runs), compare(runs))
    assert list(bare.columns) == list(whole.columns)
    assert len(bare) == len(whole) == len(cells(runs))
    assert (bare["against"] == "").all()
    assert bare["cost_ratio"].isna().all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.sampled_from([str(s) for s in Status]), min_size=1, max_size=12))
def test_no_mixture_of_outcomes_loses_a_run(record: Any, frame: Any, outcomes: list[str]) -> None:
    runs = [record(i, 0.7 + i / 100 if s == "converged" else None, status=s) for i, s in enumerate(outcomes)]
    row = cells(frame(runs)).iloc[0]
    assert row.attempted == len(outcomes) == row.converged + row.failed + row.lost + row.unsupported
    assert row["mad"] >= 0 or np.isnan(row["mad"]) == (row.converged < 2)
