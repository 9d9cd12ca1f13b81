"""Efficiency, compression and robustness metrics of the models of a cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.record import LATENCIES
from bench_lib.report.cells import CELL_ID, Cell

ROBUSTNESS = ("robust", "adversarial")
SIZES = ("trained_share", "saved_mib", "size_ratio", "sparsity", "latency_1_ratio", "latency_32_ratio")
MEASURES = (*ROBUSTNESS, *SIZES)
STORED = (
    *("robust_score", "adversarial_score", "parameters", "trainable_parameters", "saved_bytes", "uncompressed_bytes"),
    *("sparsity", *LATENCIES),
)
"""The stored columns of runs that the metrics are computed from."""


def efficiency_metrics(known: Iterable[Cell]) -> pd.DataFrame:
    """One row per cell, over its converged runs: columns are `CELL_ID` and `MEASURES`, NaN for unknown values.

    `robust` and `adversarial` are mean scores, as fractions; the others are medians: `trained_share` and `sparsity` as
    fractions, `saved_mib` in MiB, and ratios of the compressed model to the same model before.
    """
    rows = [{**cell.id_fields(), **_measures(cell)} for cell in known]
    return pd.DataFrame(rows, columns=[*CELL_ID, *MEASURES])


def with_efficiency_metrics(table: pd.DataFrame) -> pd.DataFrame:
    """Cells with a robustness or compression measure, or with frozen parameters."""
    measures = [name for name in MEASURES if name not in ("trained_share", "saved_mib")]
    return table[table[measures].notna().any(axis=1) | (table["trained_share"] < 1)]


def _measures(cell: Cell) -> dict[str, float]:
    stored = {name: _column(cell, name) for name in STORED}
    return {
        "robust": _aggregate(np.mean, stored["robust_score"]),
        "adversarial": _aggregate(np.mean, stored["adversarial_score"]),
        "trained_share": _aggregate(np.median, _ratio(stored["trainable_parameters"], stored["parameters"])),
        "saved_mib": _aggregate(np.median, stored["saved_bytes"]) / 2**20,
        "size_ratio": _aggregate(np.median, _ratio(stored["saved_bytes"], stored["uncompressed_bytes"])),
        "sparsity": _aggregate(np.median, stored["sparsity"]),
        **{f"{n}_ratio": _aggregate(np.median, _ratio(stored[n], stored[f"uncompressed_{n}"])) for n in LATENCIES[:2]},
    }


def _ratio(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ratios, NaN for denominators that are not positive."""
    return ours / np.where(theirs > 0, theirs, math.nan)


def _column(cell: Cell, name: str) -> NDArray[np.float64]:
    """A column of the converged runs; all NaN if the frame does not have it."""
    return (
        cell.converged_numbers(name)
        if name in cell.columns.frame
        else np.full(int(cell.converged_mask.sum()), math.nan)
    )


def _aggregate(statistic: Callable[[NDArray[np.float64]], np.floating], values: NDArray[np.float64]) -> float:
    known = values[np.isfinite(values)]
    return float(statistic(known)) if known.size else math.nan
