from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench_lib.core.errors import BadData, BadValue
from bench_lib.integrations.scores.files import is_score_file, read

Write = Callable[..., Path]
ROWS = [{"seed": 0, "score": 0.5}, {"seed": 1, "score": 0.75}]


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "jsonl", "json"])
def test_tables_are_read(tmp_path: Path, suffix: str) -> None:
    path, frame = tmp_path / f"runs.{suffix}", pd.DataFrame(ROWS)
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix.startswith("json"):
        path.write_text(json.dumps(ROWS) if suffix == "json" else "\n".join(map(json.dumps, ROWS)))
    else:
        frame.to_csv(path, index=False, sep="," if suffix == "csv" else "\t")
    table = read(path)
    assert table.columns() == ["seed", "score"]
    assert [float(row.values["score"]) for row in table.rows] == [0.5, 0.75]
    assert table.rows[1].place == f"{path}, row 2"
    assert is_score_file(str(path))


def test_a_script_for_wandb_writes_dictionaries(write: Write) -> None:
    path = write(
        "project.csv",
        ",summary,config,name",
        "0,\"{'eval/accuracy': 0.8, '_runtime': 3}\",\"{'seed': 1, 'optim': {'method': 'sam'}}\",calm-1",
        "1,\"{'eval/accuracy': nan}\",\"{'seed': 2, 'optim': {'method': 'sam'}}\",wild-2",
    )
    table = read(path)
    assert table.harness == "wandb"
    assert [row.values["config.seed" if "config.seed" in row.values else "seed"] for row in table.rows] == [1, 2]
    assert table.rows[1].values["summary.eval/accuracy"] is None
    assert table.rows[0].values["config.optim.method"] == "sam"


def test_exports_are_known_by_their_columns(write: Write) -> None:
    assert read(write("a.csv", "Name,State,seed,accuracy", "x,finished,1,0.5")).harness == "wandb"
    assert read(write("b.csv", "run_id,experiment_id,metrics.accuracy", "x,0,0.5")).harness == "mlflow"
    assert read(write("c.csv", "seed,accuracy", "1,0.5")).harness == "file"


def test_trainer_states_are_read_with_their_evaluations(tmp_path: Path, trainer: Write) -> None:
    trainer("sam/rte/seed-1")
    trainer("sam/rte/seed-1/checkpoint-10", score=0.1)
    trainer("sam/rte/seed-2/checkpoint-9", score=0.2)
    trainer("sam/rte/seed-2/checkpoint-20", score=0.9)
    table = read(tmp_path, "{technique}/{task}/seed-{seed}")
    assert table.harness == "trainer"
    first, second = table.rows
    assert first.values["eval_accuracy"] == 0.8
    assert second.values["eval_accuracy"] == 0.9
    assert {"technique": "sam", "task": "rte", "seed": "2", "status": "converged"}.items() <= second.values.items()
    assert (first.evaluations["eval_accuracy"].steps, first.evaluations["eval_accuracy"].scores) == (
        (10, 20),
        (0.7000000000000001, 0.8),
    )
    assert is_score_file(str(tmp_path))


def test_the_state_of_a_training_says_how_it_ended(tmp_path: Path, trainer: Write) -> None:
    trainer("seed1", loss=math.nan)
    trainer("seed2", step=10)
    early = trainer("seed3", step=10)
    state = json.loads(early.read_text())
    state["stateful_callbacks"] = {"TrainerControl": {"args": {"should_training_stop": True}}}
    early.write_text(json.dumps(state))
    rows = read(tmp_path).rows
    assert [(row.values["seed"], row.values["status"]) for row in rows] == [
        *(("1", "diverged"), ("2", "unfinished"), ("3", "converged"))
    ]


def test_what_transformers_writes_is_read(tmp_path: Path) -> None:
    from transformers.trainer_callback import TrainerControl, TrainerState

    history = [{"loss": 0.4, "grad_norm": 1.0, "step": 4}, {"eval_f1": 0.7, "eval_loss": 0.5, "step": 4}]
    state = TrainerState(global_step=4, max_steps=4, log_history=history, stateful_callbacks=[TrainerControl()])
    (tmp_path / "seed_7").mkdir()
    state.save_to_json(str(tmp_path / "seed_7" / "trainer_state.json"))
    (row,) = read(tmp_path).rows
    assert row.values == {"seed": "7", "status": "converged", "eval_f1": 0.7, "eval_loss": 0.5}


@pytest.mark.parametrize(
    ("name", "lines", "said"),
    [
        ("a.csv", ["seed,score"], "a.csv has no runs"),
        ("a.csv", ["seed;score", "1;0.5"], "has the one column 'seed;score': its columns seem to be separated by ';'"),
        ("a.txt", ["x"], r"ends in '\.txt'; files that can be read end in"),
        ("a.csv", ["seed,seed", "1,2"], "has the column 'seed' more than once"),
        ("a.jsonl", ["{"], "line 1 is no JSON"),
        ("a.csv", ["config,summary", "{},oops"], "a.csv, row 1, column summary is 'oops'; allowed: an object of JSON"),
        ("f/trainer_state.json", ["[]"], "has no list `log_history`"),
        ("f/trainer_state.json", ["{"], "cannot be read as JSON"),
    ],
)
def test_wrong_files_are_named(write: Write, name: str, lines: list[str], said: str) -> None:
    path = write(name, *lines)
    with pytest.raises(BadData, match=said):
        read(path.parent if "trainer" in name else path)


def test_a_layout_is_checked(tmp_path: Path, trainer: Write, write: Write) -> None:
    trainer("sam/seed1")
    for layout in ("plain", "{colour}", "{seed}/{seed}"):
        with pytest.raises(BadValue, match="--layout"):
            read(tmp_path, layout)
    with pytest.raises(BadData, match="its folder 'sam/seed1' is not as --layout says"):
        read(tmp_path, "{technique}/{task}/{seed}")
    with pytest.raises(BadValue, match="--layout"):
        read(write("a.csv", "score", "1"), "{seed}")
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadData, match="holds no trainer_state"):
        read(tmp_path / "empty")
    assert not is_score_file(str(tmp_path / "empty"))
