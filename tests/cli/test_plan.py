"""Plans on the command line: worked off, killed and begun again, and their status meanwhile and afterwards."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INCONCLUSIVE, INFRASTRUCTURE, USAGE
from bench_lib.core.record import RunRecord
from bench_lib.executors import InlineExecutor
from bench_lib.executors.base import Done, Failure
from bench_lib.store import Store

Written = pytest.CaptureFixture[str]

PLAN = """
title = "Two small sweeps"
model = "tiny"
profiles = ["smoke"]

[[sweep]]
name = "one task"
tasks = ["sst2"]
techniques = ["adamw", "ema"]
seeds = "0-1"

[[sweep]]
name = "two tasks"
tasks = ["sst2", "conll2003"]
techniques = ["adamw"]
seeds = "1-2"
"""
ORDER = [
    ("sst2", "adamw", 0),
    ("sst2", "ema", 0),
    ("sst2", "adamw", 1),
    ("sst2", "ema", 1),
    ("conll2003", "adamw", 1),
    ("sst2", "adamw", 2),
    ("conll2003", "adamw", 2),
]
LIMIT = 120.0
PROGRAM = "import sys; from bench_lib.cli import main; sys.exit(main())"


@pytest.fixture
def plan(tmp_path: Path) -> Path:
    path = tmp_path / "plan.toml"
    path.write_text(PLAN)
    return path


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """The records of a plan that nothing disturbed."""
    folder = tmp_path_factory.mktemp("whole")
    (folder / "plan.toml").write_text(PLAN)
    assert main(["run", str(folder / "plan.toml"), "--store", str(folder / "results")]) == DONE
    return Store(folder / "results").records()


@pytest.fixture
def status(plan: Path, tmp_path: Path, capsys: Written) -> Callable[[], Any]:
    """What `stabbench status --json` answers."""

    def asked() -> Any:
        capsys.readouterr()
        assert main(["status", str(plan), "--store", str(tmp_path / "results"), "--json"]) == DONE
        return json.loads(capsys.readouterr().out)

    return asked


def made(text: str) -> list[tuple[str, str, int]]:
    """The runs of which the lines of a sweep tell, in order."""
    words = [line.partition("] ")[2].split() for line in text.splitlines() if line.startswith("[")]
    return [(task, technique, int(seed.rstrip(":"))) for task, technique, _, seed, *_ in words]


def test_a_plan_is_worked_off_in_its_order_and_once(capsys: Written, plan: Path, tmp_path: Path) -> None:
    command = ["run", str(plan), "--store", str(tmp_path / "results")]
    assert main(command) == DONE
    out = capsys.readouterr().out
    assert made(out) == ORDER
    assert [line for line in out.splitlines() if line.endswith(":")] == ["one task:", "two tasks:"]
    assert main(command) == DONE
    assert made(capsys.readouterr().out) == []


def test_a_plan_stops_at_its_limits_over_all_sweeps_and_goes_on(capsys: Written, plan: Path, tmp_path: Path) -> None:
    command = ["run", str(plan), "--store", str(tmp_path / "results")]
    assert main([*command, "--max-runs", "5"]) == DONE
    written = capsys.readouterr()
    assert made(written.out) == ORDER[:5]
    assert written.err == "stabbench: stopped at a limit with 2 of 4 runs left; the same command goes on\n"
    plan.write_text(f"{PLAN}\n[limits]\nmax_runs = 1\n")
    assert main(command) == DONE
    assert made(capsys.readouterr().out) == ORDER[5:6]
    assert main([*command, "--max-runs", "2"]) == DONE  # in place of the plan's own
    assert made(capsys.readouterr().out) == ORDER[6:]


def test_a_limit_at_the_end_of_a_sweep_is_told(capsys: Written, plan: Path, tmp_path: Path) -> None:
    assert main(["run", str(plan), "--store", str(tmp_path / "results"), "--max-runs", "4"]) == DONE
    assert capsys.readouterr().err == "stabbench: stopped at a limit before two tasks; the same command goes on\n"


def test_parts_of_a_plan_are_run_alone(capsys: Written, plan: Path, tmp_path: Path) -> None:
    command = ["run", str(plan), "--store", str(tmp_path / "results"), "--part"]
    assert main([*command, "two tusks"]) == USAGE
    assert "unknown part 'two tusks': did you mean 'two tasks'" in capsys.readouterr().err
    assert main([*command, "two tasks"]) == DONE
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.endswith(":")] == ["two tasks:"]
    assert set(made(out)) == {run for run in ORDER if run[1:] in {("adamw", 1), ("adamw", 2)}}
    assert main(["run", "--part", "two tasks", "--store", str(tmp_path / "results")]) == USAGE
    assert capsys.readouterr().err == "stabbench: --part goes with a PLAN.toml only\n"


def test_options_that_a_plan_decides_are_refused_by_name(capsys: Written, plan: Path, tmp_path: Path) -> None:
    options = ["--tasks", "all", "--seeds", "0-4", "--per-class", "8", "--vary", "init", "--retry", "crahsed"]
    plan.write_text(PLAN.replace('"ema"', '"emma"'))
    assert main(["run", str(plan), "--store", str(tmp_path / "results"), *options]) == USAGE
    *decided, retry, technique = capsys.readouterr().err.splitlines()
    assert decided == [
        f"stabbench: {option} is decided by the plan {plan}; leave it out, or change the plan"
        for option in ("--tasks", "--seeds", "--vary", "--per-class")
    ]
    assert retry.startswith("stabbench: unknown status in --retry 'crahsed': did you mean 'crashed'")
    assert technique.startswith(f"stabbench: {plan}, sweep one task: unknown technique 'emma': did you mean 'ema'")
    assert not (tmp_path / "results").exists()


TUNED = """
title = "Tuned"
model = "tiny"
tasks = ["sst2"]
profiles = ["smoke"]

[[sweep]]
name = "tuned arms"
techniques = ["adamw[tuned@2]", "mixout[tuned@2]"]
seeds = "0"

[[tuning]]
name = "tuning"
techniques = ["adamw", "mixout"]
budget = 2
"""


def test_a_plan_tunes_before_it_runs_what_is_tuned(
    capsys: Written, plan: Path, tmp_path: Path, status: Callable[[], Any]
) -> None:
    plan.write_text(TUNED)
    command = ["run", str(plan), "--store", str(tmp_path / "results")]
    assert main([*command, "--max-runs", "3"]) == DONE
    assert "stopped at a limit with 5 of 8 runs left" in capsys.readouterr().err
    assert [(part["name"], part["done"], part["left"]) for part in status()["parts"]] == [("tuning", 3, 5)]
    assert status()["waiting"] == ["tuned arms"]
    assert main(["status", str(plan), "--store", str(tmp_path / "results")]) == DONE
    assert "\ntuned arms waits for a tuning, and counts once that is done\n" in capsys.readouterr().out

    assert main(command) == DONE
    assert [line for line in capsys.readouterr().out.splitlines() if line.endswith(":")] == ["tuning:", "tuned arms:"]
    records = Store(tmp_path / "results").records()
    assert {record.technique for record in records if record.seed == 0} == {"adamw[tuned@2]", "mixout[tuned@2]"}
    assert status()["waiting"] == []
    assert (status()["whole"]["done"], status()["whole"]["left"]) == (10, 0)


@pytest.mark.exhaustive
def test_what_waits_for_a_lost_trial_is_named_and_the_rest_goes_on(
    capsys: Written, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    later = '[[contrasts]]\nname = "later"\nbaseline = "adamw"\ntechniques = ["ema"]\nmax_seeds = 6\nalpha = 0.4\n'
    plan.write_text(f"{TUNED}\n{later}")
    run = InlineExecutor.run

    def losing(self: InlineExecutor, function: Any, jobs: Any) -> Iterator[Any]:
        for number, done in enumerate(run(self, function, jobs)):
            yield Done(done.job, None, Failure("died", "no memory")) if number == 0 else done

    monkeypatch.setattr(InlineExecutor, "run", losing)
    assert main(["run", str(plan), "--store", str(tmp_path / "results")]) >= INFRASTRUCTURE
    written = capsys.readouterr()
    assert "stabbench: tuned arms: adamw[tuned@2] on sst2: 1 of 4 trials under profile smoke are missing" in written.err
    assert "later:\n" in written.out


@pytest.mark.parametrize("command", ["run", "status"])
def test_a_plan_that_is_none_is_refused(capsys: Written, tmp_path: Path, command: str) -> None:
    os.mkfifo(tmp_path / "pipe")
    for name, why in (("none.toml", "allowed: a file that exists"), ("pipe", "allowed: a file that exists")):
        assert main([command, str(tmp_path / name)]) == USAGE
        assert why in capsys.readouterr().err


def test_other_data_may_be_given_beside_a_plan(capsys: Written, plan: Path, tmp_path: Path, data_folder: Path) -> None:
    command = ["run", str(plan), "--store", str(tmp_path / "results"), "--data", str(data_folder)]
    assert main([*command, "--max-runs", "1"]) == DONE
    assert {record.data_source for record in Store(tmp_path / "results").records()} == {"local"}
    assert main(["run", str(plan), "--data", str(tmp_path / "nowhere")]) == USAGE
    assert f"stabbench: {plan}: data source" in capsys.readouterr().err


@contextmanager
def running(plan: Path, store: str = "results") -> Iterator[subprocess.Popen[str]]:
    """A plan that is worked off in a process of its own; it is killed in the end."""
    command = [sys.executable, "-c", PROGRAM, "run", str(plan), "--store", store]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
    process = subprocess.Popen(command, cwd=plan.parent, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def until(process: subprocess.Popen[str], beginning: str) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        if line.startswith(beginning):
            return
    raise AssertionError(f"it ended early, with {process.wait(LIMIT)}")


@pytest.mark.exhaustive
def test_a_plan_that_is_killed_goes_on_and_says_how_far_it_is(
    capsys: Written, plan: Path, tmp_path: Path, status: Callable[[], Any], whole: list[RunRecord]
) -> None:
    with running(plan) as process:
        until(process, "[2/4")
        found = status()
        # One training may have begun and another ended since the line was written.
        assert 2 <= found["whole"]["done"] <= 4
        assert found["whole"]["seconds"] > 0
    assert status()["running"] == []
    assert main(["run", str(plan), "--store", str(tmp_path / "results")]) == DONE
    assert [r.result() for r in Store(tmp_path / "results").records()] == [r.result() for r in whole]
    found = status()
    assert [(part["name"], part["runs"], part["done"], part["left"]) for part in found["parts"]] == [
        ("one task", 4, 4, 0),
        ("two tasks", 4, 4, 0),
    ]
    assert (found["whole"]["runs"], found["seconds_left"]) == (7, 0)
    assert sum(found["whole"]["statuses"].values()) == 7
    assert found["runs_an_hour"] > 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_several_drivers_of_one_plan_train_each_run_once(
    plan: Path, tmp_path: Path, whole: list[RunRecord], kind: str, request: pytest.FixtureRequest
) -> None:
    place = request.getfixturevalue("bucket") if kind == "bucket" else tmp_path / "results"
    with running(plan, str(place)) as one, running(plan, str(place)) as other:
        said = [process.communicate(timeout=LIMIT)[0] for process in (one, other)]
        assert (one.returncode, other.returncode) == (DONE, DONE)
    # Each outcome says how many of a sweep's runs this driver made.
    assert (
        sum(
            int(count)
            for text in said
            for count in re.findall(r"^\d+ runs: .* stored,(?: .* meanwhile,)? (\d+) are new", text, re.M)
        )
        == 7
    )
    store = Store(place)
    assert [record.result() for record in store.records()] == [record.result() for record in whole]
    assert len(store.files("runs")) == 7
    assert not (place / "claims").exists()


def test_the_status_is_a_table_for_people(capsys: Written, plan: Path, tmp_path: Path) -> None:
    store = tmp_path / "results"
    assert main(["status", str(plan), "--store", str(store)]) == DONE
    assert capsys.readouterr().out.splitlines() == [
        "Two small sweeps",
        "",
        "           runs  done  left  not converged  a run  time left",
        "one task      4     0     4              -      -          -",
        "two tasks     4     0     4              -      -          -",
        "in all        7     0     7              -      -          -",
        "",
        "nothing runs",
        "no run has a date",
    ]
    assert not store.exists()
    assert main(["run", str(plan), "--store", str(store), "--max-runs", "1"]) == DONE
    capsys.readouterr()
    assert main(["status", str(plan), "--store", str(store)]) == DONE
    *_, head, one, _, _, _, runs, rate = capsys.readouterr().out.splitlines()
    assert head.split()[:3] == ["runs", "done", "left"]
    assert one.split()[:5] == ["one", "task", "4", "2", "2"]
    assert runs == "nothing runs"
    assert " runs an hour over the last 6 hours; " in rate


CONTRASTS = """
title = "Contrasts"
model = "tiny"
tasks = ["sst2"]
profiles = ["smoke"]

[[sweep]]
name = "baseline"
techniques = ["adamw"]
seeds = "0-1"

[[contrasts]]
name = "techniques"
baseline = "adamw"
techniques = ["mixout", "low_lr"]
max_seeds = 4
"""


def test_contrasts_follow_the_sweeps_and_share_the_limits(
    capsys: Written, plan: Path, tmp_path: Path, status: Callable[[], Any]
) -> None:
    plan.write_text(CONTRASTS)
    command = ["run", str(plan), "--store", str(tmp_path / "results")]
    assert main([*command, "--max-runs", "5"]) == INCONCLUSIVE
    out = capsys.readouterr().out
    assert [line for line in out.splitlines() if line.endswith(":")] == ["baseline:", "techniques:"]
    assert made(out)[:2] == [("sst2", "adamw", 0), ("sst2", "adamw", 1)]
    assert len(made(out)) == 5
    assert "the same command goes on" in out
    assert main(command) == INCONCLUSIVE
    last = capsys.readouterr().out
    assert sorted([*made(out), *made(last)]) == sorted(
        ("sst2", name, seed) for name in ("adamw", "mixout", "low_lr") for seed in range(4)
    )
    found = status()
    assert [(part["name"], part["runs"], part["done"]) for part in found["parts"]] == [
        ("baseline", 2, 2),
        ("techniques", 12, 12),
    ]


@pytest.mark.exhaustive
def test_lost_runs_of_contrasts_are_tried_again_before_they_go_on(
    capsys: Written, plan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan.write_text(CONTRASTS)
    store = Store(tmp_path / "results")
    command = ["run", str(plan), "--store", str(store.root)]
    assert main(command) == INCONCLUSIVE
    record = next(record for record in store.records() if record.technique == "mixout")
    store.append(dataclasses.replace(record, status="crashed", score=None, predictions=None))
    capsys.readouterr()
    assert main(command) == INFRASTRUCTURE
    assert made(capsys.readouterr().out) == []
    assert main([*command, "--retry", "crashed"]) == INCONCLUSIVE
    assert made(capsys.readouterr().out) == [("sst2", "mixout", record.seed)]
    assert {found.attempts for found in store.records() if found.run_id == record.run_id} == {2}
