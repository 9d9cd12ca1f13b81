"""How long the runs of a plan take, by those that are stored: a training of each cell, and runs an hour."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime, timedelta

import numpy as np
import pandas as pd

from bench_lib.plans.stored import Cell, Known
from bench_lib.runner.limits import HOUR

WINDOW = timedelta(hours=6)
"""Time before now, or before the last run ended, over which the rate is computed."""
LATEST = 10
"""Trainings of a cell by which the time of the next ones is estimated: its latest, since machines differ."""


def typical_seconds(known: Known) -> dict[Cell, float]:
    """Median seconds of the latest trainings with their observers: of each cell, and of each beginning of a cell."""
    names = list(dict.fromkeys(cell.names for cell in known.cells.values()))
    latest = _trainings(known, {one: place for place, one in enumerate(names)})
    seconds: dict[Cell, list[float]] = defaultdict(list)
    for place, whole in zip(latest["names"], latest["seconds"], strict=True):
        cell = names[place]
        for length in range(len(cell) + 1):
            seconds[cell[:length]].append(whole)
    return {cell: float(np.median(values[-LATEST:])) for cell, values in seconds.items()}


def _trainings(known: Known, places: Mapping[Cell, int]) -> pd.DataFrame:
    """The latest trainings of each cell, by when they began; seed ensembles train nothing."""
    trainings = {cell.training: place for place, cell in enumerate(known.cells.values())}
    cells = [(known.cells[key], seeds, rows) for key, (seeds, rows) in known.stored.items()]
    cells = [one for one in cells if not one[0].spec.pools()]
    rows = np.concatenate([np.array([], dtype=np.int64), *(rows for *_, rows in cells)])
    frame = pd.DataFrame(
        {
            "row": rows,
            "names": np.repeat([places[cell.names] for cell, *_ in cells], [len(rows) for *_, rows in cells]),
            "training": np.repeat([trainings[cell.training] for cell, *_ in cells], [len(rows) for *_, rows in cells]),
            "seed": known.rows.seeds[rows],
            "setup": known.rows.setup[rows],
            "train": known.rows.train[rows],
            "evaluation": known.rows.evaluation[rows],
            "started": known.rows.started[rows],
        }
    )
    frame = frame[known.rows.completed[rows]].sort_values("row")
    # Those of one training share its setup and its steps, and each evaluates for itself.
    found = frame.groupby(["names", "training", "seed"], sort=False, as_index=False).agg(
        {"setup": "max", "train": "max", "evaluation": "sum", "started": "max"}
    )
    found["seconds"] = found["setup"] + found["train"] + found["evaluation"]
    found = found.sort_values("started", kind="stable", na_position="first")
    return found.groupby("names").tail(LATEST)


def estimated(cell: Cell, typical: Mapping[Cell, float]) -> float | None:
    """The seconds of a training by the nearest trainings that are stored."""
    return next((typical[cell[:n]] for n in range(len(cell), -1, -1) if cell[:n] in typical), None)


def rate(started: np.ndarray, seconds: np.ndarray, now: datetime | None) -> float | None:
    """Runs an hour in the last hours before now, or before the last run ended; None without any date."""
    dated = np.isfinite(started)
    begun, ended = started[dated], started[dated] + seconds[dated]
    if not len(begun):
        return None
    last = now.timestamp() if now else float(ended.max())
    first = max(last - WINDOW.total_seconds(), float(begun.min()))
    return float(((first < ended) & (ended <= last)).sum()) * HOUR / (last - first) if last > first else None
