from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, REGRESSION, USAGE
from bench_lib.report import render
from bench_lib.store import Store

Damage = Callable[[Path], Path]
Written = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def whole(filled: Path) -> render.Report:
    """The report of the store, built once."""
    return render.build_report(Store(filled))


@pytest.fixture
def built(whole: render.Report, monkeypatch: pytest.MonkeyPatch) -> render.Report:
    """The report that the command writes in place of building its own."""
    monkeypatch.setattr(render, "build_report", lambda *_: whole)
    return whole


@pytest.mark.usefixtures("built")
def test_a_report_names_the_files_that_it_wrote(capsys: Written, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    assert main(["report", "--store", str(store), "--out", str(out)]) == DONE
    written = capsys.readouterr()
    *names, last = written.out.splitlines()
    assert {path for path in out.iterdir() if path.is_file()} == {Path(name) for name in names}
    assert names[0] == str(out / "index.html")
    assert last.endswith(f": {len([path for path in out.rglob('*') if path.is_file()])} files in all")
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


def test_a_report_tells_of_damaged_files(
    capsys: Written, store: Path, tmp_path: Path, damage: Damage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(render, "planned", lambda _: [])
    name = damage(store).name
    assert main(["report", "--store", str(store), "--out", str(tmp_path / "reports")]) == DONE
    assert name in capsys.readouterr().err


@pytest.mark.usefixtures("built")
def test_a_report_is_held_against_what_stands(capsys: Written, store: Path, tmp_path: Path) -> None:
    command = ["report", "--store", str(store), "--out", str(tmp_path / "reports")]
    assert main([*command, "--check"]) == REGRESSION
    assert f"missing: {tmp_path / 'reports' / 'leaderboard.md'}" in capsys.readouterr().out
    assert main(command) == DONE
    assert main([*command, "--check"]) == DONE
    (tmp_path / "reports" / "leaderboard.csv").write_text("edited by hand")
    capsys.readouterr()
    assert main([*command, "--check"]) == REGRESSION
    told = capsys.readouterr().out
    assert told.splitlines()[0] == f"different: {tmp_path / 'reports' / 'leaderboard.csv'}"
    assert "renders it anew" in told


def test_the_data_of_a_plan_need_a_plan(capsys: Written, store: Path, tmp_path: Path) -> None:
    command = ["report", "--store", str(store), "--out", str(tmp_path / "out"), "--data", "hub"]
    assert main(command) == USAGE
    assert "--data goes with --plan only" in capsys.readouterr().err


def test_a_plan_that_is_not_there_is_refused(capsys: Written, store: Path, tmp_path: Path) -> None:
    command = ["report", "--store", str(store), "--out", str(tmp_path / "out"), "--plan", str(tmp_path / "none.toml")]
    assert main(command) == USAGE
    assert "a file that exists" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("built")
def test_what_a_plan_declares_reaches_the_report(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whole: render.Report
) -> None:
    given: list[object] = []

    def build(*arguments: object) -> render.Report:
        given.append(arguments[-1])
        return whole

    monkeypatch.setattr(render, "build_report", build)
    plan = tmp_path / "plan.toml"
    plan.write_text(
        'title = "One"\nmodel = "tiny"\n\n[[sweep]]\nname = "all"\ntasks = ["sst2"]\ntechniques = ["adamw"]\n'
        'profiles = ["smoke"]\nseeds = "0-3"\n'
    )
    command = ["report", "--store", str(store), "--out", str(tmp_path / "out"), "--plan", str(plan)]
    assert main(command) == DONE
    assert main([*command, "--check"]) == DONE
    assert [declared.title for declared in given] == ["One", "One"]
    assert [(part.name, part.runs) for part in given[0].parts] == [("all", 4)]
