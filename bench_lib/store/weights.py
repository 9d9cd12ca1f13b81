"""Trained weights of runs that techniques pool: one safetensors file a run, beside the results and no part of them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from uuid import uuid4

import numpy as np
from safetensors.numpy import save_file

from bench_lib.errors import BadStore


def put(path: Path, weights: Mapping[str, np.ndarray]) -> None:
    """Write weights by name to a temporary file, on the disk before it is renamed; `BadStore` unless float32."""
    for name, value in weights.items():
        if value.dtype != np.float32:
            raise BadStore(f"weight {name} of run {path.stem} is {value.dtype}; allowed: float32")
    path.parent.mkdir(parents=True, exist_ok=True)
    staged = path.with_name(f".{path.stem}-{uuid4().hex}.tmp")
    try:
        # The format takes memory as it lies, so that a transposed view would be stored as what it is a view of.
        save_file({name: np.asarray(value, order="C") for name, value in weights.items()}, staged)
        with staged.open("r+b") as file:
            os.fsync(file.fileno())
    except BaseException:
        staged.unlink(missing_ok=True)
        raise
    staged.replace(path)


def drop(path: Path) -> None:
    """Remove a run's weights, and what a killed writer left of them."""
    for one in (path, *path.parent.glob(f".{path.stem}-*.tmp")):
        one.unlink(missing_ok=True)
