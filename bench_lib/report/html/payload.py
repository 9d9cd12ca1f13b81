"""The data of the page's script: the runs with their cells, and the figures."""

from __future__ import annotations

import base64
import json
import math
import re
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.record import Status
from bench_lib.report.analysis.names import visible
from bench_lib.report.cells import CELL_ID, GROUP, numbers
from bench_lib.report.figures.figure import Figure
from bench_lib.report.html.reproduce import Commands

MOST_RUNS = 12_000
"""Maximum number of embedded runs; beyond it, the first seeds of each cell and the runs that failed."""

DIGITS = 5
"""Significant digits of the numbers of figures."""

LOSS_DIGITS = 3

LARGE = 2**22
SMALLEST, FASTER = 9, 6
"""Levels of compression, of data up to so many bytes and of more, which at the first take longer than all figures."""

EMBEDDED = re.compile(rb'(?<=<script type="text/plain" id="data">)[A-Za-z0-9+/=]+(?=</script>)')
"""The compressed data in a page."""


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


def compressed(value: Mapping[str, Any]) -> str:
    """JSON, deflated and in base 64, as the script of the page reads it."""
    text = json.dumps(value, allow_nan=False, separators=(",", ":")).encode("ascii")
    level = SMALLEST if len(text) <= LARGE else FASTER
    return base64.b64encode(zlib.compress(text, level=level)).decode("ascii")


def inflated(page: bytes) -> bytes:
    """The page with its data as plain JSON: the bytes of deflate depend on the library that compresses them."""
    return EMBEDDED.sub(lambda found: zlib.decompress(base64.b64decode(found[0])), page)


def run_columns(runs: pd.DataFrame, loss: NDArray[np.float32]) -> dict[str, list[Any]]:
    """The runs by column, rounded to what the page shows; `loss` is (runs, points).

    `cell` and `provenance` are indices into `cells` and `provenances` of the same runs.
    """
    started = pd.to_datetime(runs["started"].astype(str), format="ISO8601", utc=True, errors="coerce")
    return {
        "id": _texts(runs["run_id"]),
        "cell": runs.groupby(list(CELL_ID), sort=False, observed=True).ngroup().tolist(),
        "seed": runs["seed"].tolist(),
        "status": _texts(runs["status"]),
        "reason": _texts(runs["reason"]),
        "score": _rounded(numbers(runs["score"]), 5),
        "seconds": _rounded(numbers(runs["train_seconds"]), 1),
        "memory_mib": _rounded(numbers(runs["peak_memory_bytes"]) / 2**20, 0),
        "steps": runs["steps"].tolist(),
        "evaluation_steps": [[int(step) for step in steps] for steps in runs["eval_step"]],
        "evaluations": [_rounded(np.asarray(scores, dtype=np.float64), 3) for scores in runs["eval_score"]],
        "loss": [_significant(losses, LOSS_DIGITS) for losses in loss],
        "started": started.dt.strftime("%Y-%m-%d %H:%M:%S UTC").fillna("").tolist(),
        "provenance": pd.factorize(runs["provenance"].astype(str))[0].tolist(),
    }


def provenances(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """The different provenances of the runs."""
    return [json.loads(text) for text in runs["provenance"].astype(str).unique()]


def cells(runs: pd.DataFrame, commands: Commands) -> list[dict[str, Any]]:
    """The cells of the runs, both in the same order, with the command that repeats a run, but for its seed."""
    found = []
    for _, first in runs.drop_duplicates(list(CELL_ID)).iterrows():
        spec = visible(json.loads(str(first["spec"])))
        found.append(
            {
                **{name: str(first[name]) for name in ("label", "task", "metric", *GROUP)},
                "command": commands.line(first, spec),
                "notes": commands.notes(first, spec),
                "spec": spec,
            }
        )
    return found


def figure_data(figure: Figure, run_ids: Sequence[str]) -> dict[str, Any]:
    """A figure's specification and data by column; runs are indices into `run_ids`, rows of other runs are left out."""
    data = figure.data
    if "run" in data:
        places = data["run"].astype(str).map({run: place for place, run in enumerate(run_ids)})
        data = data.assign(run=places)[places.notna()].astype({"run": int})
    return {"spec": figure.spec, "columns": {str(name): _json_values(data[name]) for name in data}}


def _json_values(column: pd.Series[Any]) -> list[Any]:
    if column.dtype == np.float64:
        return list(_significant(column.to_numpy(), DIGITS))
    return [json_value(value) for value in column.astype(object)]


def _significant(values: NDArray[np.floating], digits: int) -> list[float | None]:
    """As `json_value` of each number."""
    return [float(f"{value:.{digits}g}") if math.isfinite(value) else None for value in values.tolist()]


def json_value(value: object, digits: int = DIGITS) -> object:
    """A value as JSON takes it: a number to so many significant digits, None for what is not finite."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return None if value is None else str(value)


def _rounded(values: NDArray[np.float64], decimals: int) -> list[float | None]:
    return [round(value, decimals) if math.isfinite(value) else None for value in values.tolist()]


def _texts(column: pd.Series[Any]) -> list[str]:
    texts: list[str] = column.astype(str).tolist()
    return texts
