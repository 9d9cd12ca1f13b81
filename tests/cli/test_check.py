from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest

from bench_lib.cli import main, parser
from bench_lib.cli.outcome import DONE, INCONCLUSIVE, REGRESSION, USAGE
from bench_lib.store import Store

TINY = ("--profile", "smoke", "--model", "tiny", "--tasks", "conll2003")


@pytest.fixture(scope="module")
def checked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which a technique was compared with its baseline."""
    store = tmp_path_factory.mktemp("checked") / "results"
    assert main(["check", "llrd", *TINY, "--max-seeds", "4", "--store", str(store)]) == INCONCLUSIVE
    return store


def test_a_table_and_one_line_for_all(checked: Path, capsys: pytest.CaptureFixture[str], monkeypatch) -> None:  # type: ignore[no-untyped-def]
    command = ["check", "llrd", *TINY, "--max-seeds", "4", "--store", str(checked)]
    monkeypatch.setattr("sys.argv", ["stabbench", *command])
    assert main(command) == INCONCLUSIVE
    out, err = capsys.readouterr()
    head, row, *notes, last = out.splitlines()
    assert head.split()[:3] == ["task", "verdict", "seeds"]
    assert row.split()[:3] == ["conll2003", "underpowered", "4"]
    assert any(note.startswith("conll2003: the smallest MAD ratio that") for note in notes)
    assert last == "llrd against adamw: inconclusive; 4 of 4 seeds used"
    assert "8 runs: 8 stored, 0 to do" in err
    (more,) = [line for line in err.splitlines() if "more seeds" in line or "no number of seeds" in line]
    if "stabbench check" in more:
        again = parser().parse_args(
            shlex.split(more.partition("stabbench check")[1] + more.partition("stabbench check")[2])[1:]
        )
        assert again.max_seeds > 4
        assert again.technique == "llrd"


def test_json_alone_goes_to_the_standard_output(checked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["check", "llrd", *TINY, "--max-seeds", "4", "--store", str(checked), "--json"]
    assert main(command) == INCONCLUSIVE
    out = capsys.readouterr().out

    def refuse(text: str) -> float:
        raise AssertionError(f"{text} is no JSON")

    answer = json.loads(out, parse_constant=refuse)
    assert answer["outcome"] == "inconclusive"
    assert answer["tasks"][0]["verdict"]["stability"] == "underpowered"
    assert answer["design"]["looks"] == [4]
    assert main(command) == INCONCLUSIVE
    assert json.loads(capsys.readouterr().out) == answer


def test_cost_beyond_the_bound_is_exit_code_one(checked: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--max-seeds", "4", "--store", str(checked), "--max-cost", "0.01"]
    assert main(["check", "llrd", *TINY, *options]) == REGRESSION
    assert "too dear" in capsys.readouterr().out


def test_a_broken_file_is_not_compared_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = Path(__file__).parents[2] / "examples" / "shaken.py"
    broken = tmp_path / "broken.py"
    broken.write_text(source.read_text().replace("alpha=self.strength", "alpha=self.strength + 0.1"))
    store = tmp_path / "results"
    assert main(["check", f"{broken}:Shaken", *TINY, "--store", str(store)]) == REGRESSION
    err = capsys.readouterr().err
    assert "does not keep the promise 'neutral' on sst2" in err
    assert not store.exists() or not Store(store).ids()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "nothing to check: name a technique"),
        (["llrdd"], "did you mean 'llrd'"),
        (["llrd", "--max-seeds", "1"], "greatest number of seeds is 1"),
        (["llrd", "--margin", "1"], "margin of the MAD ratio is 1.0"),
        (["llrd", "--alpha", "2"], "alpha is 2.0"),
        (["llrd", "--workers", "2"], "--workers is 2"),
        (["nowhere.py:Mine"], "nowhere.py cannot be read"),
        (["ensemble"], "ensemble pools several seeds"),
    ],
)
def test_bad_input_is_exit_code_two(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", *words, *TINY, "--store", str(tmp_path / "results")]) == USAGE
    assert message in capsys.readouterr().err


def test_an_older_store_without_the_technique_is_named(
    checked: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--max-seeds", "4", "--store", str(tmp_path / "new"), "--against", str(checked)]
    assert main(["check", "reinit", *TINY, *options]) == USAGE
    assert "holds 0 runs of reinit" in capsys.readouterr().err


def test_calibrating_prints_a_row_for_each_scenario_and_pool(
    checked: Path, capsys: pytest.CaptureFixture[str], monkeypatch
) -> None:  # type: ignore[no-untyped-def]
    monkeypatch.setattr("bench_lib.cli.calibrate.FEWEST", 3)
    options = ["--calibrate", "--repetitions", "2", "--max-seeds", "10", "--store", str(checked)]
    assert main(["check", *options]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:2] == ["scenario", "tasks"]
    assert sum(line.startswith("normal ") for line in lines) == 5
    survivors = [r for r in Store(checked).records() if r.technique == "adamw" and r.status == "converged"]
    assert any(line.startswith("conll2003 smoke") for line in lines) == (len(survivors) >= 3)
    assert main(["check", *options, "--json"]) == DONE
    out = capsys.readouterr().out
    assert {row["tasks"] for row in json.loads(out)["rows"]} == {1, 4}
