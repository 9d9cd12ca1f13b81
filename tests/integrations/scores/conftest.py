from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a file of lines, and tell where."""

    def written(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return path

    return written


@pytest.fixture
def seeds(write: Callable[..., Path]) -> Callable[..., Path]:
    """A CSV file of a technique's seeds on one task, normal around 80 percent."""

    def written(name: str, spread: float = 1.0, number: int = 30, first: int = 0) -> Path:
        scores = 80 + spread * np.random.default_rng(len(name)).normal(size=number)
        return write(name, "seed,accuracy", *(f"{first + seed},{score:.3f}" for seed, score in enumerate(scores)))

    return written


@pytest.fixture
def trainer(tmp_path: Path) -> Callable[..., Path]:
    """A folder of a run with `trainer_state.json`, as transformers writes it."""

    def made(folder: str, score: float = 0.8, loss: float = 0.3, step: int = 20, steps: int = 20) -> Path:
        history: list[dict[str, float]] = []
        for at in (step // 2, step):
            history.append({"epoch": at / 10, "step": at, "loss": loss, "grad_norm": 1.0, "learning_rate": 1e-5})
            history.append(
                {"epoch": at / 10, "step": at, "eval_accuracy": score - 0.1 * (at < step), "eval_loss": loss}
            )
        history.append({"epoch": 2.0, "step": step, "train_runtime": 3.0, "train_loss": loss, "total_flos": 1.0})
        state = {"global_step": step, "max_steps": steps, "log_history": history, "stateful_callbacks": {}}
        path = tmp_path / folder / "trainer_state.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(state, indent=2, allow_nan=not math.isfinite(loss)))
        return path

    return made
