"""Which labels are made wrong, and by how much, for every format that has classes."""

from __future__ import annotations

import numpy as np

from bench_lib.core.errors import Unsupported


def label_shifts(n: int, share: float, classes: int, generator: np.random.Generator) -> dict[int, int]:
    """Which of `n` labels are wrong, and by how many classes, 1 to all but one, they are off.

    One class alone raises `Unsupported`.
    """
    if classes < 2:
        raise Unsupported(f"no label can be made wrong where there is {classes} class to choose from")
    # Drawn for all of them, so that another share draws the same.
    order, shifts = generator.permutation(n).tolist(), generator.integers(1, classes, n).tolist()
    return {i: shifts[i] for i in order[: round(share * n)]}
