"""Written answers from the command line: a sweep, its report, and the chat template as a setting."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.store import Store

GRID = ["--tasks", "e2e_nlg", "--model", "tiny-llama", "--data", "embedded", "--seeds", "0-1"]
FEW = "train_examples=64:eval_examples=8:epochs=4:learning_rate=0.01"


def test_a_sweep_of_a_decoder_that_writes_is_reported(tmp_path: Path) -> None:
    store, out = str(tmp_path / "runs"), tmp_path / "reports"
    words = ["run", "--profile", f"smoke:{FEW}", "--techniques", "adamw,lora,scl", *GRID, "--store", store]
    assert main(words) == DONE
    runs = Store(Path(store)).frame()
    assert set(runs.status[runs.technique != "scl"]) <= {"converged", "collapsed"}
    assert set(runs.reason[runs.technique == "scl"]) == {
        "scl declines generation tasks: answers have no classes that a batch could share"
    }
    assert main(["report", "--store", store, "--out", str(out)]) == DONE
    board = pd.read_csv(out / "leaderboard.csv").set_index("technique")
    assert set(board.index) >= {"adamw", "lora"}
    assert "e2e_nlg" in (out / "leaderboard.md").read_text()


def test_a_chat_template_makes_another_run(tmp_path: Path) -> None:
    store = str(tmp_path / "runs")
    for profile in (f"smoke:{FEW}", f"smoke:{FEW}:chat_template=True"):
        assert main(["run", "--profile", profile, "--techniques", "adamw", *GRID[:-1], "0", "--store", store]) == DONE
    runs = Store(Path(store)).frame()
    assert len(set(runs.run_id)) == 2
    assert len(set(runs.trivial_score)) == 1
    first, other = (tuple(losses) for losses in runs.curve_loss)
    assert first != other


def test_an_encoder_is_refused_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--profile", "smoke", "--techniques", "adamw", *GRID, "--store", str(tmp_path)]
    words[words.index("tiny-llama")] = "tiny"
    assert main(words) == USAGE
    assert "model 'tiny' (bert) is neither a causal decoder nor an encoder-decoder of" in capsys.readouterr().err
