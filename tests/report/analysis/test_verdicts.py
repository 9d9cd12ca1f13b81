from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench_lib.core.errors import BadValue
from bench_lib.core.record import Status
from bench_lib.report.analysis.verdicts import NOTHING, VERDICTS, paired_samples, verdicts
from bench_lib.report.cells import CELL_ID, Cell, group_runs
from bench_lib.stats.claims import claims, exact_evidence
from bench_lib.stats.compare import mad_ratio
from bench_lib.stats.verdict import PairedSamples

DRAWS = np.random.default_rng(0)
BASE = 0.8 + 0.01 * DRAWS.normal(size=30)
OTHER = 0.8 + 0.01 * DRAWS.normal(size=30)


def row(table: pd.DataFrame, technique: str, **values: str) -> Any:
    known = table[(table["technique"] == technique) & (table[list(values)] == list(values.values())).all(axis=1)]
    assert len(known) == 1
    return known.iloc[0]


def cell(known: list[Cell], technique: str) -> Cell:
    (found,) = [one for one in known if one.id_fields()["technique"] == technique]
    return found


@pytest.fixture
def arms(record: Any, frame: Any) -> Any:
    """The cells of techniques whose scores are given in the order of the seeds: nan for a run that collapsed."""

    def build(scores: dict[str, Any], **changes: Any) -> list[Cell]:
        runs = []
        for technique, values in scores.items():
            for seed, score in enumerate(values):
                lost = {"score": 0.5, "status": Status.COLLAPSED} if math.isnan(score) else {"score": score}
                runs.append(record(seed, technique=technique, **lost, **changes))
        return group_runs(frame(runs))

    return build


def test_a_verdict_is_that_of_the_claims_of_its_group(arms: Any) -> None:
    failing = np.where(np.arange(30) < 15, np.nan, OTHER)
    scores = {"calm": 0.8 + 0.2 * (OTHER - 0.8), "sick": failing, "twin": BASE + 1e-4 * OTHER, "wild": 5 * OTHER - 3.2}
    table = verdicts(arms({"adamw": BASE} | scores), "adamw")
    assert tuple(table.columns) == VERDICTS
    found = {name: (row(table, name).verdict, row(table, name).decided_by) for name in table["technique"]}
    assert found == {
        "adamw": ("", ""),
        "calm": ("more stable", "spread"),
        "wild": ("less stable", "spread"),
        "sick": ("less stable", "failures"),
        "twin": ("equivalent", "equivalence"),
    }
    expected = claims([exact_evidence(PairedSamples(values, BASE)) for values in scores.values()])
    compared = table[table["technique"] != "adamw"]
    assert [*compared["verdict"]] == [one.stability for one in expected]
    assert [*compared["verdict_location"]] == [one.location for one in expected]
    assert [*compared["superiority"]] == [one.superiority.estimate for one in expected]
    assert [*compared["shared"]] == [30] * 4
    calm = row(table, "calm")
    assert 0 < calm.mad_ratio_low < mad_ratio(scores["calm"], BASE) < calm.mad_ratio_high < 1
    assert row(table, "wild").mad_ratio_low > 1


def test_of_the_baseline_nothing_is_said(arms: Any) -> None:
    found = row(verdicts(arms({"adamw": BASE, "calm": OTHER}), "adamw"), "adamw")
    assert [*found[["verdict", "verdict_location", "decided_by", "shared"]]] == ["", "", "", 0]
    assert found[["mad_ratio_low", "mad_ratio_high", "superiority"]].isna().all()


def test_scores_higher_or_lower_are_better_or_worse(arms: Any) -> None:
    table = verdicts(arms({"adamw": BASE, "high": OTHER + 0.05, "low": OTHER - 0.05}), "adamw")
    assert row(table, "high").verdict_location == "better"
    assert row(table, "high").superiority == 1
    assert row(table, "low").verdict_location == "worse"


def test_seeds_are_paired_where_both_arms_were_judged(record: Any, frame: Any) -> None:
    runs = [record(seed, BASE[seed]) for seed in range(20)]
    runs += [record(seed, OTHER[seed], "wild") for seed in (25, 3, 7, 19)]
    runs += [record(4, None, "wild", status=Status.TIMEOUT), record(5, None, "wild", status=Status.DIVERGED)]
    runs += [record(6, 0.4, "wild", status=Status.COLLAPSED)]
    known = group_runs(frame(runs))
    found = paired_samples(cell(known, "wild"), cell(known, "adamw"))
    expected = PairedSamples(np.array([OTHER[3], np.nan, np.nan, OTHER[7], OTHER[19]]), BASE[[3, 5, 6, 7, 19]])
    assert np.array_equal(found.technique, expected.technique, equal_nan=True)
    assert np.array_equal(found.baseline, expected.baseline)
    assert row(verdicts(known, "adamw"), "wild").shared == 5


def test_few_seeds_are_underpowered_and_spend_nothing(arms: Any) -> None:
    strong = {"adamw": BASE, "calm": BASE.mean() + 0.55 * (OTHER - OTHER.mean())}
    alone = row(verdicts(arms(strong), "adamw"), "calm")
    wild = 0.8 + 9 * (OTHER[:9] - 0.8)
    crowd = verdicts(arms(strong | {f"few{i}": wild for i in range(40)}), "adamw")
    assert alone.verdict == "more stable"
    assert row(crowd, "calm").equals(alone)
    few = row(crowd, "few3")
    assert [*few[["verdict", "verdict_location", "decided_by", "shared"]]] == ["underpowered", "open", "", 9]
    assert few.mad_ratio_low > 1


def test_all_contrasts_of_a_group_share_alpha_and_groups_do_not(arms: Any, record: Any, frame: Any) -> None:
    strong = {"adamw": BASE, "calm": BASE.mean() + 0.55 * (OTHER - OTHER.mean())}
    dull = {f"dull{i}": np.roll(BASE, i + 1) for i in range(40)}
    assert row(verdicts(arms(strong | dull), "adamw"), "calm").verdict == "underpowered"
    apart = arms(strong) + arms({"adamw": BASE} | dull, profile="other")
    assert row(verdicts(apart, "adamw"), "calm").verdict == "more stable"


def test_a_setting_is_compared_with_the_baselines_of_that_setting_alone(arms: Any) -> None:
    known = arms({"adamw": BASE, "calm": OTHER}) + arms({"calm": OTHER}, rate=5e-5)
    table = verdicts(known, "adamw")
    settings = {one.id_fields()["setting"] for one in known if one.id_fields()["technique"] == "adamw"}
    beside = table[table["technique"] == "calm"].set_index("setting")["shared"]
    assert {setting: shared for setting, shared in beside.items() if setting in settings} == {settings.pop(): 30}
    assert sorted(beside) == [0, 30]


def test_what_shares_no_seed_is_not_compared(record: Any, frame: Any) -> None:
    runs = [record(seed, BASE[seed]) for seed in range(10)]
    runs += [record(seed + 10, OTHER[seed], "later") for seed in range(10)]
    runs += [record(seed, None, "declined", status=Status.UNSUPPORTED) for seed in range(10)]
    table = verdicts(group_runs(frame(runs)), "adamw")
    for technique in ("later", "declined"):
        assert tuple(row(table, technique)[: len(CELL_ID)]) == tuple(row(table, technique)[list(CELL_ID)])
        assert [*row(table, technique)[["verdict", "shared"]]] == [NOTHING[0], 0]


def test_no_name_moves_a_verdict(sweep: Any) -> None:
    runs = sweep(20)
    measures = list(VERDICTS[len(CELL_ID) :])
    before = verdicts(group_runs(runs), "adamw")
    renamed = verdicts(group_runs(runs.assign(technique=runs["technique"].replace("mixout", "zzz"))), "adamw")
    for task in before["task"].unique():
        old, new = row(before, "mixout", task=task), row(renamed, "zzz", task=task)
        assert old[measures].equals(new[measures])
    assert verdicts(group_runs(runs), "adamw").equals(before)


def test_without_a_baseline_or_any_run_there_is_nothing(arms: Any) -> None:
    table = verdicts(arms({"calm": OTHER}), "adamw")
    assert [*table["verdict"]] == [""]
    assert verdicts([], "adamw").empty
    assert tuple(verdicts([], "adamw").columns) == VERDICTS


def test_a_bad_alpha_is_refused(arms: Any) -> None:
    with pytest.raises(BadValue, match="alpha is 0"):
        verdicts(arms({"adamw": BASE, "calm": OTHER}), "adamw", alpha=0.0)
