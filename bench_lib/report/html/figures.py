"""The figures as the page holds them: spec and data, drawn when their view opens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench_lib.report.cells import CELL_ID
from bench_lib.report.figures.figure import Figure
from bench_lib.report.html.coding import Coded, linear, logarithmic, repeated, short, stretches

SEEDS = "seeds"
"""The kind of the figures of runs."""

DERIVED = frozenset({"technique", "seed", "score", "status", "run"})
"""Columns of a figure of seeds that the page takes from its runs."""

VIEWS = {
    "seeds": "Seeds",
    "cost": "Cost",
    "curves": "Curves",
    "profiles": "Profiles",
    "ranks": "Critical difference",
    "variance": "Variance",
    "sizes": "Sizes",
    "shots": "Examples per class",
    "noise": "Label noise",
    "disagreement": "Disagreement",
    "power": "Power",
    "more": "More figures",
}
"""Views that show figures, by their kind; those of another stand under `more`."""

WIDE, NARROW = 3, 2
"""Characters of a number: a 262,142nd of the range of its column, or a 4,094th in a column of more than `MANY`."""

MANY = 500

FAR = 100.0
"""Ratio of the largest number to the smallest from which a column's steps are ratios."""


@dataclass(frozen=True, eq=False)
class Runs:
    """The runs that the page holds: the place of each by its id, its cell, and the label of each cell."""

    places: Mapping[str, int]
    cells: Sequence[int]
    labels: Sequence[str]


def indexed(runs: pd.DataFrame) -> Runs:
    """The index of runs that are sorted by cell."""
    grouped = runs.groupby(list(CELL_ID), sort=False, observed=True)
    places = {run: place for place, run in enumerate(runs["run_id"].astype(str))}
    firsts = runs[list(CELL_ID)].astype(str).drop_duplicates()
    return Runs(places, grouped.ngroup().tolist(), firsts["label"].tolist())


def view_of(figure: Figure) -> str:
    """The view that shows a figure."""
    return figure.kind if figure.kind in VIEWS else "more"


def packed(figure: Figure, runs: Runs) -> dict[str, Any]:
    """A figure's data in columns; of seeds, the places of those runs that the page holds."""
    if figure.kind != SEEDS or set(figure.data) != DERIVED:
        return {"blocks": _blocks(figure.data)}
    pairs = zip(figure.data["run"].astype(str), figure.data["technique"].astype(str), strict=True)
    named = [(runs.places[run], name) for run, name in pairs if run in runs.places]
    # Only names that are not the cell's own label are told.
    names = {str(cell): name for place, name in named if runs.labels[cell := runs.cells[place]] != name}
    return {"runs": stretches([place for place, _ in named]), "names": names}


def _blocks(data: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows that lack the same columns, each kind with the columns that it has."""
    lacking = data.isna().apply(tuple, axis=1) if len(data) else pd.Series(dtype=object)
    blocks = []
    for _, rows in data.groupby(lacking, sort=False):
        known = [name for name in rows if rows[name].notna().all()]
        blocks.append({"rows": len(rows), "columns": {str(name): _column(rows[name]) for name in known}})
    return blocks


def _column(column: pd.Series[Any]) -> object:
    """A column's values: those that repeat once each, with the places of the rows' own, and numbers on a scale."""
    values = [short(value) for value in column.astype(object)]
    if 2 * len(set(values)) <= len(values):
        texts = Coded()
        return {**repeated([texts.place(value, value) for value in values]), "values": texts.values}
    if any(not isinstance(value, float) for value in values):
        return values
    numbers = np.array(values, dtype=np.float64)
    low, high = float(numbers.min()), float(numbers.max())
    far = low > 0 and high > FAR * low
    width = NARROW if len(numbers) > MANY else WIDE
    return (logarithmic(numbers, width) if far else linear(numbers, low, high, width)).packed()
