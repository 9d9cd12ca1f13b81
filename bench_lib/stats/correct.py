"""Correction of p-values for multiple tests; nan marks a test that was not done, which does not count."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from bench_lib.core.errors import BadValue, require

Floats = NDArray[np.float64]


def holm(p_values: ArrayLike) -> Floats:
    """P-values (m,) adjusted by Holm's step-down method, which bounds the chance of any false claim.

    Source: Holm 1979.
    """
    adjusted = _checked(p_values)
    tested = ~np.isnan(adjusted)
    order = np.argsort(adjusted[tested], kind="stable")
    factors = np.arange(order.size, 0, -1)
    rising = np.maximum.accumulate(adjusted[tested][order] * factors)
    adjusted[np.flatnonzero(tested)[order]] = np.minimum(rising, 1)
    return adjusted


def _checked(p_values: ArrayLike) -> Floats:
    """A copy of the p-values, each between 0 and 1 or nan."""
    try:
        values = np.array(p_values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise BadValue("p-values", p_values, "a sequence of numbers from 0 to 1, or nan") from error
    require(values.ndim == 1, "shape of the p-values", values.shape, "one dimension")
    for index in np.flatnonzero((values < 0) | (values > 1))[:1]:
        raise BadValue(f"p-value [{index}]", float(values[index]), "0 to 1, or nan for what was not tested")
    return values
