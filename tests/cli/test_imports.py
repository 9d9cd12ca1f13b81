from __future__ import annotations

from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.store import Store

Written = pytest.CaptureFixture[str]


@pytest.fixture
def exported(tmp_path: Path) -> Path:
    """What MLflow's search_runs writes of runs with two techniques."""
    rows = [f"id{n},0,FINISHED,{arm},{n % 12},0.{50 + n}" for n, arm in enumerate(["sam"] * 12 + ["adamw"] * 12)]
    path = tmp_path / "runs.csv"
    path.write_text("\n".join(["run_id,experiment_id,status,params.method,params.seed,metrics.eval_f1", *rows]))
    return path


def test_an_export_is_imported_once(capsys: Written, exported: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    words = ["import", str(exported), "--task", "rte", "--store", str(store)]
    assert main([*words, "--dry-run"]) == DONE
    assert not store.exists()
    for new in (24, 0):
        assert main(words) == DONE
        lines = capsys.readouterr().out.splitlines()
        assert "score from column metrics.eval_f1, fraction, higher is better" in lines[0]
        assert "technique from params.method" in lines[0]
        assert "  sam on rte: 12 runs" in lines
        assert lines[-1] == f"  {new} of 24 runs are new in {store}"
    assert {record.profile for record in Store(store).records()} == {"mlflow"}
    assert main(["store", "verify", str(store)]) == DONE
    assert main(["compare", "sam", "adamw", "--store", str(store)]) == DONE
    assert "external data, model unknown, profile mlflow" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["none.csv"], "file of runs is 'none.csv'; allowed: a file or folder that exists"),
        (["FILE"], "has no column for the task"),
        (["FILE", "--task", " x"], "--task is ' x'"),
        (["FILE", "--task", "rte", "--columns", "seed=run_id"], "row 1, column run_id is 'id0'"),
    ],
)
def test_bad_input_is_answered(capsys: Written, exported: Path, tmp_path: Path, words: list[str], said: str) -> None:
    named = [str(exported) if word == "FILE" else word for word in words]
    assert main(["import", *named, "--store", str(tmp_path / "store")]) == USAGE
    assert said in capsys.readouterr().err
    assert not (tmp_path / "store").exists()
