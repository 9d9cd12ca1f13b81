"""`stabbench run --until-decided`, with made-up scores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.cli import main
from bench_lib.cli import run as command
from bench_lib.cli.console import DONE, INCONCLUSIVE, INFRASTRUCTURE, USAGE
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Done
from bench_lib.runner.records import blank_record
from bench_lib.stats import power
from bench_lib.store import Store

Written = pytest.CaptureFixture[str]
Run = Callable[..., int]
WIDTHS = {"mixout": 0.1, "r_drop": 9.0}


class Told:
    """An executor that makes records up: scores of a technique's width, or a status by technique."""

    def __init__(self, statuses: dict[str, Status]) -> None:
        self.statuses = statuses

    def run(self, _: object, jobs: Sequence[tuple[RunSpec, ...]]) -> Iterator[Done[Any, Any]]:
        for job in jobs:
            yield Done(job, [self.made(spec) for spec in job])

    def made(self, spec: RunSpec) -> RunRecord:
        name = spec.technique()
        status = self.statuses.get(name, Status.CONVERGED)
        draws = np.random.default_rng([spec.seed, *map(ord, name + spec.task)])
        score = 0.8 + 0.01 * WIDTHS.get(name, 1.0) * float(draws.normal())
        record = blank_record(spec, status, "" if status is Status.CONVERGED else f"{name} is {status}")
        return record.changed({"score": score}) if status is Status.CONVERGED else record


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """The command on the tiny model with made-up scores."""
    monkeypatch.setattr(power, "spread_power", functools.partial(power.spread_power, trials=40))

    def run(*words: str, **statuses: Status) -> int:
        monkeypatch.setattr(command, "chosen_executor", lambda options: Told(statuses))
        setting = ["--until-decided", "--profile", "smoke", "--model", "tiny", "--tasks", "sst2"]
        return main(["run", *setting, "--store", str(tmp_path / "results"), *words])

    return run


def table(out: str) -> list[list[str]]:
    """The rows of the table: its words."""
    lines = out.splitlines()
    (head,) = (place for place, line in enumerate(lines) if line.startswith("technique  "))
    return [line.split() for line in lines[head + 1 : lines.index("", head)]]


def test_a_line_for_each_contrast_and_nothing_to_do_where_all_is_decided(run: Run, capsys: Written) -> None:
    assert run("--techniques", "mixout,r_drop", "--max-seeds", "30") == DONE
    out = capsys.readouterr().out
    assert [row[:4] for row in table(out)] == [["mixout", "sst2", "smoke", "more"], ["r_drop", "sst2", "smoke", "less"]]
    assert "2 of 2 contrasts with adamw are decided" in out.splitlines()[-1]
    assert out.splitlines()[-1].endswith("every contrast is decided")


def test_what_is_open_says_what_it_needs(run: Run, capsys: Written) -> None:
    assert run("--techniques", "mixout,ema", "--max-seeds", "14") == INCONCLUSIVE
    out = capsys.readouterr().out
    decided, open_row = table(out)
    assert decided[-1] in "-—"
    assert open_row[3] == "open"
    assert float(open_row[-1]) > 0
    assert "1 of 2 contrasts" in out
    assert "--max-seeds " in out.splitlines()[-1]


def test_the_baseline_among_the_techniques_is_left_out(run: Run, capsys: Written) -> None:
    assert run("--techniques", "adamw,mixout", "--max-seeds", "30") == DONE
    assert [row[0] for row in table(capsys.readouterr().out)] == ["mixout"]
    assert run("--techniques", "adamw", "--max-seeds", "30") == USAGE
    assert "--techniques names nothing to compare with the baseline adamw" in capsys.readouterr().err
    assert run("--techniques", "adamw,mixout", "--baseline", "mixout", "--max-seeds", "30") == DONE


def test_several_profiles_and_all_techniques_can_be_asked_for(run: Run, capsys: Written, tmp_path: Path) -> None:
    words = ("--techniques", "mixout", "--profile", "smoke, smoke:epochs=2", "--max-seeds", "12")
    assert run(*words) in (DONE, INCONCLUSIVE)
    assert {row[2] for row in table(capsys.readouterr().out)} == {"smoke", "smoke:epochs=2"}
    assert {record.profile for record in Store(tmp_path / "results").records()} == {"smoke", "smoke:epochs=2"}


def test_a_limit_stops_it_and_the_same_command_goes_on(run: Run, capsys: Written) -> None:
    words = ("--techniques", "mixout,r_drop", "--max-seeds", "30", "--max-runs", "9")
    codes = [run(*words) for _ in range(6)]
    outs = capsys.readouterr().out
    assert codes[0] == INCONCLUSIVE
    assert DONE in codes
    assert "the same command goes on" in outs
    assert "the limit of runs or hours is reached" in outs


def test_what_was_declined_or_lost_is_said(run: Run, capsys: Written) -> None:
    code = run("--techniques", "mixout,ema", "--max-seeds", "10", mixout=Status.UNSUPPORTED, ema=Status.CRASHED)
    out = capsys.readouterr().out
    assert code == INFRASTRUCTURE
    assert "declined: mixout on sst2: mixout is unsupported" in out
    assert "10 runs of open contrasts were lost to infrastructure" in out
    assert table(out)[0][3] == "declined"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--seeds", "0-4"], "--seeds does not go with --until-decided: it begins with seed 0"),
        (["--vary", "init"], "--vary does not go with --until-decided"),
        (["--freeze", "none"], "--freeze does not go with --until-decided"),
        (["--retry", "crashed"], "--retry does not go with --until-decided"),
        (["--per-class", "8,16"], "--per-class does not go with --until-decided: several budgets"),
        (["plan.toml"], "a plan does not go with --until-decided"),
        (["--max-runs", "0"], "--max-runs is 0"),
        (["--max-hours", "-1"], "--max-hours is -1.0"),
        (["--max-seeds", "2"], "greatest number of seeds is 2"),
        (["--alpha", "0.7"], "alpha is 0.7"),
        (["--margin", "1"], "margin of the MAD ratio is 1.0"),
        (["--tasks", "sts2"], "unknown task 'sts2'"),
        (["--tasks", "sst2,sst2"], "tasks is ('sst2', 'sst2'); allowed: at least one, each once"),
        (["--techniques", "mixuot"], "unknown technique 'mixuot': did you mean 'mixout'"),
        (["--techniques", "ensemble"], "ensemble pools several seeds"),
        (["--baseline", "adamv"], "unknown technique 'adamv'"),
        (["--profile", "smoke,smok"], "unknown profile 'smok'"),
    ],
)
def test_bad_input_is_answered_before_anything_is_trained(
    run: Run, capsys: Written, tmp_path: Path, words: list[str], message: str
) -> None:
    usual = [] if "--techniques" in words else ["--techniques", "mixout"]
    assert run(*usual, *words) == USAGE
    written = capsys.readouterr()
    assert message in written.err
    assert written.out == ""
    assert not (tmp_path / "results").exists()


def test_all_that_is_wrong_is_named_at_once(run: Run, capsys: Written) -> None:
    assert run("--techniques", "mixuot", "--vary", "init", "--max-runs", "0", "--tasks", "sts2") == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 4


@pytest.mark.parametrize(
    "words", [["--baseline", "adamw"], ["--alpha", "0.1"], ["--max-seeds", "9"], ["--margin", "3"]]
)
def test_its_options_are_refused_without_it(capsys: Written, tmp_path: Path, words: list[str]) -> None:
    assert main(["run", "--store", str(tmp_path / "results"), *words]) == USAGE
    assert f"{words[0]} goes with --until-decided only" in capsys.readouterr().err
