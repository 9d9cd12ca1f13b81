from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE

Written = pytest.CaptureFixture[str]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    draws = np.random.default_rng(0)
    paths = tmp_path / "steady.csv", tmp_path / "wild.csv"
    for path, spread in zip(paths, (0.01, 0.05), strict=True):
        rows = [f"{seed},{score:.4f}" for seed, score in enumerate(0.7 + spread * draws.normal(size=25))]
        path.write_text("\n".join(["seed,f1", *rows]))
    return str(paths[0]), str(paths[1])


def test_two_files_get_a_verdict(capsys: Written, files: tuple[str, str]) -> None:
    assert main(["compare", *files]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert "score from column f1, fraction, higher is better; seed" in lines[0]
    assert lines[-1] == "steady against wild: all runs: more stable (spread), scores undecided"
    assert "all runs: paired by 25 shared seeds" in lines


def test_the_verdict_is_there_as_json(capsys: Written, files: tuple[str, str]) -> None:
    assert main(["compare", *files, "--json", "--unpaired", "--constant-baseline", "0.7"]) == DONE
    found = json.loads(capsys.readouterr().out)
    (task,) = found["tasks"]
    assert (found["technique"], task["paired"], task["technique_runs"]) == ("steady", False, 25)
    assert task["baseline_failed"] > 5
    assert len(found["read"]) == 2


def test_two_techniques_of_a_file_get_one_too(capsys: Written, files: tuple[str, str], tmp_path: Path) -> None:
    texts = [Path(path).read_text().splitlines()[1:] for path in files]
    rows = [f"{arm},{row}" for arm, text in zip(("x", "y"), texts, strict=True) for row in text]
    path = tmp_path / "all.tsv"
    path.write_text("\n".join(["arm,seed,f1", *rows]).replace(",", "\t"))
    assert main(["compare", "x", "y", "--scores", str(path)]) == DONE
    assert "x against y: all runs: more stable (spread)" in capsys.readouterr().out


def test_a_workbook_is_no_name_of_a_technique(capsys: Written, tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        (tmp_path / name).write_bytes(b"PK")
    assert main(["compare", str(tmp_path / "a.xlsx"), str(tmp_path / "b.xlsx")]) == USAGE
    assert "a workbook is first saved as CSV" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["A", "adamw"], "the other of two files of scores is 'adamw'"),
        (["A", "none.csv"], "file of scores is 'none.csv'; allowed: a file that exists"),
        (["x", "y", "--scores", "none.csv"], "--scores is 'none.csv'"),
        (["A", "B", "--columns", "score=f2"], "unknown column for the score 'f2': did you mean 'f1'"),
        (["A", "B", "--scale", "percent", "--alpha", "1"], "alpha is 1.0"),
        (["A", "B", "--margin", "0.5"], "margin of the MAD ratio"),
    ],
)
def test_bad_input_is_answered(capsys: Written, files: tuple[str, str], words: list[str], said: str) -> None:
    named = [{"A": files[0], "B": files[1]}.get(word, word) for word in words]
    assert main(["compare", *named]) == USAGE
    assert said in capsys.readouterr().err
