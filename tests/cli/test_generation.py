"""Written answers from the command line: a sweep, its report, and the chat template as a setting."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pandas as pd
import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.runner.grid import Grid, plan
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


def test_a_task_of_ones_own_is_written_and_scored(tmp_path: Path) -> None:
    folder, store = tmp_path / "colours", str(tmp_path / "runs")
    folder.mkdir()
    with (folder / "train.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["input", "output"])
        writer.writerows([f"thing {i}", f"{('red', 'blue')[i % 2]} and round as number {i}"] for i in range(12))
    path = folder / "colours.toml"
    path.write_text('template = "Thing: {}\\nColour:"\nstops = ["\\n"]\nevaluation_share = 0.25\n')
    few = "smoke:epochs=4:learning_rate=0.01:batch_size=4"
    words = ["run", "--profile", few, "--model", "tiny-llama", "--task", str(path), "--seeds", "0", "--store", store]
    assert main(words) == DONE
    (record,) = Store(Path(store)).records()
    assert (record.task, record.metric) == ("colours", "bleu")
    assert record.status in ("converged", "collapsed")
    assert {*record.metrics} == {"bleu", "chrf", "rouge_l", "likelihood", "nonempty", "ended", "unrepeated"}
    assert record.provenance["data_split"] == "evaluated on 3 of 12 examples, chosen by a hash of their inputs"
    assert main(["data", "audit", "--task", str(path), "--model", "tiny-llama"]) == DONE
    assert main(["store", "verify", store]) == DONE
    (spec,) = plan(Grid((str(folder),), ("adamw",), (0,), few, "tiny-llama"))  # the folder alone has no prompt
    assert (spec.task, spec.run_id() == record.run_id) == ("colours", False)


def test_answers_too_short_for_the_metric_are_refused_with_one_that_fits(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "numbers"
    folder.mkdir()
    rows = [json.dumps({"question": f"what is {i} and {i}?", "answer": f"{2 * i} it is"}) for i in range(12)]
    (folder / "train.jsonl").write_text("\n".join(rows))
    words = ["run", "--profile", "smoke", "--model", "tiny-llama", "--task", str(folder), "--seeds", "0"]
    assert main([*words, "--store", str(tmp_path / "runs")]) == USAGE
    assert "answers of fewer than four words have no BLEU: make chrf the first metric" in capsys.readouterr().err


def test_an_encoder_is_refused_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["run", "--profile", "smoke", "--techniques", "adamw", *GRID, "--store", str(tmp_path)]
    words[words.index("tiny-llama")] = "tiny"
    assert main(words) == USAGE
    assert "model 'tiny' (bert) is neither a causal decoder nor an encoder-decoder of" in capsys.readouterr().err
