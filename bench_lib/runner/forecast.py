"""How long runs will take on this machine: a step of the model is timed, and the tokens of the runs are counted."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from bench_lib.core.errors import BenchError
from bench_lib.core.spec import Profile, Ref, RunSpec
from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import train_features
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.precision import autocast
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.instruments.determinism import isolated
from bench_lib.instruments.timing import Stopwatch
from bench_lib.models.architecture import architecture_of
from bench_lib.models.load import instantiate, load_template
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Prompts

TEXTS, LENGTH = 16, 40
"""The batch whose step is timed: so many texts of so many tokens."""

REPEATS = 2
SETUP = 0.5
"""Seconds of a run beside its passes, about."""
STEPS = 100
"""Steps that stand for those of a run, where a technique's passes differ from step to step."""


@dataclass(frozen=True)
class Speed:
    """Seconds that a step of `TEXTS` x `LENGTH` tokens takes: forward and backward, and forward alone."""

    step: float
    evaluation: float


@functools.cache
def speed(model: Ref, precision: str, threads: int = 1) -> Speed:
    """The speed of a model with a head of two classes, the better of two steps after one that is not counted."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    profile = Profile(precision=precision, threads=threads)
    with isolated(threads, device):
        training = _training(model, profile, device)
        batch = collate([_feature(place) for place in range(TEXTS)], TEXT_CLASSIFICATION, 0, device)
        return Speed(_best(lambda: _step(training, batch), device), _best(lambda: _pass(training, batch), device))


def forecast(specs: Sequence[RunSpec]) -> float:
    """About how many seconds the runs will take one after another; observers ride along, and pools take nothing.

    Tokens are counted where they are read as they stand: what techniques add to the training set is not. Raises
    `BenchError` for data or a model that cannot be had.
    """
    trainings = {spec.training_id(): spec.training() for spec in specs if not spec.pools()}
    return sum(map(_seconds, trainings.values()))


def _seconds(spec: RunSpec) -> float:
    run = resolve_run(spec)
    try:
        run.check(run.stack)
        for technique in run.stack.having(Prompts):
            technique.label_words(spec.task)
    except BenchError:
        return 0.0  # declined, with nothing trained
    profile = run.profile
    read = profile.epochs * _tokens(train_features(run.key, run.subset))
    evaluated = profile.evaluations * _tokens(run.evaluation().features)
    known = speed(spec.model, profile.precision, profile.threads)
    # A forward pass is about a third of a step, and so is one that a technique adds.
    passes = [run.stack.passes_at(step, STEPS) for step in range(STEPS)]
    share = sum((forward + 2 * backward) / 3 for forward, backward in passes) / STEPS
    batch = TEXTS * LENGTH
    return SETUP + read / batch * known.step * share + evaluated / batch * known.evaluation


def _tokens(features: Sequence[Feature]) -> int:
    return sum(map(len, features))


def _training(model: Ref, profile: Profile, device: torch.device) -> Training:
    template = load_template(model, TEXT_CLASSIFICATION, 2)
    body = instantiate(template, torch.Generator().manual_seed(0))
    return Training(
        model=body.to(device).train(),  # type: ignore[arg-type]  # transformers types this for its own tensors
        architecture=architecture_of(body),
        format=TEXT_CLASSIFICATION,
        profile=profile,
        pretrained={},
        seed=lambda *_: 0,
        device=device,
    )


def _feature(place: int) -> Feature:
    ids = np.arange(LENGTH) + 1
    none = np.zeros(LENGTH, dtype=bool)
    return Feature(place, ids, None, none, np.array([place % 2]), np.array([0]), np.array([0]))


def _step(training: Training, batch: Batch) -> None:
    step = MicroStep(training, batch, 0, 1.0, Passes(), torch.amp.GradScaler(training.device.type, enabled=False))
    step.backward(step.loss(step.forward()))
    training.model.zero_grad(set_to_none=True)


def _pass(training: Training, batch: Batch) -> None:
    with torch.inference_mode(), autocast(training):
        training.model(**batch.inputs)


def _best(work: Callable[[], None], device: torch.device) -> float:
    seconds = []
    for _ in range(1 + REPEATS):
        watch = Stopwatch(device)
        with watch.running():
            work()
        seconds.append(watch.seconds)
    return min(seconds[1:])
