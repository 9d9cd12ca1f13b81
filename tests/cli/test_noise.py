"""`stabbench doctor --noise`, with processes of other kernels replaced by results that they might give."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from bench_lib.cli import main, noise
from bench_lib.cli.console import DONE, INFRASTRUCTURE, REGRESSION, USAGE
from bench_lib.core.record import RunRecord
from bench_lib.executors import Done, InlineExecutor
from bench_lib.instruments.provenance import lesser_kernels
from bench_lib.store import Store, repeats, verify
from bench_lib.validation import noise as measured
from bench_lib.validation.noise import HERE, Way

Written = pytest.CaptureFixture[str]
LESSER = Way("as a lesser processor", {"ATEN_CPU_CAPABILITY": "default"})
Alter = Callable[[RunRecord], RunRecord]


def shifted(record: RunRecord, by: float = 0.01) -> RunRecord:
    return dataclasses.replace(record, score=(record.score or 0.0) + by)


@dataclasses.dataclass
class Kernels:
    """An executor in this process whose results are those of other kernels."""

    environment: Mapping[str, str]
    here: list[Alter]
    lesser: Alter

    def run(self, function: Callable[[Any], Any], jobs: Iterable[Any]) -> Iterator[Done[Any, Any]]:
        alter = self.lesser if self.environment else self.here.pop(0)
        for done in InlineExecutor().run(function, jobs):
            assert done.result is not None
            records = [dataclasses.replace(alter(one), status="converged") for one in done.result]
            facts = lesser_kernels(self.environment)
            found = [dataclasses.replace(one, provenance={**one.provenance, **facts}) for one in records]
            yield dataclasses.replace(done, result=found)


@pytest.fixture
def kernels(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Alter]]:
    """Decides what the executions of this machine give, one after another, and what a lesser processor gives."""
    for name in ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(measured, "ways", lambda: [Way(HERE), LESSER])

    def give(here: list[Alter] | None = None, lesser: Alter = shifted) -> list[Alter]:
        left = here if here is not None else [lambda record: record] * 2
        monkeypatch.setattr(noise, "_executor", lambda options, way: Kernels(way.environment, left, lesser))
        return left

    return give


@pytest.fixture
def command(small: tuple[str, ...], tmp_path: Path) -> list[str]:
    return ["doctor", "--noise", *small, "--seeds", "0-1", "--store", str(tmp_path / "results")]


def test_repeats_are_kept_apart_and_their_noise_stands_beside_the_seeds(
    command: list[str], kernels: Callable[..., list[Alter]], tmp_path: Path, capsys: Written
) -> None:
    left = kernels()
    assert main(command) == DONE
    assert left == []
    lines = capsys.readouterr().out.splitlines()
    row = next(line.split() for line in lines if line.startswith("sst2  adamw"))
    assert row[:6] == ["sst2", "adamw", "smoke", "2", "2", "0.707"]
    assert lines[-3:] == [
        "as this machine computes: 4 results of 2 runs; equal to the bit",
        "as a lesser processor: 2 results of 2 runs; 2 differ from the stored ones, 2 in the score, by 1.000 points at "
        "most",
        "the largest noise of a cell is an SD of 0.707 points",
    ]
    store = Store(tmp_path / "results")
    assert len(store.ids()) == 2
    assert [len(found) for found in repeats(store).values()] == [2, 2]
    assert verify(store) == []
    assert main(command) == DONE  # no execution is left: everything is stored
    assert capsys.readouterr().out.splitlines()[-4:] == lines[-4:]


def test_where_all_is_equal_it_says_so(
    command: list[str], kernels: Callable[..., list[Alter]], capsys: Written
) -> None:
    kernels(lesser=lambda record: record)
    assert main(command) == DONE
    assert capsys.readouterr().out.splitlines()[-2:] == [
        "as a lesser processor: 2 results of 2 runs; equal to the bit to the stored ones",
        "no noise was found: equal to the bit on this kind of machine",
    ]


@pytest.mark.exhaustive
def test_a_machine_that_differs_from_itself_is_a_regression(
    command: list[str], kernels: Callable[..., list[Alter]], capsys: Written
) -> None:
    kernels([lambda record: record, lambda record: shifted(record, 0.02)], lambda record: record)
    assert main(command) == REGRESSION
    sentence = "as this machine computes: 4 results of 2 runs; not deterministic: results of one run differ in score"
    assert sentence in capsys.readouterr().out.splitlines()


@pytest.mark.exhaustive
def test_more_repeats_go_on_from_those_that_are_stored(
    command: list[str], kernels: Callable[..., list[Alter]], tmp_path: Path
) -> None:
    kernels()
    assert main(command) == DONE
    left = kernels([lambda record: record])
    assert main([*command, "--repeats", "3"]) == DONE
    assert left == []
    assert [len(found) for found in repeats(Store(tmp_path / "results")).values()] == [3, 3]


def test_runs_stored_by_another_machine_are_repeated_in_full(
    command: list[str], kernels: Callable[..., list[Alter]], tmp_path: Path, capsys: Written
) -> None:
    kernels([lambda record: dataclasses.replace(record, provenance={"cpu": "another"}), *[shifted] * 2])
    assert main(command) == DONE
    assert [len(found) for found in repeats(Store(tmp_path / "results")).values()] == [3, 3]
    assert (
        "as this machine computes: 4 results of 2 runs; equal to the bit; 2 differ from the stored ones, 2 in the "
        "score, by 1.000 points at most" in capsys.readouterr().out
    )


def test_lost_runs_are_not_repeated(
    command: list[str], monkeypatch: pytest.MonkeyPatch, kernels: Callable[..., list[Alter]], capsys: Written
) -> None:
    def dies(options: object, way: Way) -> InlineExecutor:
        return InlineExecutor()

    monkeypatch.setattr(noise, "_executor", dies)
    monkeypatch.setattr("bench_lib.runner.sweep.execute", lambda group: 1 / 0)
    assert main(command) == INFRASTRUCTURE
    assert "2 runs were lost" in capsys.readouterr().err


def test_everything_that_is_wrong_is_named_before_a_run(capsys: Written, tmp_path: Path) -> None:
    wrong = ["--tasks=nope", "--seeds=x", "--repeats=1", "--workers=0", f"--store={tmp_path / 'none'}"]
    assert main(["doctor", "--noise", *wrong]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in lines] == ["--repeats", "seed", "number", "unknown"]
    assert not (tmp_path / "none").exists()
    soup = ["--techniques=uniform_soup", "--seeds=0-4", "--model=tiny", "--profile=smoke", "--tasks=sst2"]
    assert main(["doctor", "--noise", *soup]) == USAGE
    assert "pools the weights of other runs, which repeats do not have" in capsys.readouterr().err


def test_its_options_go_with_noise_only(capsys: Written) -> None:
    assert main(["doctor", "--tasks", "sst2", "--time-limit", "3"]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert lines == ["stabbench: --tasks goes with --noise only", "stabbench: --time-limit goes with --noise only"]


def test_the_kernels_of_another_way_run_in_processes_with_its_environment() -> None:
    options = noise.argparse.Namespace(workers=1, time_limit=60.0)
    (done,) = noise._executor(options, LESSER).run(os.getenv, ["ATEN_CPU_CAPABILITY"])
    assert done.result == "default"
    assert "ATEN_CPU_CAPABILITY" not in os.environ
