"""Isolation of a run from the process around it: random states, threads and deterministic kernels."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
import torch.utils.deterministic


@contextmanager
def isolated(threads: int, device: torch.device) -> Iterator[None]:
    """Run with deterministic kernels and a fixed number of CPU threads; every global setting and generator is restored.

    The number of threads is part of a run's identity because it decides the order in which partial sums are added.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    deterministic, before = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    settings: Any = torch.utils.deterministic  # its one setting is made when it is imported, out of sight of types
    fill = settings.fill_uninitialized_memory
    devices = [device] if device.type == "cuda" else []
    # cuBLAS reads this when it starts; without it, deterministic mode refuses matrix products on CUDA.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    # oneDNN keeps a kernel for every shape it has met, and every length of batch is a shape: 100 MB after 60 steps.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "64")
    with torch.random.fork_rng(devices=devices):
        torch.use_deterministic_algorithms(True)
        # Filling every new tensor would only help code that reads memory it never wrote, and costs time at each step.
        settings.fill_uninitialized_memory = False
        torch.set_num_threads(threads)
        try:
            yield
        finally:
            torch.use_deterministic_algorithms(deterministic, warn_only=warn_only)
            settings.fill_uninitialized_memory = fill
            torch.set_num_threads(before)
            random.setstate(python_state)
            np.random.set_state(numpy_state)
