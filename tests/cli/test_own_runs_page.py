"""The commands and the Python of docs/own-runs.md, on files such as it speaks of."""

from __future__ import annotations

import json
import re
import shlex
from pathlib import Path

import numpy as np
import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.core.extras import is_installed
from bench_lib.store import Store

PAGE = (Path(__file__).parents[2] / "docs" / "own-runs.md").read_text()
COMMANDS = [
    shlex.split(line, comments=True)[1:]
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if line.startswith(("stabbench compare", "stabbench import"))
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Files of the names in the page, with twelve seeds of each technique."""
    monkeypatch.chdir(tmp_path)
    scores = 80 + np.random.default_rng(0).normal(size=(2, 12)).round(2)
    arms = dict(zip(("mixout", "adamw"), scores, strict=True))
    rows = {arm: [f"{seed},{score},finished" for seed, score in enumerate(own)] for arm, own in arms.items()}
    every = [f"{arm},{row}" for arm, own in rows.items() for row in own]
    write("mine.csv", "seed,accuracy,status", *rows["mixout"])
    write("baseline.csv", "seed,accuracy,status", *rows["adamw"])
    write("runs.csv", "method,seed,accuracy,status", *every)
    write("wandb_export.csv", "Name,method,seed,eval/accuracy,State", *(f"run,{row}" for row in every))
    write("mlflow_runs.csv", "run_id,params.method,params.seed,metrics.f1,status", *(f"x,{row}" for row in every))
    for seed, score in enumerate(scores[0]):
        log = [{"step": 1, "loss": 0.5}, {"step": 1, "eval_accuracy": score / 100}]
        state = {"global_step": 1, "max_steps": 1, "log_history": log}
        write(f"outputs/mixout/rte/seed{seed}/trainer_state.json", json.dumps(state))
    return tmp_path


def write(name: str, *lines: str) -> None:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_does_what_the_page_says(words: list[str]) -> None:
    assert main(words) == DONE
    if words[0] == "import":
        assert len(Store(Path("results")).ids()) in (12, 24, 48)


def test_there_are_commands() -> None:
    assert len(COMMANDS) == 7


@pytest.mark.skipif(not is_installed("tensorboard"), reason="needs tensorboard")
def test_what_was_imported_can_be_exported() -> None:
    assert main(["import", "runs.csv", "--task", "rte", "--store", "results"]) == DONE
    assert main(["export", "--to", "tensorboard", "--store", "results", "--out", "events"]) == DONE
    assert len([*Path("events/stabbench/rte/mixout").iterdir()]) == 12


def test_the_python_runs() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
    exec(code.replace(", ...]", "]"), {})
