"""Isolation of a run from its process: generators, threads, deterministic kernels, and changed global state."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.deterministic

from bench_lib.instruments.global_state import GENERATORS, SETTINGS, GlobalState

# cuBLAS reads this when it starts; without it, deterministic mode refuses matrix products on CUDA.
os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
# oneDNN keeps a kernel for every shape it has met, and every length of batch is a shape: 100 MB after 60 steps.
os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")

OURS = ("torch's deterministic mode", "torch's number of threads")
"""The settings that are set for a run."""
TORCHS = "torch's generator"
"""The global generator that `torch.random.fork_rng` restores, on every device."""


@contextmanager
def isolated(threads: int, device: torch.device, foreign: bool = False) -> Iterator[list[str]]:
    """Run with deterministic kernels and a fixed number of CPU threads; every global setting and generator is restored.

    The number of threads is part of a run's identity because it decides the order in which partial sums are added. At
    the end the list names the state that the run changed, except the global generators; replaced attributes are
    detected only for `foreign` code.
    """
    outside = {what: SETTINGS[what][0]() for what in OURS}
    states = {what: get() for what, (get, _) in GENERATORS.items() if what != TORCHS}
    devices = [device] if device.type == "cuda" else []
    left: list[str] = []
    with torch.random.fork_rng(devices=devices):
        # Filling every new tensor would only help code that reads memory it never wrote, and costs time at each step.
        SETTINGS[OURS[0]][1]((True, False, False))
        SETTINGS[OURS[1]][1](threads)
        within = GlobalState(foreign)
        try:
            yield left
        finally:
            left += within.restore()
            for what, value in outside.items():
                SETTINGS[what][1](value)
            for what, state in states.items():
                GENERATORS[what][1](state)


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's global generators of a device.

    `torch.manual_seed` also records the stack on CPUs at each call, for a later CUDA initialisation: milliseconds at
    every step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed_all(seed)
