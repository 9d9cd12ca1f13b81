"""Parameter groups, optimiser and schedule of a run, phase by phase."""

from __future__ import annotations

import warnings

import torch
from torch.optim.lr_scheduler import LRScheduler

from bench_lib.core.errors import BenchError
from bench_lib.core.spec import Profile
from bench_lib.models.architecture import is_matrix
from bench_lib.techniques.interface.context import Group, Phase, Training
from bench_lib.techniques.interface.hooks import BuildsOptimizer, Groups, Phases
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.stack import Stack

WHOLE = Phase(first_step=0, trains=lambda name: True)


class Optimization:
    """The optimiser of a training and its schedule, built anew where a phase restarts."""

    def __init__(self, training: Training, stack: Stack) -> None:
        self.training, self.stack, self.fresh = training, stack, True
        self.phases = {phase.first_step: phase for phase in _phases(training, stack)}
        for name, parameter in training.trainable().items():
            # A parameter that no phase trains needs no gradient and no state.
            parameter.requires_grad_(any(phase.trains(name) for phase in self.phases.values()))
        training.trained = training.trainable()
        self._enter(self.phases[0])

    @property
    def learning_rate(self) -> float:
        """The rate of the last group, which holds pooler and head where rates differ by layer."""
        return float(self.optimizer.param_groups[-1]["lr"])

    def start_step(self) -> None:
        """Enter the phase that begins with the current step, if one does."""
        if self.training.step and (phase := self.phases.get(self.training.step)):
            self._enter(phase)

    def end_step(self) -> None:
        """Move the schedule on and clear the gradients."""
        with warnings.catch_warnings():
            # Where fp16 skips the first update, torch suspects a wrong order of calls.
            if self.fresh:
                warnings.filterwarnings("ignore", r"Detected call of .lr_scheduler\.step")
            self.schedule.step()
        self.fresh = False
        self.optimizer.zero_grad(set_to_none=True)

    def _enter(self, phase: Phase) -> None:
        if phase.restarts or phase.first_step == 0:
            self._restart(phase)
        for name, parameter in self.training.trainable().items():
            parameter.requires_grad_(phase.trains(name))

    def _restart(self, phase: Phase) -> None:
        training = self.training
        later = [step for step, other in self.phases.items() if other.restarts and step > phase.first_step]
        steps = min(later, default=training.total_steps) - phase.first_step
        training.optimizer = self.optimizer = build_optimizer(training, self.stack, phase.learning_rate)
        self.schedule = build_schedule(self.optimizer, training.profile, steps)
        self.fresh = True


def _phases(training: Training, stack: Stack) -> list[Phase]:
    """The checked phases of the stack's technique that has any, else one for the whole training."""
    if not training.total_steps:
        return [WHOLE]
    found = [phase for technique in stack.having(Phases) for phase in technique.phases(training)]
    starts = [phase.first_step for phase in found]
    if found and (starts[0] != 0 or starts != sorted(set(starts))):
        raise BenchError(f"phases start at the steps {starts}; allowed: 0 first, then rising")
    return found or [WHOLE]


def build_optimizer(training: Training, stack: Stack, learning_rate: float | None = None) -> torch.optim.Optimizer:
    """The stack's optimiser over the trained parameters, in its groups."""
    groups = _initial_groups(training, training.profile.learning_rate if learning_rate is None else learning_rate)
    for technique in stack.having(Groups):
        groups = technique.groups(groups, training)
    builders = stack.having(BuildsOptimizer)
    return builders[0].optimizer(groups, training.profile) if builders else decoupled_adam(groups, training.profile)


def build_schedule(optimizer: torch.optim.Optimizer, profile: Profile, steps: int) -> LRScheduler:
    """The profile's schedule over so many steps, its warm-up rounded to whole steps."""
    from transformers import get_scheduler  # heavy, and not for planning

    scheduler: LRScheduler = get_scheduler(profile.schedule, optimizer, round(profile.warmup * steps), steps)
    return scheduler


def _initial_groups(training: Training, rate: float) -> list[Group]:
    """Matrices with weight decay, biases and norms without, as for BERT."""
    decay = training.profile.weight_decay
    matrices = Group({n: p for n, p in training.trainable().items() if is_matrix(n, p)}, rate, decay)
    vectors = Group({n: p for n, p in training.trainable().items() if not is_matrix(n, p)}, rate, 0.0)
    return [group for group in (matrices, vectors) if group.parameters]
