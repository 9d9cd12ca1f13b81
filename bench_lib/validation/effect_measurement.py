"""The effect of a technique: its run compared with the baseline's, and with the effect of rounding."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import RunRecord
from bench_lib.core.spec import RunSpec
from bench_lib.models import MODELS
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.effects import Effect
from bench_lib.techniques.interface.stack import Stack, parse_stack
from bench_lib.validation.trial import baseline, generated_spec

ROUNDED = tuple(f"noisy_tune:strength={strength}" for strength in (1e-6, 2e-6, 3e-6))
"""The baseline with initial weights perturbed by ten times the fp32 spacing, as rounding of all steps does."""


@dataclass(frozen=True)
class Bench:
    """The setting of effect measurements: a shortened run of a usual profile."""

    model: str = "minilm"
    task: str = "sst2"
    profile: str = "desk"
    train_examples: int = 128
    eval_examples: int = 100
    epochs: int = 2

    def __str__(self) -> str:
        return f"{self.model} on {self.task} ({self.profile}, {self.epochs} epochs of {self.train_examples} examples)"

    def spec(self, stack: Stack) -> RunSpec:
        sizes = {"train_examples": self.train_examples, "eval_examples": self.eval_examples, "epochs": self.epochs}
        spec = generated_spec(self.task, stack, self.model, PROFILES.get(self.profile).at(sizes))
        return dataclasses.replace(spec, keep_weights=True)

    def start(self) -> dict[str, np.ndarray]:
        """The pre-trained weights, by name."""
        task = TASKS.get(self.task)
        template = load_template(resolve(self.model, MODELS), task.format, len(task.labels))
        return {name: tensor.numpy() for name, tensor in template.pretrained().items()}

    def run(self, stack: Stack) -> RunRecord:
        (record,) = execute([self.spec(stack)])
        return record


@dataclass(frozen=True)
class Reference:
    """The baseline's run, its initial weights, and the effects of rounding."""

    base: RunRecord
    start: Mapping[str, np.ndarray]
    rounding: tuple[Effect, ...]


@functools.lru_cache(maxsize=1)
def reference(bench: Bench) -> Reference:
    """The reference of effects, from four short trainings, made once per process."""
    base, start = bench.run(baseline()), bench.start()
    rounded = (bench.run(parse_stack(text, TECHNIQUES)) for text in ROUNDED)
    return Reference(base, start, tuple(compared(record, base, start) for record in rounded))


def compared(run: RunRecord, base: RunRecord, start: Mapping[str, np.ndarray]) -> Effect:
    """The effect of a run against the baseline's run of the same seed; both records have their weights."""
    saved, usual = run.size.saved_bytes, base.size.saved_bytes
    moved = np.divide(run.drift, base.drift) if len(run.drift) == len(base.drift) else None
    return Effect(
        trained=run.cost.trainable_parameters / run.cost.parameters,
        steps=run.cost.steps / base.cost.steps,
        passes=_passes(run) / _passes(base),
        saved=saved / usual if saved and usual else None,
        moved=None if moved is None else float(moved.mean()),
        uneven=None if moved is None else _rms(moved - 1),
        apart=_apart(run.weights or {}, base.weights or {}, start),
        answers=_answers(run, base),
    )


def _passes(run: RunRecord) -> int:
    return run.cost.forward_passes + run.cost.backward_passes


def _apart(
    run: Mapping[str, np.ndarray], base: Mapping[str, np.ndarray], start: Mapping[str, np.ndarray]
) -> float | None:
    """The distance of two trained bodies, relative to the update of the second; None if parameter names differ."""
    if not start.keys() <= run.keys():
        return None
    distance = math.sqrt(sum(float(np.square(run[name] - base[name]).sum()) for name in start))
    return distance / math.sqrt(sum(float(np.square(base[name] - start[name]).sum()) for name in start))


def _answers(run: RunRecord, base: RunRecord) -> float | None:
    if run.predictions is None or base.predictions is None:
        return None
    values, usual = run.predictions.values, base.predictions.values
    return _rms(values - usual) / float(usual.std()) if values.shape == usual.shape else None


def _rms(values: np.ndarray) -> float:
    return math.sqrt(float(np.square(values).mean()))
