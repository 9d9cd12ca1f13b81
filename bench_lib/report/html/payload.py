"""The runs embedded in the page: columns of fixed width, in the order of the cells."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.record import Status
from bench_lib.report.analysis.names import visible
from bench_lib.report.cells import CELL_ID, GROUP, numbers
from bench_lib.report.html.coding import (
    Coded,
    factored,
    halved,
    hexadecimal,
    linear,
    logarithmic,
    missing,
    narrow,
    ranges,
)
from bench_lib.report.html.reproduce import Commands

MOST_RUNS = 12_000
"""Maximum number of embedded runs; beyond it, the first seeds of each cell and the runs that failed."""

STATUSES = "CLDOTXU"
"""One letter per status, in the order of `Status`."""

SCORE, EVALUATION = 3, 2
"""Characters per number: 5 digits of a final score, about 3 of earlier scores."""

BOUND = 1e-5 * (missing(SCORE) - 1) / 2
"""Scores from -BOUND to BOUND, which is above 1, are stored in steps of 1e-5."""


def page_runs(runs: pd.DataFrame, most: int = MOST_RUNS) -> NDArray[np.bool_]:
    """Mask of the runs, sorted by cell and seed, that are embedded in a page of at most `most`: (runs,).

    All runs that did not converge, and as many first seeds of each cell as fit; only the latter if the former are too
    many.
    """
    if len(runs) <= most:
        return np.ones(len(runs), dtype=bool)
    places = runs.groupby(list(CELL_ID), sort=False, observed=True).cumcount().to_numpy()
    failed = (runs["status"] != str(Status.CONVERGED)).to_numpy()
    required = failed if failed.sum() <= most else np.zeros(len(runs), dtype=bool)
    counts = np.bincount(places[~required])
    first = int(np.searchsorted(np.cumsum(counts), most - required.sum(), side="right"))
    return np.asarray((places < max(first, 1)) | required)


def packed(runs: pd.DataFrame, loss: NDArray[np.float32], commands: Commands) -> dict[str, Any]:
    """The runs and their cells, both sorted by cell; `loss` is (runs, points)."""
    origins, schedules = Coded(), Coded()
    return {
        "statuses": dict(zip(STATUSES, map(str, Status), strict=True)),
        "cells": _cells(runs, commands),
        "runs": {
            "id": hexadecimal(runs["run_id"].astype(str).tolist()),
            "status": "".join(runs["status"].astype(str).map(dict(zip(map(str, Status), STATUSES, strict=True)))),
            "score": linear(numbers(runs["score"]), -BOUND, BOUND, SCORE).packed(),
            "seconds": logarithmic(numbers(runs["train_seconds"]), SCORE).packed(),
            "memory": logarithmic(numbers(runs["peak_memory_bytes"]) / 2**20, SCORE).packed(),
            "loss": {**halved(loss), "points": loss.shape[1]},
            "started": _times(runs["started"]),
            "schedule": narrow([_schedule(row, schedules) for row in _schedules(runs)]),
            "evaluations": linear(_flat(runs["eval_score"]), -1, 1, EVALUATION).packed(),
            "origin": narrow([origins.place(text, json.loads(text)) for text in runs["provenance"].astype(str)]),
        },
        "schedules": schedules.values,
        "reasons": _reasons(runs["reason"]),
        **_origins(origins),
    }


def _cells(runs: pd.DataFrame, commands: Commands) -> dict[str, Any]:
    groups, parts, notes, frames = Coded(), Coded(), Coded(), Coded()
    columns: dict[str, list[Any]] = {name: [] for name in ("label", "task", "metric", "group", "count", "seeds")}
    details: dict[str, list[Any]] = {name: [] for name in ("command", "notes", "spec")}
    for _, cell in runs.groupby(list(CELL_ID), sort=False, observed=True):
        first = cell.iloc[0]
        spec = visible(json.loads(str(first["spec"])))
        group = [str(first[name]) for name in GROUP]
        entries = (first["label"], first["task"], first["metric"], groups.place(tuple(group), group), len(cell))
        for name, value in zip(columns, (*entries, ranges(cell["seed"].tolist())), strict=True):
            columns[name].append(value)
        before, technique, after = commands.line(first, spec)
        details["command"].append([frames.place((before, after), [before, after]), technique])
        details["notes"].append([notes.place(note, note) for note in commands.notes(first, spec)])
        details["spec"] += factored([spec], parts)
    lists = {"groups": groups, "said": notes, "parts": parts, "frames": frames}
    return {**columns, **details, **{name: coded.values for name, coded in lists.items()}}


def _times(column: pd.Series[Any]) -> dict[str, Any]:
    """Start of each run, in seconds after `first` (seconds since 1970); 0 for unknown."""
    times = pd.to_datetime(column.astype(str), format="ISO8601", utc=True, errors="coerce")
    # In whole seconds: nanoseconds, the unit of a difference, end in the year 2262.
    seconds = times.dt.floor("s").dt.as_unit("s").dt.tz_localize(None).to_numpy().astype(np.int64)
    known = times.notna().to_numpy()
    first = int(seconds[known].min()) - 1 if known.any() else 0
    return {"first": first, **narrow(np.where(known, seconds - first, 0))}


def _schedules(runs: pd.DataFrame) -> list[tuple[int, tuple[int, ...]]]:
    pairs = zip(runs["steps"], runs["eval_step"], strict=True)
    return [(int(steps), tuple(int(step) for step in evaluations)) for steps, evaluations in pairs]


def _schedule(row: tuple[int, tuple[int, ...]], schedules: Coded) -> int:
    steps, evaluations = row
    return schedules.place(row, [steps, list(evaluations)])


def _flat(lists: pd.Series[Any]) -> NDArray[np.float64]:
    return np.concatenate([np.empty(0), *(np.asarray(one, dtype=np.float64) for one in lists)])


def _reasons(column: pd.Series[Any]) -> dict[str, Any]:
    """The reasons of runs, by the index of the run."""
    texts = Coded()
    places = {str(place): texts.place(text, text) for place, text in enumerate(column.astype(str)) if text}
    return {"texts": texts.values, "places": places}


def _origins(origins: Coded) -> dict[str, Any]:
    parts = Coded()
    return {"origins": factored(origins.values, parts), "facts": parts.values}
