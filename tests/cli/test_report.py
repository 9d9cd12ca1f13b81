from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.outcome import DONE, USAGE

Damage = Callable[[Path], Path]
Written = pytest.CaptureFixture[str]


def test_a_report_names_the_files_that_it_wrote(capsys: Written, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    assert main(["report", "--store", str(store), "--out", str(out)]) == DONE
    written = capsys.readouterr()
    paths = [Path(line) for line in written.out.splitlines()]
    assert {path for path in out.rglob("*") if path.is_file()} == set(paths)
    assert {out / "leaderboard.md", out / "leaderboard.csv"} < set(paths)
    assert "mixout" in (out / "leaderboard.md").read_text()
    assert written.err == ""


def test_there_is_no_report_of_nothing(capsys: Written, tmp_path: Path) -> None:
    assert main(["report", "--store", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == USAGE
    assert "fill it with `stabbench run --store" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_baseline_is_answered_with_the_nearest(capsys: Written, store: Path, tmp_path: Path) -> None:
    command = ["report", "--store", str(store), "--out", str(tmp_path / "out"), "--baseline", "mixuot"]
    assert main(command) == USAGE
    assert "unknown baseline technique 'mixuot': did you mean 'mixout'?" in capsys.readouterr().err


def test_a_report_tells_of_damaged_files(capsys: Written, store: Path, tmp_path: Path, damage: Damage) -> None:
    name = damage(store).name
    assert main(["report", "--store", str(store), "--out", str(tmp_path / "reports")]) == DONE
    assert name in capsys.readouterr().err
