"""Correlations of predicted with right numbers, from -1 to 1; 0 where one is undefined.

It is undefined where either side is constant, to rounding, or holds what is no finite number. scipy's statistics take
half a second to import, so only what needs them imports them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CONSTANT = 1e-6
"""The range of values, against the largest of them, below which they differ by rounding in fp32 only."""


def pearson(_labels: Sequence[str], predictions: Sequence[float], references: Sequence[float]) -> float:
    """The correlation of predictions and references."""
    if not (_varies(predictions) and _varies(references)):
        return 0.0
    import scipy.stats

    return float(scipy.stats.pearsonr(predictions, references).statistic)


def spearman(_labels: Sequence[str], predictions: Sequence[float], references: Sequence[float]) -> float:
    """The correlation of the ranks of predictions and references; equal values share their mean rank."""
    if not (_varies(predictions) and _varies(references)):
        return 0.0
    import scipy.stats

    return float(scipy.stats.spearmanr(predictions, references).statistic)


def _varies(values: Sequence[float]) -> bool:
    found: NDArray[np.float64] = np.asarray(values, dtype=np.float64)
    return bool(np.isfinite(found).all() and np.ptp(found) > CONSTANT * np.abs(found).max())


CORRELATIONS = {"pearson": pearson, "spearman": spearman}
