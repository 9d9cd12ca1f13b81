"""Which examples a run uses where its profile asks for fewer than there are."""

from __future__ import annotations

import numpy as np

from bench_lib.errors import require


def choose(n: int, size: int | None, generator: np.random.Generator) -> tuple[int, ...]:
    """Indices of `size` of `n` examples, without replacement and rising; all of them where size is None or not below n.

    From generators in the same state, the indices of a smaller size are among those of a larger one.
    """
    require(n >= 0, "number of examples", n, "0 or more")
    require(size is None or size >= 0, "size of the subset", size, "0 or more, or None for all")
    if size is None or size >= n:
        return tuple(range(n))
    drawn: list[int] = np.sort(generator.permutation(n)[:size]).tolist()
    return tuple(drawn)
