"""Plans in a report: progress, and contrasts decided from the stored runs as `stabbench run PLAN.toml` decides them."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.comparison.contrasts import DecidedSweep, decide
from bench_lib.core.errors import BadPlan, Unavailable
from bench_lib.core.spec import canonical_json, digest
from bench_lib.plans.declared import NOT_STORED, declared_plan, on_stored_data
from bench_lib.plans.plan_file import read_plan
from bench_lib.report.analysis.declared import DeclaredPlan
from bench_lib.report.analysis.opening import progress
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.glossary import LOOKS
from bench_lib.runner import grid, resolved
from bench_lib.runner.limits import Limits
from bench_lib.stats import power
from bench_lib.stats.verdict import Stability
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.load import load_data
from tests.comparison.worlds import Told, spread
from tests.store.conftest import make_record, write_row

PLAN = """
title = "Two parts"
model = "tiny"
tasks = ["sst2"]
profiles = ["smoke"]
seeds = "5-8"

[[sweep]]
name = "the baseline"
techniques = ["adamw"]

[[contrasts]]
name = "two techniques"
baseline = "adamw"
techniques = ["mixout", "sam"]
first_seed = 5
max_seeds = 14

[[tuning]]
name = "tuned"
techniques = ["mixout"]

[[contrasts]]
name = "one tuned"
baseline = "adamw"
techniques = ["mixout[tuned]"]
"""


@pytest.fixture(autouse=True, scope="module")
def _fewer_trials() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(power, "spread_power", functools.partial(power.spread_power, trials=40))
        yield


def told(root: Path, path: Path, limits: Limits | None = None) -> tuple[DecidedSweep, DeclaredPlan, Summary]:
    """The contrasts of a plan as they were run, what the plan declares, and the summary of the store."""
    store, plan = Store(root), read_plan(path, None, str(root))
    sweep = decide(plan.contrasts["two techniques"], store, Told(spread(mixout=0.05)), limits=limits or Limits())
    declared = declared_plan(plan, store)
    return sweep, declared, summarise(store, plan=declared)


def test_the_contrasts_of_a_plan_are_decided_as_its_run_does(tmp_path: Path, written: Any) -> None:
    sweep, declared, summary = told(tmp_path / "store", written(PLAN))
    assert [family.name for family in declared.families] == ["two techniques"]
    assert [*declared.waiting] == ["one tuned"]
    (family,) = summary.families
    assert (family.name, family.contrasts, family.decided) == ("two techniques", 2, len(sweep.decided))
    cells = summary.cells.set_index("technique")
    for contrast, result in sweep.results.items():
        row = cells.loc[contrast.technique]
        assert (row["verdict"], row["shared"], row["basis"]) == (result.verdict.stability, result.verdict.seeds, LOOKS)
    table = progress(summary)
    assert table is not None
    rows = {row[0]: row[1:] for row in table.rows}
    assert [*rows] == ["the baseline", "tuned", "two techniques", "in all"]
    assert rows["the baseline"][:3] == ["4", "4", "0"]
    assert rows["two techniques"][0] == "42"
    assert rows["two techniques"][-1] == f"{len(sweep.decided)} of 2"


@pytest.mark.parametrize("runs", [None, 27])
def test_without_a_record_the_looks_that_stored_runs_allow_are_taken_and_not_recorded(
    tmp_path: Path, written: Any, runs: int | None
) -> None:
    path = written(PLAN)
    sweep, declared, _ = told(tmp_path / "store", path, Limits(runs=runs))
    for file in (tmp_path / "store" / "looks").iterdir():
        file.unlink()
    summary = summarise(Store(tmp_path / "store"), plan=declared)
    cells = summary.cells.set_index("technique")
    for contrast, result in sweep.results.items():
        row = cells.loc[contrast.technique]
        seeds = row["shared"] if row["basis"] == LOOKS else 0
        assert (row["verdict"] or "underpowered", seeds) == (result.verdict.stability, result.verdict.seeds)
    assert not [*(tmp_path / "store" / "looks").iterdir()]


def test_a_recommendation_takes_the_looks_of_a_plan_as_the_report_does(
    tmp_path: Path, written: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    path = written(PLAN)
    sweep, _, _ = told(tmp_path / "store", path)
    for file in (tmp_path / "store" / "looks").iterdir():
        file.unlink()
    command = ["recommend", "--task-like", "sst2", "--store", str(tmp_path / "store"), "--json"]
    assert sweep.decided
    assert main(command) == DONE
    alone = capsys.readouterr().out
    assert main([*command, "--plan", str(path)]) == DONE
    (found,) = json.loads(capsys.readouterr().out)
    assert found != json.loads(alone)[0]
    conclusions = {one["technique"]: one["proven"] for one in found["found"]}
    for contrast, result in sweep.results.items():
        steadier = result.verdict.stability is Stability.MORE
        assert any("more stable" in line for line in conclusions[contrast.technique]) == steadier


def test_a_plan_of_which_nothing_is_stored_decides_nothing(tmp_path: Path, written: Any) -> None:
    path = written(PLAN)
    told(tmp_path / "store", path)
    other = written(PLAN.replace("first_seed = 5", "first_seed = 40"))
    store = Store(tmp_path / "store")
    declared = declared_plan(read_plan(other, None, str(store.root)), store)
    first, second = summarise(store, plan=declared).families
    assert (first.name, first.decided, first.measures) == ("two techniques", 0, {})
    assert second.name == ""  # the recorded looks still count


def test_the_stored_runs_say_which_data_a_plan_is_on(
    tmp_path: Path, written: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(tmp_path / "store", written(PLAN))
    store = Store(tmp_path / "store")
    pooled = '[[sweep]]\nname = "pooled"\ntechniques = ["greedy_soup", "ensemble"]\nseeds = "5-9"\n'
    plan = read_plan(written(PLAN + pooled), None, str(store.root))
    unstored = '[[sweep]]\nname = "another task"\ntasks = ["imdb"]\ntechniques = ["adamw"]\nseeds = "0-1"\n'
    more = read_plan(written(PLAN + pooled + unstored), None, str(store.root))
    expected, expected_more = declared_plan(plan, store), declared_plan(more, store)
    known = dict(on_stored_data(plan, store).sweeps["pooled"].fingerprints)
    assert known["sst2"] == load_data(TASKS.get("sst2"), "embedded").fingerprint

    def unread(*arguments: object) -> None:
        raise Unavailable("the data are out of reach")

    monkeypatch.setattr(grid, "data_facts", unread)
    with pytest.raises(BadPlan, match="out of reach"):
        declared_plan(plan, store)
    monkeypatch.setattr(resolved, "load_data", unread)
    assert declared_plan(on_stored_data(plan, store), store) == expected
    assert declared_plan(on_stored_data(more, store), store) == expected_more


def test_data_that_stored_runs_differ_in_are_not_known(tmp_path: Path, written: Any) -> None:
    store = Store(tmp_path / "store")
    for seed, (task, data) in enumerate((("sst2", "a"), ("imdb", "a"), ("imdb", "b"), ("squad", None), ("sst2", None))):
        spec = {"task": task, "seed": seed, **({"data": data} if data else {})}
        record = make_record(seed, task=task, run_id=digest(spec), spec=canonical_json(spec))
        write_row(store, record)
    plan = on_stored_data(read_plan(written(PLAN), None, str(store.root)), store)
    known = dict(plan.contrasts["two techniques"].fingerprints)
    assert (known["sst2"], "imdb" in known) == ("a", False)
    assert (known["squad"], known["rte"]) == (NOT_STORED, NOT_STORED)
