"""Trained weights of runs that techniques pool: one safetensors file a run, beside the results and no part of them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load, save_file

from bench_lib.store.damage import Damaged, Unstorable, Unwritable, damage_named, reading, writing
from bench_lib.store.files import put_in_place, temporary
from bench_lib.store.objects import Location

_KEY = "stabbench_digest"


def put(path: Location, weights: Mapping[str, np.ndarray]) -> None:
    """Write weights by name to a temporary file, on the disk before it is renamed; `Unstorable` unless float32."""
    for name, value in weights.items():
        if value.dtype != np.float32:
            raise Unstorable(f"weight {name} of run {path.stem} is {value.dtype}; allowed: float32")
    # The format takes memory as it lies, so that a transposed view would be stored as what it is a view of.
    laid = {name: np.asarray(value, order="C") for name, value in weights.items()}
    with writing(path.parent):
        staged = temporary(path.parent, f"{path.stem}-")
        try:
            save_file(laid, staged, {_KEY: _digest(laid)})
            with staged.open("r+b") as file:
                os.fsync(file.fileno())
        except BaseException as error:
            staged.unlink(missing_ok=True)
            if isinstance(error, SafetensorError):
                raise Unwritable(f"{path.parent} cannot be written: {error}") from error
            raise
        put_in_place(staged, path)


def get(path: Location) -> dict[str, np.ndarray]:
    """The weights of a file by name; `Damaged` unless they are what was written."""
    with reading(path) as file:
        content = file.read()
    with damage_named(path):
        weights = load(content)
        stated = _metadata(content)
        # Those of earlier versions of this package have no metadata at all.
        if stated is not None and stated.get(_KEY) != _digest(weights):
            raise Damaged(path, "the weights are not what was written")
        return weights


def drop(path: Location) -> None:
    """Remove a run's weights, and what a killed writer left of them."""
    with writing(path.parent):
        leftovers = path.parent.glob(f".{path.stem}-*.tmp") if isinstance(path, Path) else ()
        for one in (path, *leftovers):
            one.unlink(missing_ok=True)


def _metadata(content: bytes) -> dict[str, str] | None:
    size = int.from_bytes(content[:8], "little")
    found: dict[str, str] | None = json.loads(content[8 : 8 + size]).get("__metadata__")
    return found


def _digest(weights: Mapping[str, np.ndarray]) -> str:
    content = hashlib.sha256()
    for name, value in sorted(weights.items()):
        content.update(json.dumps([name, value.dtype.str, value.shape]).encode())
        content.update(value.data if value.ndim else value.tobytes())
    return content.hexdigest()
