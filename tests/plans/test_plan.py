from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadPlan
from bench_lib.core.record import Status
from bench_lib.plans.plan_file import read_plan
from bench_lib.runner.grid import all_tasks, plan
from bench_lib.runner.records import blank_record
from bench_lib.runner.tuning import plan_tuning
from bench_lib.store import Store

REFERENCE = Path(__file__).parents[2] / "results" / "plan.toml"

SWEEPS = """
title = "A plan"
model = "tiny"
profiles = ["smoke"]
tasks = ["sst2"]

[[sweep]]
name = "baseline"
techniques = ["adamw", "early_stopping"]
seeds = "0-2,7"

[[sweep]]
name = "streams"
tasks = ["conll2003"]
techniques = ["adamw"]
profiles = ["smoke", "smoke-stress"]
seeds = "3-4"
freeze = "order=1"

[[contrasts]]
name = "techniques"
techniques = ["mixout", "llrd+reinit"]
baseline = "adamw"
first_seed = 3
max_seeds = 20
"""


def test_the_runs_of_a_sweep_are_those_of_its_grid_seed_by_seed_over_all_profiles(written: Any, tmp_path: Path) -> None:
    found = read_plan(written(SWEEPS))
    store = Store(tmp_path / "results")
    runs = found.runs(store)
    sweeps = {name: plan(grid) for name, grid in found.sweeps.items()}
    assert found.checked_runs(store) == sweeps
    assert {name: runs[name] for name in sweeps} == sweeps
    assert {(run.technique(), run.seed) for run in runs["techniques"]} == {
        (technique, seed) for technique in ("adamw", "mixout", "llrd+reinit") for seed in range(3, 23)
    }
    assert [(run.seed, run.profile_name) for run in runs["streams"]] == [
        (3, "smoke"),
        (3, "smoke-stress"),
        (4, "smoke"),
        (4, "smoke-stress"),
    ]


SOUP = """
title = "A soup"
model = "tiny"
tasks = ["sst2"]
profiles = ["smoke"]
seeds = "0-1"

[[sweep]]
name = "members"
techniques = ["adamw"]

[[sweep]]
name = "soup"
techniques = ["greedy_soup:members=2"]
"""


def test_weights_that_nothing_keeps_are_found_before_the_first_run(written: Any, tmp_path: Path) -> None:
    store, found = Store(tmp_path / "results"), read_plan(written(SOUP))
    with pytest.raises(BadPlan, match=r", soup: a seed ensemble needs the weights of sst2 adamw seed 0, which an earl"):
        found.checked_runs(store)
    for spec in found.runs(store)["members"]:
        store.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=0.5))
    with pytest.raises(BadPlan, match=r", soup: greedy_soup:members=2 needs the weights .* were stored without"):
        found.checked_runs(store)
    members, soup = '["adamw"]', '["greedy_soup:members=2"]'
    together = SOUP.replace(soup, members).replace(members, '["adamw", "greedy_soup:members=2"]', 1)
    assert len(read_plan(written(together)).checked_runs(Store(tmp_path / "other"))["members"]) == 3


TUNED = """
title = "Tuned"
model = "tiny"
tasks = ["sst2"]
profiles = ["smoke"]
techniques = ["adamw", "mixout"]
seeds = "0-1"

[[sweep]]
name = "at their defaults"

[[sweep]]
name = "baseline, tuned"
techniques = ["adamw[tuned@2]"]

[[tuning]]
name = "tuning"
budget = 2

[[contrasts]]
name = "tuned"
baseline = "adamw[tuned@2]"
techniques = ["mixout[tuned@2]"]
"""


def test_what_a_tuning_has_to_choose_first_waits_for_it(written: Any, tmp_path: Path) -> None:
    store, path = Store(tmp_path / "results"), written(TUNED)
    found = read_plan(path, tuned_from=str(store.root))
    assert found.waiting == ("baseline, tuned", "tuned")
    assert [*found.checked_runs(store)] == ["at their defaults"]
    runs = found.runs(store)
    assert [*runs] == ["at their defaults", "tuning"]
    assert runs["tuning"] == [*plan_tuning(found.tunings["tuning"].grid, 2).trials]
    assert {run.technique() for run in runs["tuning"]} > {"adamw", "mixout"}
    for number, spec in enumerate(runs["tuning"]):
        store.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=number / 100))
    runs = found.runs(store)
    assert [*runs] == ["at their defaults", "baseline, tuned", "tuning", "tuned"]
    assert {run.technique() for run in runs["tuned"]} == {"adamw[tuned@2]", "mixout[tuned@2]"}


def test_a_tuned_arm_that_the_plan_does_not_tune_needs_its_trials_at_once(written: Any, tmp_path: Path) -> None:
    other = TUNED.replace("budget = 2", "budget = 3")
    found = read_plan(written(other), tuned_from=str(tmp_path / "results"))
    assert found.waiting == ()
    with pytest.raises(BadPlan, match=r"baseline, tuned: adamw\[tuned@2\] on sst2: 4 of 4 trials .* are missing"):
        found.checked_runs(Store(tmp_path / "results"))


def test_the_plan_of_the_reference_results_can_be_planned(tmp_path: Path) -> None:
    # There is no embedded corpus for trec.
    found = read_plan(REFERENCE, "embedded", str(tmp_path / "results")).on_data({"trec": "not read"})
    runs = found.runs(Store(tmp_path / "results"))
    trained = {name: {(r.task, r.seed) for r in specs if r.technique() == "adamw"} for name, specs in runs.items()}
    assert set().union(*trained.values()) >= {(task, seed) for task in all_tasks("embedded") for seed in range(30)}
    baselines = [contrasts.baseline for contrasts in found.contrasts.values()]
    assert baselines == [*["adamw"] * 7, "adamw[tuned@4]", "adamw[tuned]"]
    assert found.waiting == tuple(name for name in found.contrasts if "tuned" in name)


TWO_TUNINGS = (
    TUNED
    + """
[[tuning]]
name = "a larger one"
techniques = ["adamw", "mixout"]
budget = 3

[[sweep]]
name = "tuned by more"
techniques = ["mixout[tuned@3]"]

[[contrasts]]
name = "by both"
baseline = "adamw[tuned@2]"
techniques = ["mixout[tuned@3]"]
"""
)


def test_a_part_waits_for_its_own_tunings_alone(written: Any, tmp_path: Path) -> None:
    store, path = Store(tmp_path / "results"), written(TWO_TUNINGS)
    found = read_plan(path, tuned_from=str(store.root))
    assert found.waits == {
        "baseline, tuned": ("tuning",),
        "tuned by more": ("a larger one",),
        "tuned": ("tuning",),
        "by both": ("tuning", "a larger one"),
    }
    assert found.blocked(store) == {*found.waits}
    small, large = found.runs(store)["tuning"], found.runs(store)["a larger one"]
    for spec in small:
        store.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=0.5))
    assert found.blocked(store) == {"tuned by more", "by both"}
    assert [*found.runs(store)] == ["at their defaults", "baseline, tuned", "tuning", "a larger one", "tuned"]
    # Planned before the first run, with the sweeps that wait for nothing.
    assert [*found.checked_runs(store)] == ["at their defaults", "baseline, tuned"]
    for spec in large:
        store.append(dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=0.5))
    assert found.blocked(store) == frozenset()
    assert [*found.checked_runs(store)] == ["at their defaults", "baseline, tuned", "tuned by more"]


def test_the_cells_of_a_plan_have_its_runs(written: Any, tmp_path: Path) -> None:
    store, found = Store(tmp_path / "results"), read_plan(written(SWEEPS))
    runs, cells = found.runs(store), found.cells(store)
    assert [*cells] == [*runs]
    for name, own in cells.items():
        ids = sorted(run_id for cell in own for run_id in cell.spec.run_ids(cell.seeds))
        assert ids == sorted(spec.run_id() for spec in runs[name])
