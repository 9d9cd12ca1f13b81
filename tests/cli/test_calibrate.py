from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from bench_lib.cli import main
from bench_lib.cli.calibrate import FEWEST, RATIOS, SEVERAL
from bench_lib.cli.console import DONE, USAGE
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.report.analysis.calibration import HEAD
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.records import blank_record
from bench_lib.stats import calibration
from bench_lib.store import Store

Written = pytest.CaptureFixture[str]

BRIEF = ("check", "--calibrate", "--repetitions", "2", "--max-seeds", "10")
NULL_RATIOS = [*RATIOS, 1.0]


@pytest.fixture(autouse=True)
def _one_world(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calibration, "SCENARIOS", calibration.SCENARIOS[:1])


@pytest.fixture
def filled(data_folder: Path, tmp_path: Path) -> Callable[..., Path]:
    """A store of so many runs of each of some techniques, a few of which collapsed."""

    def fill(**runs: int) -> Path:
        store = Store(tmp_path / "results")
        for technique, count in runs.items():
            for spec in plan(Grid(("sst2",), (technique,), tuple(range(count)), "smoke", "tiny", str(data_folder))):
                store.append(_made(spec))
        return store.root

    return fill


def _made(spec: RunSpec) -> RunRecord:
    score = 0.8 + 0.01 * float(np.random.default_rng(spec.seed).normal())
    status = Status.COLLAPSED if spec.seed % 5 == 4 else Status.CONVERGED
    return dataclasses.replace(blank_record(spec, status, ""), score=score)


def rows(out: str) -> list[str]:
    legend, _, table = out.partition(HEAD[0])
    assert legend.startswith("claims: ")
    return table.splitlines()[1:]


def test_a_row_for_each_ratio_and_one_for_several_tasks(capsys: Written, tmp_path: Path) -> None:
    assert main([*BRIEF, "--store", str(tmp_path / "none")]) == DONE
    found = rows(capsys.readouterr().out)
    assert [line.split()[:3] for line in found] == [
        ["normal", tasks, f"{ratio:.1f}"] for tasks, ratio in zip("11114", NULL_RATIOS, strict=True)
    ]
    assert all(" [" in line and line.endswith("10.0") for line in found)
    assert [line.split()[-3] for line in found if line.split()[2] == "1.0"] == ["-", "-"]


def test_the_baselines_runs_are_a_world_of_their_own(capsys: Written, filled: Callable[..., Path]) -> None:
    store = filled(adamw=15, mixout=15, ema=FEWEST)
    assert main([*BRIEF, "--store", str(store)]) == DONE
    worlds = {line[:34].strip() for line in rows(capsys.readouterr().out)}
    assert worlds == {"normal", "sst2 smoke (15 runs)"}
    # Of ten runs of the other baseline two failed, and eight are too few to draw from.
    assert main([*BRIEF, "--store", str(store), "--baseline", "ema"]) == DONE
    assert {line[:34].strip() for line in rows(capsys.readouterr().out)} == {"normal"}


def test_json_alone_goes_to_the_standard_output(capsys: Written, filled: Callable[..., Path]) -> None:
    command = [*BRIEF, "--store", str(filled(adamw=15)), "--json", "--alpha", "0.1"]
    assert main(command) == DONE
    written = capsys.readouterr()

    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    found = json.loads(written.out, parse_constant=refuse)
    assert [(row["tasks"], row["ratio"]) for row in found["rows"]] == 2 * list(
        zip((1, 1, 1, 1, SEVERAL), NULL_RATIOS, strict=True)
    )
    assert {row["repetitions"] for row in found["rows"]} == {2}
    assert (found["design"]["alpha"], found["design"]["looks"]) == (0.1, [10])
    assert len(rows(written.err)) == len(found["rows"])
    assert main(command) == DONE
    assert capsys.readouterr().out == written.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--repetitions", "0"], "--repetitions is 0; allowed: 1 or more"),
        (["--max-seeds", "2"], "greatest number of seeds is 2"),
        (["--alpha", "1"], "alpha is 1.0"),
        (["--margin", "0.5"], "margin of the MAD ratio is 0.5"),
        (["--time-limit", "9"], "time limit of the executor inline is 9.0"),
    ],
)
def test_bad_input_is_refused_at_once(capsys: Written, tmp_path: Path, words: list[str], message: str) -> None:
    assert main([*BRIEF, "--store", str(tmp_path), *words]) == USAGE
    assert capsys.readouterr().err.startswith(f"stabbench: {message}")


def test_many_contrasts_have_a_calibration_of_their_own(capsys: Written, tmp_path: Path) -> None:
    command = [*BRIEF, "--many", "5x2", "--store", str(tmp_path / "none")]
    assert main(command) == DONE
    legend, _, table = capsys.readouterr().out.partition("scenario")
    assert legend.startswith("false alarms: ")
    rows = [line.split() for line in table.splitlines()[1:]]
    assert [row[1:3] for row in rows] == [["5x2", "1"], ["1x1", "3"], ["5x2", "1"], ["5x2", "1"]]
    assert [row[3:6] for row in rows[2:]] == [["1", "at", "2.0"], ["1", "at", "3.0"]]
    assert main([*command, "--json"]) == DONE
    found = json.loads(capsys.readouterr().out)
    assert [(row["techniques"], row["tasks"], row["stages"], row["different"]) for row in found] == [
        (5, 2, 1, 0),
        (1, 1, 3, 0),
        (5, 2, 1, 1),
        (5, 2, 1, 1),
    ]
    assert all(row["runs"] <= 1 for row in found)


@pytest.mark.parametrize("many", ["20", "20x", "0x4", "x", "20x4x2", "1000x1"])
def test_many_that_cannot_be_read_is_refused(capsys: Written, tmp_path: Path, many: str) -> None:
    assert main([*BRIEF, "--store", str(tmp_path), "--many", many]) == USAGE
    assert f"--many is {many!r}; allowed: numbers of techniques and tasks, such as 20x4" in capsys.readouterr().err
