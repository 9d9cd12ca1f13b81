"""Corrupted labels of formats with classes."""

from __future__ import annotations

import numpy as np

from bench_lib.core.errors import Unsupported


def label_shifts(n: int, share: float, classes: int, generator: np.random.Generator) -> dict[int, int]:
    """The indices of corrupted labels among `n`, each with its shift in classes, from 1 to `classes` - 1.

    A single class raises `Unsupported`.
    """
    if classes < 2:
        raise Unsupported(f"no label can be corrupted with {classes} class to choose from")
    # Drawn for all labels, so that the corrupted labels of a smaller share are among those of a larger one.
    order, shifts = generator.permutation(n).tolist(), generator.integers(1, classes, n).tolist()
    return {i: shifts[i] for i in order[: round(share * n)]}
