from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE
from bench_lib.core.seeds import TRIAL_SEEDS
from bench_lib.executors import InlineExecutor
from bench_lib.executors.base import Done, Failure
from bench_lib.store import Store

Small = tuple[str, ...]
Written = pytest.CaptureFixture[str]


def test_tuning_then_running_what_it_says(capsys: Written, tmp_path: Path, small: Small) -> None:
    store = tmp_path / "results"
    words = ["tune", *small, "--techniques", "adamw,mixout", "--budget", "3", "--store", str(store)]
    assert main(words) == DONE
    first, running, *lines = capsys.readouterr().out.splitlines()
    assert first == "12 runs: 0 stored, 12 to do"
    assert running == f"running sst2 adamw seed {TRIAL_SEEDS[0]}"
    head, *rows, command = lines[12:]
    assert head.split()[:4] == ["task", "technique", "points", "best"]
    assert [row.split()[:3] for row in rows] == [["sst2", "adamw", "3"], ["sst2", "mixout", "3"]]
    assert {record.profile for record in Store(store).records()} == {"smoke:scored_on=dev"}

    assert command.startswith("on fresh seeds: stabbench run --tasks sst2 --techniques ")
    run = shlex.split(command.partition(": stabbench ")[2])
    run[run.index("--seeds") + 1] = "0"
    assert main(run) == DONE
    names = ["adamw", "adamw[tuned@3]", "mixout", "mixout[tuned@3]"]
    assert sorted(record.technique for record in Store(store).records() if record.seed == 0) == names

    assert main(words) == DONE
    again = capsys.readouterr().out
    assert "12 runs: 12 stored, 0 to do" in again
    assert "\n".join([head, *rows]) in again


@pytest.mark.exhaustive
def test_a_tuning_that_is_stopped_goes_on_and_ends_alike(
    capsys: Written, tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["tune", *small, "--techniques", "adamw,ema,mixout", "--budget", "2", "--store"]
    run = InlineExecutor.run

    def stopped(self: InlineExecutor, function: Any, jobs: Any) -> Iterator[Any]:
        for number, done in enumerate(run(self, function, jobs)):
            if number == 2:
                raise KeyboardInterrupt
            yield done

    assert main([*words, str(tmp_path / "whole")]) == DONE
    whole = capsys.readouterr().out.splitlines()[-5:-1]
    for code in (130, DONE):
        with monkeypatch.context() as patch:
            if code != DONE:
                patch.setattr(InlineExecutor, "run", stopped)
            assert main([*words, str(tmp_path / "cut")]) == code
    lines = capsys.readouterr().out.splitlines()
    assert "12 runs: 4 stored, 8 to do" in lines
    assert [line.split()[:-1] for line in lines[-5:-1]] == [line.split()[:-1] for line in whole], "all but the seconds"
    both = [Store(tmp_path / name).records() for name in ("whole", "cut")]
    assert [record.result() for record in both[0]] == [record.result() for record in both[1]]


def test_one_that_declines_is_told_and_not_run(capsys: Written, tmp_path: Path) -> None:
    options = ["--profile", "smoke", "--model", "tiny", "--tasks", "conll2003", "--techniques", "lm_bff"]
    assert main(["tune", *options, "--store", str(tmp_path)]) == USAGE
    assert "stabbench: lm_bff is not tuned on conll2003: lm_bff declines" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--techniques", "mixuot"], "unknown technique 'mixuot': did you mean 'mixout'"),
        (["--techniques", "ensemble"], "ensemble is not tuned: it pools runs of 5 seeds, and a trial has 2"),
        (
            ["--techniques", "adamw[tuned]"],
            "technique to tune is 'adamw[tuned]'; allowed: a technique or stack, without",
        ),
        (["--budget", "0"], "budget of a tuning is 0; allowed: 1 to 1,024"),
        (["--profile", "smoke:scored_on=dev"], "profile is 'smoke:scored_on=dev'; allowed: one without scored_on"),
        (["--executor", "remote"], "unknown executor 'remote'"),
    ],
)
def test_what_cannot_be_tuned_is_refused(
    capsys: Written, tmp_path: Path, small: Small, arguments: list[str], message: str
) -> None:
    assert main(["tune", *small, *arguments, "--store", str(tmp_path / "results")]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "results").exists()


def test_trials_that_are_lost_are_said_to_be(
    capsys: Written, tmp_path: Path, small: Small, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(self: InlineExecutor, function: Any, jobs: Any) -> Iterator[Any]:
        for job in jobs:
            yield Done(job, None, Failure("died", "the power went"))

    monkeypatch.setattr(InlineExecutor, "run", lose)
    assert main(["tune", *small, "--budget", "2", "--store", str(tmp_path)]) == INFRASTRUCTURE
    assert "stabbench: 4 trials were lost; the same command tries them again" in capsys.readouterr().err


def test_a_tuned_arm_without_trials_names_the_command(capsys: Written, tmp_path: Path, small: Small) -> None:
    assert main(["run", *small, "--techniques", "mixout[tuned]", "--store", str(tmp_path)]) == USAGE
    told = capsys.readouterr().err
    assert "mixout[tuned@16] on sst2: 32 of 32 trials under profile smoke are missing" in told
    words = "--techniques mixout --tasks sst2 --profile smoke --model tiny --data embedded --budget 16"
    assert f"stabbench tune {words} --store {tmp_path} runs them" in told


def test_a_check_on_the_dev_set_is_no_verdict(capsys: Written, tmp_path: Path, small: Small) -> None:
    options = [*small, "--profile", "smoke:scored_on=dev", "--store", str(tmp_path)]
    assert main(["check", "mixout", *options]) == USAGE
    assert (
        "--profile is 'smoke:scored_on=dev'; allowed: one that is scored on the evaluation set"
        in capsys.readouterr().err
    )
