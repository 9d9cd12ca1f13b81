"""Parameter groups, optimiser and schedule of a run."""

from __future__ import annotations

import torch
from torch.optim.lr_scheduler import LRScheduler
from transformers import get_scheduler

from bench_lib.spec import Profile
from bench_lib.techniques.base import BuildsOptimizer, Groups
from bench_lib.techniques.optimizers import decoupled_adam
from bench_lib.techniques.stack import Stack
from bench_lib.techniques.training import Group, Training


def build_optimizer(training: Training, stack: Stack) -> torch.optim.Optimizer:
    """The optimiser over the trainable parameters, as the stack's techniques group and choose it."""
    groups = _initial_groups(training)
    for technique in stack.having(Groups):
        groups = technique.groups(groups, training)
    builders = stack.having(BuildsOptimizer)
    return builders[0].optimizer(groups, training.profile) if builders else decoupled_adam(groups, training.profile)


def build_schedule(optimizer: torch.optim.Optimizer, profile: Profile, steps: int) -> LRScheduler:
    """The profile's schedule over so many steps, its warm-up rounded to whole steps."""
    scheduler: LRScheduler = get_scheduler(profile.schedule, optimizer, round(profile.warmup * steps), steps)
    return scheduler


def _initial_groups(training: Training) -> list[Group]:
    """Matrices with weight decay; biases and norms without, as BERT has it."""
    rate, decay = training.profile.learning_rate, training.profile.weight_decay
    matrices = Group({n: p for n, p in training.trainable().items() if p.dim() >= 2}, rate, decay)
    vectors = Group({n: p for n, p in training.trainable().items() if p.dim() < 2}, rate, 0.0)
    return [group for group in (matrices, vectors) if group.parameters]
