"""Trials in a store: apart from every verdict, and what the search that they were came to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench_lib.core.record import RunRecord, Status
from bench_lib.core.seeds import TRIAL_SEEDS
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.report.analysis.compare import load
from bench_lib.report.analysis.dominance import dominance
from bench_lib.report.analysis.recommend import over_all_tasks
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.analysis.summary import compare
from bench_lib.report.analysis.tuning import (
    ARMS,
    BUDGETS,
    POINTS,
    SPACES,
    arms,
    budgets,
    outside_tuning,
    points,
    spaces,
)
from bench_lib.report.analysis.tuning_tables import tables
from bench_lib.report.analysis.variance import ordinary, variance_components
from bench_lib.report.html.registry_entries import registered
from bench_lib.report.html.views import Views
from bench_lib.report.markdown.tuning import section
from bench_lib.report.render import build_report
from bench_lib.store import Store

Frame = Callable[[Iterable[RunRecord]], pd.DataFrame]
Change = dict[str, Any]
FACTORS = (None, 0.353, 1.41)
"""Those of the points; None is the default."""


def stack_of(name: str, p: float, factor: float | None, budget: int | None = None) -> tuple[TechniqueSpec, ...]:
    own = () if name == "adamw" else (("p", p),)
    label = name if not own or p == 0.1 or budget else f"{name}:p={p}"
    first = TechniqueSpec(name, own, observer=name == "adamw", label=label)
    if factor is None:
        return (first,)
    last = f"[tuned@{budget}]" if budget else f"scale_lr:factor={factor}"
    return (first, TechniqueSpec("scale_lr", (("factor", factor), ("budget", budget)), label=last))


def run(
    stack: tuple[TechniqueSpec, ...], seed: int, score: float | None, dev: bool = False, **changes: Any
) -> RunRecord:
    spec = RunSpec(
        task=changes.pop("task", "sst2"),
        task_version="1",
        data=Ref("local", "data0"),
        stack=stack,
        model=Ref("minilm", "weights0"),
        profile=Profile(scored_on="dev") if dev else Profile(),
        seed=seed,
    )
    return RunRecord.of(
        {
            "run_id": spec.run_id(),
            "training_id": spec.training().run_id(),
            "task": spec.task,
            "technique": spec.technique(),
            "model": "minilm",
            "profile": "desk:scored_on=dev" if dev else "desk",
            "data_source": "local",
            "seed": seed,
            "spec": canonical_json(spec.identity()),
            "status": str(Status.CONVERGED),
            "reason": "",
            "metric": "accuracy",
            "score": score,
            "trivial_score": 0.5,
            "forward_passes": 120,
            "backward_passes": 120,
            "train_seconds": 10.0,
            **changes,
        }
    )


def trial(name: str, p: float, factor: float | None, score: float | None, **changes: Any) -> list[RunRecord]:
    return [run(stack_of(name, p, factor), seed, score, dev=True, **changes) for seed in TRIAL_SEEDS]


FAILED: Change = {"status": "diverged"}
TRIALS = [
    *trial("adamw", 0.1, None, 0.80),
    *trial("adamw", 0.1, 0.353, 0.82),
    *trial("adamw", 0.1, 1.41, None, **FAILED),
    *trial("mixout", 0.1, None, 0.70, forward_passes=240, backward_passes=240),
    *trial("mixout", 0.9, 0.353, 0.84, forward_passes=240, backward_passes=240),
]
TUNED = stack_of("mixout", 0.9, 0.353, 16)
RUNS = [
    run(stack, seed, score + seed / 100)
    for stack, score in ((stack_of("adamw", 0.1, None), 0.75), (stack_of("mixout", 0.1, None), 0.72), (TUNED, 0.8))
    for seed in range(3)
]


@pytest.fixture
def filled(tmp_path: Path) -> Callable[[Iterable[RunRecord]], Store]:
    def fill(records: Iterable[RunRecord]) -> Store:
        store = Store(tmp_path / "results")
        for record in records:
            store.append(record)
        return store

    return fill


@pytest.fixture
def plain(tmp_path: Path) -> Store:
    """A store without trials."""
    store = Store(tmp_path / "plain")
    for record in RUNS:
        store.append(record)
    return store


@pytest.fixture
def summary(filled: Callable[[Iterable[RunRecord]], Store]) -> Summary:
    return summarise(filled([*RUNS, *TRIALS]))


# ---- apart from verdicts ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        run(stack_of("adamw", 0.1, None), TRIAL_SEEDS[0], 0.9),
        run(stack_of("adamw", 0.1, None), 999_999 + 1000, 0.9),
        run(stack_of("adamw", 0.1, None), 7, 0.9, dev=True),
        TRIALS[0],
    ],
)
def test_tuning_seeds_and_dev_scores_are_outside(frame: Frame, other: RunRecord) -> None:
    known = frame([*RUNS, other])
    for left in (outside_tuning(known), ordinary(known)):
        assert left["run_id"].tolist() == [record.run_id for record in RUNS]
    for measured in (compare, dominance):
        pd.testing.assert_frame_equal(measured(known), measured(frame(RUNS)))
    assert variance_components(known).empty


def test_seeds_beside_those_of_tuning_are_inside(frame: Frame) -> None:
    beside = [run(stack_of("adamw", 0.1, None), seed, 0.9) for seed in (999_999, 1_001_000)]
    assert len(ordinary(frame(beside))) == 2


def test_no_number_of_a_report_changes_with_trials(
    filled: Callable[[Iterable[RunRecord]], Store], summary: Summary, plain: Store
) -> None:
    alone = summarise(plain)
    for name in ("cells", "techniques", "ranks", "runs"):
        pd.testing.assert_frame_equal(getattr(summary, name), getattr(alone, name), check_categorical=False)
    assert len(load(plain).cells) == len(load(filled([])).cells)
    assert alone.points.empty
    assert tuple(alone.points) == POINTS
    assert section(alone) == ""
    assert list(tables(alone)) == []


def test_a_store_of_trials_alone_has_a_report(filled: Callable[[Iterable[RunRecord]], Store]) -> None:
    store = filled(TRIALS)
    alone = summarise(store)
    assert alone.cells.empty
    assert len(alone.points) == 5
    text = build_report(store).files["leaderboard.md"].decode()
    assert "Every stored run is a trial or has streams frozen in turn: there is nothing to rank, see below." in text
    assert "## Tuning" in text


def test_the_report_has_the_section_and_its_figures(
    filled: Callable[[Iterable[RunRecord]], Store], plain: Store
) -> None:
    files = build_report(filled([*RUNS, *TRIALS])).files
    figures = {name for name in files if name.startswith(("figures/search", "figures/rates"))}
    assert {name.rpartition(".")[2] for name in figures} == {"svg", "csv"}
    assert len(figures) == 4
    text, page = files["leaderboard.md"].decode(), files["index.html"].decode()
    assert text.index("## Tuning") < text.index("](figures/search") < text.index("](figures/rates")
    assert 'id="search"' in page
    assert "Default and tuned: sst2 (real, minilm, desk)" in page
    without = build_report(plain).files
    assert not [name for name in without if "search" in name or "rates" in name]
    assert "Tuning" not in without["leaderboard.md"].decode()
    assert 'id="search"' not in without["index.html"].decode()


TUNED_BASELINE = [run(stack_of("adamw", 0.1, 1.41, 16), seed, 0.78 + seed / 100) for seed in range(3)]


def test_tuned_arms_are_compared_with_the_baseline_tuned_alike(filled: Callable[[Iterable[RunRecord]], Store]) -> None:
    other_budget = [run(stack_of("mixout", 0.7, 1.41, 8), seed, 0.8) for seed in range(3)]
    known = summarise(filled([*RUNS, *TUNED_BASELINE, *other_budget]))
    against = dict(zip(known.cells["technique"], known.cells["against"], strict=True))
    assert against == {
        "adamw": "adamw",
        "mixout": "adamw",
        "adamw[tuned@16]": "adamw[tuned@16]",
        "mixout[tuned@16]": "adamw[tuned@16]",
        "mixout[tuned@8]": "adamw",
    }
    shown = known.cells.set_index("technique")
    assert shown.loc["mixout[tuned@16]", "mean_difference"] == pytest.approx(0.02)
    assert shown.loc["adamw[tuned@16]", "verdict"] == ""


def test_a_tuned_arm_is_one_technique_over_tasks(filled: Callable[[Iterable[RunRecord]], Store]) -> None:
    more = [
        run(stack, seed, score + seed / 100, task="imdb")
        for stack, score in ((stack_of("adamw", 0.1, None), 0.7), (stack_of("mixout", 0.7, 1.41, 16), 0.75))
        for seed in range(3)
    ]
    known = summarise(filled([*RUNS, *more]))
    (found,) = over_all_tasks(known.cells, known.runs, "adamw").values()
    assert [one.name for one in (*found.found, *found.others)] == ["mixout[tuned@16]"]
    assert dict(zip(known.techniques["technique"], known.techniques["tasks"], strict=True))["mixout[tuned@16]"] == 2
    (view,) = [one for one in Views(known, registered()).techniques() if one.name == "mixout[tuned@16]"]
    assert [(part.name, part.settings) for part in view.parts] == [("mixout", {})]
    assert view.family == "regularisation"


# ---- points, spaces, arms, budgets -----------------------------------------------------------------------------------


def test_points_are_means_over_the_seeds(summary: Summary) -> None:
    rows = summary.points[["technique", "settings", "factor", "default", "score", "failed", "judged"]]
    assert rows.to_numpy().tolist() == [
        ["adamw", "adamw", 1.0, True, 0.8, 0, 2],
        ["adamw", "adamw+scale_lr:factor=0.353", 0.353, False, 0.82, 0, 2],
        ["adamw", "adamw+scale_lr:factor=1.41", 1.41, False, 0.5, 2, 2],
        ["mixout", "mixout", 1.0, True, 0.7, 0, 2],
        ["mixout", "mixout:p=0.9+scale_lr:factor=0.353", 0.353, False, 0.84, 0, 2],
    ]
    assert set(summary.points["profile"]) == {"desk"}


@pytest.mark.parametrize("changes", [{"status": "crashed"}, {"status": "oom"}, None])
def test_a_point_with_a_lost_or_missing_trial_is_no_point(frame: Frame, changes: Change | None) -> None:
    lost = [] if changes is None else [run(stack_of("adamw", 0.1, 2.0), TRIAL_SEEDS[1], None, dev=True, **changes)]
    known = [run(stack_of("adamw", 0.1, 2.0), TRIAL_SEEDS[0], 0.9, dev=True), *lost]
    assert points(frame(known)).empty


def test_the_space_counts_all_its_trials(summary: Summary) -> None:
    table = spaces(summary.points)
    assert tuple(table) == SPACES
    adamw, mixout = table.to_dict("records")
    assert (adamw["points"], adamw["failed"], adamw["judged"]) == (3, 2, 6)
    assert adamw["failure_rate"] == pytest.approx(1 / 3)
    assert 0.09 < adamw["failure_low"] < 0.1
    assert 0.69 < adamw["failure_high"] < 0.71
    assert (mixout["passes"], mixout["seconds"]) == (4 * 240, 40.0)


def test_default_and_tuned_stand_side_by_side(summary: Summary) -> None:
    table = arms(summary.points, summary.cells, summary.runs)
    assert tuple(table) == ARMS
    shown = table[["technique", "settings", "dev", "mean", "judged"]].to_numpy().tolist()
    assert shown == [
        ["adamw", "adamw", pytest.approx(0.8), pytest.approx(0.76), 3],
        ["mixout", "mixout", pytest.approx(0.7), pytest.approx(0.73), 3],
        ["mixout[tuned@16]", "mixout:p=0.9+scale_lr:factor=0.353", pytest.approx(0.84), pytest.approx(0.81), 3],
    ]


def test_a_tuned_arm_without_its_trial_has_no_dev_score(filled: Callable[[Iterable[RunRecord]], Store]) -> None:
    other = run(stack_of("mixout", 0.7, 2.0, 8), 0, 0.8)
    known = summarise(filled([*RUNS, *TRIALS, other]))
    (row,) = [r for r in arms(known.points, known.cells, known.runs).to_dict("records") if "@8" in r["technique"]]
    assert row["settings"] == ""
    assert math.isnan(row["dev"])


def test_versions_of_a_technique_are_told_apart(filled: Callable[[Iterable[RunRecord]], Store]) -> None:
    known = summarise(filled([*RUNS, *TRIALS, run((TechniqueSpec("mixout", version="7"),), 0, 0.7)]))
    tuned = next(table for table in tables(known) if table.title.startswith("Default and tuned"))
    names = [row[0] for row in tuned.rows if row[0].startswith("mixout (")]
    assert len(set(names)) == 2


def test_the_budget_is_in_trainings_of_the_baseline(summary: Summary) -> None:
    table = budgets(summary.points)
    assert tuple(table) == BUDGETS
    known = dict(list(table.groupby("technique")))
    assert known["adamw"]["trainings"].tolist() == [1, 2, 3]
    assert known["mixout"]["trainings"].tolist() == [2, 4]
    assert known["mixout"]["best"].tolist() == pytest.approx([0.77, 0.84])
    assert known["adamw"]["best"].tolist() == pytest.approx([(0.8 + 0.82 + 0.5) / 3, (0.82 + 0.82 + 0.8) / 3, 0.82])


def test_the_section_has_both_tables_of_each_task(filled: Callable[[Iterable[RunRecord]], Store]) -> None:
    other = trial("adamw", 0.1, None, 0.6, task="imdb")
    text = section(summarise(filled([*RUNS, *TRIALS, *other])))
    assert text.startswith("## Tuning\n")
    titles = [line for line in text.splitlines() if line.startswith(("Default and", "The search"))]
    assert titles == [
        "The search: imdb (real, minilm, desk)",
        "Default and tuned: sst2 (real, minilm, desk)",
        "The search: sst2 (real, minilm, desk)",
    ]
    settings = "mixout:p=0.9+scale_lr:factor=0.353"
    assert rf"| mixout\[tuned@16\] | {settings} | 84.00 | 81.00 | 0.67 | 0/3 |" in text
    assert r"| adamw | 3 | 2/6 \[9.7, 70.0\] | 720 | 60 |" in text
