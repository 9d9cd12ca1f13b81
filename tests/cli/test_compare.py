from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.compare import are_folders
from bench_lib.cli.console import DONE, REGRESSION, USAGE
from bench_lib.core.errors import BadValue
from bench_lib.store import Store

Written = pytest.CaptureFixture[str]


@pytest.fixture
def other(store: Path, tmp_path: Path) -> Path:
    """Another copy of the store."""
    return shutil.copytree(store, tmp_path / "other")


def change(store: Path, **changes: object) -> None:
    """Change the first run of adamw."""
    filled = Store(store)
    record = next(r for r in filled.records() if r.technique == "adamw")
    filled.append(record.changed({**changes, "predictions": filled.predictions(record.run_id)}))


def test_techniques_stand_side_by_side(capsys: Written, store: Path) -> None:
    assert main(["compare", "mixout", "adamw", "--store", str(store)]) == DONE
    written = capsys.readouterr()
    lines = written.out.splitlines()
    assert lines[0] == "embedded data, model tiny, profile smoke"
    assert [line.split()[:2] for line in lines[1:3]] == [["task", "technique"], ["sst2", "mixout"]]
    assert lines[3].split()[0] == "adamw"
    assert any(line.split()[:3] == ["sst2", "2", "0"] for line in lines)
    assert max(map(len, lines)) <= 101
    assert written.err == ""


def test_techniques_are_compared_as_json(capsys: Written, store: Path) -> None:
    assert main(["compare", "mixout", "adamw", "--store", str(store), "--json"]) == DONE
    (pair,) = json.loads(capsys.readouterr().out)
    assert (pair["task"], pair["shared"], pair["verdict"]) == ("sst2", 2, "underpowered")
    assert (pair["one"]["label"], pair["other"]["judged"]) == ("mixout", 2)


def test_equal_stores_are_said_to_be(capsys: Written, store: Path, other: Path) -> None:
    assert main(["compare", str(store), str(other)]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert "runs in both: 4; 4 equal, 0 different" in lines
    assert "only in A: nothing" in lines
    assert "only in B: nothing" in lines


def test_a_run_with_two_results_is_an_error(capsys: Written, store: Path, other: Path) -> None:
    change(other, score=0.123)
    assert main(["compare", str(store), str(other)]) == REGRESSION
    written = capsys.readouterr().out
    assert "runs in both: 4; 3 equal, 1 different" in written
    assert "scores differ by up to" in written
    (row,) = [line for line in written.splitlines() if line.startswith("sst2")]
    assert "12.30" in row
    assert row.endswith("score")
    assert main(["compare", str(store), str(other), "--json"]) == REGRESSION
    (found,) = json.loads(capsys.readouterr().out)["differing"]
    assert (found["fields"], found["scores"][1]) == (["score"], 0.123)


def test_what_only_one_store_holds_is_listed(capsys: Written, store: Path, other: Path) -> None:
    shutil.rmtree(next(store.glob("runs/task=sst2/technique=mixout")))
    next(store.glob("runs/task=sst2/technique=adamw/*.parquet")).unlink()
    assert main(["compare", str(store), str(other)]) == DONE
    written = capsys.readouterr().out
    assert "only in B: 3 runs; 1 cells are in B alone" in written
    assert "seeds 0-1: mixout" in written
    assert ", where A has other runs: adamw" in written


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["mixuot", "adamw"], "unknown technique 'mixuot': did you mean 'mixout'"),
        (["adamw", "adamw"], "adamw and adamw are the same runs"),
        (["./none", "adamw"], "store is './none'; allowed: a folder that exists"),
        (["STORE", "adamw"], "the other of two stores is 'adamw'; allowed: a folder that holds a store"),
        (["STORE", "./none"], "store is './none'; allowed: a folder that exists"),
    ],
)
def test_bad_input_is_answered(capsys: Written, store: Path, words: list[str], said: str) -> None:
    named = [str(store) if word == "STORE" else word for word in words]
    assert main(["compare", *named, "--store", str(store)]) == USAGE
    assert said in capsys.readouterr().err


def test_an_empty_store_is_not_compared(capsys: Written, store: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert main(["compare", str(store), str(tmp_path / "empty")]) == USAGE
    assert main(["compare", "mixout", "adamw", "--store", str(tmp_path / "empty")]) == USAGE
    assert "fill it with `stabbench run --store" in capsys.readouterr().err


def test_a_bare_name_is_a_folder_where_both_hold_stores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("adamw", "mixout"):
        (tmp_path / name / "runs").mkdir(parents=True)
    (tmp_path / "lion").mkdir()
    monkeypatch.chdir(tmp_path)
    assert are_folders("adamw", "mixout")
    assert not are_folders("adamw", "lion")
    assert not are_folders("sam", "mixout")
    assert are_folders("./lion", "mixout")
    with pytest.raises(BadValue):
        are_folders("./adamw", "lion")
