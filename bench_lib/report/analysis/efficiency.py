"""What a cell's models are worth in use: under noise and attack, and what they take on a disk and in time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.record import LATENCIES
from bench_lib.report.cells import KEY, Cell

ROBUSTNESS = ("robust", "adversarial")
SIZES = ("trained_share", "saved_mib", "size_ratio", "sparsity", "latency_1_ratio", "latency_32_ratio")
MEASURES = (*ROBUSTNESS, *SIZES)
STORED = (
    *("robust_score", "adversarial_score", "parameters", "trainable_parameters", "saved_bytes", "uncompressed_bytes"),
    *("sparsity", *LATENCIES),
)
"""The columns of runs that it reads."""


def deployed(known: Iterable[Cell]) -> pd.DataFrame:
    """One row a cell, of its runs that converged: columns are `KEY` and `MEASURES`, nan for what is not known.

    `robust` and `adversarial` are mean scores, as fractions; the others are medians: `trained_share` and `sparsity` as
    fractions, `saved_mib` in MiB, and ratios of the compressed model to the same model before.
    """
    rows = [{**cell.named(), **_measures(cell)} for cell in known]
    return pd.DataFrame(rows, columns=[*KEY, *MEASURES])


def of_use(table: pd.DataFrame) -> pd.DataFrame:
    """The cells of which more is known than what share of the model they trained and how large that is."""
    told = [name for name in MEASURES if name not in ("trained_share", "saved_mib")]
    return table[table[told].notna().any(axis=1) | (table["trained_share"] < 1)]


def _measures(cell: Cell) -> dict[str, float]:
    held = {name: _held(cell, name) for name in STORED}
    return {
        "robust": _of(np.mean, held["robust_score"]),
        "adversarial": _of(np.mean, held["adversarial_score"]),
        "trained_share": _of(np.median, _over(held["trainable_parameters"], held["parameters"])),
        "saved_mib": _of(np.median, held["saved_bytes"]) / 2**20,
        "size_ratio": _of(np.median, _over(held["saved_bytes"], held["uncompressed_bytes"])),
        "sparsity": _of(np.median, held["sparsity"]),
        **{f"{n}_ratio": _of(np.median, _over(held[n], held[f"uncompressed_{n}"])) for n in LATENCIES[:2]},
    }


def _over(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratios, nan where there is nothing to divide by."""
    return ours / np.where(theirs > 0, theirs, math.nan)


def _held(cell: Cell, name: str) -> NDArray[np.float64]:
    """A column of the runs that converged; nan throughout where the frame has none."""
    return cell.measured(name) if name in cell.columns.frame else np.full(int(cell.survived.sum()), math.nan)


def _of(statistic: Callable[[NDArray[np.float64]], np.floating], found: NDArray[np.float64]) -> float:
    known = found[np.isfinite(found)]
    return float(statistic(known)) if known.size else math.nan
