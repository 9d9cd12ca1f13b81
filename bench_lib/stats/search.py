"""A search over settings: what a trial is worth, and the expected best of part of the trials."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def trial_score(converged: bool, score: float | None, constant_baseline: float | None) -> float:
    """The score of a trial; a failed one is worth no more than the constant baseline, or 0 where that is unknown."""
    known = 0.0 if constant_baseline is None or math.isnan(constant_baseline) else constant_baseline
    return score if converged and score is not None else known


def expected_best(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """The expected best of the first k trials of a random order, for k from 1 on: (trials,) -> (trials,).

    Exact for these trials, drawn without replacement: the i-th smallest of n is the best of k in C(i - 1, k - 1) of
    C(n, k) ways. Dodge et al. 2019, "Show Your Work", draw with replacement, which is biased (Tang et al. 2020,
    arXiv:2004.13705); beyond the trials nothing is said.
    """
    ordered = np.sort(scores)
    n = len(ordered)
    ways = [[math.comb(i, k) / math.comb(n, k + 1) for i in range(n)] for k in range(n)]
    return np.asarray(ways, dtype=np.float64).reshape(n, n) @ ordered
