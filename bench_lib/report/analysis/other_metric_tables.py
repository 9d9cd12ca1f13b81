"""The section on metrics beside the primary one: tables of text for each task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report import formatting as md
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TableSection, TextTable
from bench_lib.report.cells import CELL_ID, GROUP, ROUNDING, key_parts
from bench_lib.report.glossary import ENTITIES, OTHER_METRICS, OUTPUTS
from bench_lib.report.prose import count
from bench_lib.tasks.formats.tag_metrics import OF_ENTITIES

TITLE = "Other metrics"
OUTPUT_SHARES = {"nonempty": "empty", "ended": "endless", "unrepeated": "repeating"}
"""The metrics that count outputs which are as they should be, and what the others are called."""
OUTPUT_HEAD = ("technique", "status", "runs", *OUTPUT_SHARES.values(), "repeating, worst run")

Row = dict[str, Any]
ByCell = dict[tuple[str, ...], dict[str, Row]]
"""The rows of each cell, or of each cell and status, by metric."""


def other_metrics_section(summary: Summary) -> TableSection:
    """The other metrics of a task beside its primary one, and what its outputs are; without tables where none has any.

    A table a task with rows of techniques, and one with the outputs of techniques, where the task has such metrics.
    """
    table = summary.other_metrics
    tables = [one for key, own in table.groupby([*GROUP, "task"], sort=True) for one in _of_task(key, own, summary)]
    metrics = {*table["metric"], *summary.cells["metric"]}
    notes = [OTHER_METRICS, *[OUTPUTS] * bool(metrics & {*OUTPUT_SHARES}), *[ENTITIES] * bool(metrics & {*OF_ENTITIES})]
    return TableSection("other-metrics", TITLE, "\n\n".join(notes), tables)


def _of_task(key: object, own: pd.DataFrame, summary: Summary) -> Iterator[TextTable]:
    data, model, profile, task = key_parts(key)
    place = f"{task} ({data}, {model}, {profile})"
    of_outputs = own["metric"].isin(OUTPUT_SHARES)
    plain = own[~of_outputs & (own["status"] == Status.CONVERGED)]
    if len(plain):
        yield _metrics_table(place, plain, summary.baseline)
    if of_outputs.any():
        yield _outputs_table(f"Outputs of {place}", own[of_outputs], summary.baseline)


def _metrics_table(title: str, own: pd.DataFrame, baseline: str) -> TextTable:
    """A row for each cell, in the order of cells with the baseline first."""
    names = sorted(set(own["metric"]))
    primary = max(own["primary"]) or "score"
    largest = own[["minimum", "maximum"]].abs().max(axis=1).groupby(own["metric"]).max()
    shares = {name: bool(largest[name] <= 1 + ROUNDING) for name in names}
    rows = []
    for cell, found in sorted(_by_cell(own, CELL_ID).items(), key=lambda item: _technique(item[0]) != baseline):
        most = max(found.values(), key=lambda row: int(row["runs"]))
        beside = _shown(most["primary_mean"], most["primary_mad"])
        shown = [_of_runs(found[name], shares[name], most["runs"]) if name in found else md.DASH for name in names]
        rows.append([_label(cell), str(most["runs"]), beside, *shown])
    return TextTable(title, ("technique", "runs", f"{primary} (primary)", *names), rows)


def _of_runs(row: Row, share: bool, runs: int) -> str:
    """Mean and MAD of a metric, and of how many runs where others of the cell are of more."""
    few = "" if row["runs"] == runs else f" ({count(row['runs'], 'run')})"
    return _shown(row["mean"], row["mad"], share) + few


def _outputs_table(title: str, own: pd.DataFrame, baseline: str) -> TextTable:
    """A row for each cell and status: the baseline first, then by the share of repeating outputs, most first."""
    cells = _by_cell(own, (*CELL_ID, "status"))
    looping: dict[str, float] = {}
    for key, found in cells.items():
        looping[_label(key)] = max(looping.get(_label(key), 0.0), _looping(found))
    order = sorted(cells, key=lambda key: (_technique(key) != baseline, -looping[_label(key)]))
    return TextTable(title, OUTPUT_HEAD, [_outputs(key, cells[key]) for key in order])


def _outputs(key: tuple[str, ...], found: dict[str, Row]) -> list[str]:
    shares = [
        _shown(1 - found[name]["mean"], found[name]["mad"]) if name in found else md.DASH for name in OUTPUT_SHARES
    ]
    worst = 1 - found["unrepeated"]["minimum"] if "unrepeated" in found else math.nan
    runs = max(row["runs"] for row in found.values())
    return [_label(key), key[-1], str(runs), *shares, md.percent(worst)]


def _looping(found: dict[str, Row]) -> float:
    return 1 - float(found["unrepeated"]["mean"]) if "unrepeated" in found else 0.0


def _by_cell(own: pd.DataFrame, by: Sequence[str]) -> ByCell:
    """The rows by metric of each key; of one cell those of converged runs are first."""
    found: ByCell = {}
    for row in own.sort_values(["status"], ascending=False, kind="stable").to_dict("records"):
        found.setdefault(tuple(str(row[name]) for name in by), {})[str(row["metric"])] = row
    return dict(sorted(found.items(), key=lambda item: item[0][: len(CELL_ID)]))


def _technique(key: tuple[str, ...]) -> str:
    return key[CELL_ID.index("technique")]


def _label(key: tuple[str, ...]) -> str:
    return key[CELL_ID.index("label")]


def _shown(value: float, spread: float, share: bool = True) -> str:
    """Mean and MAD, in percent points where the metric is a share."""
    return " \u00b1 ".join(md.percent(part) if share else _number(part) for part in (value, spread))


def _number(value: float) -> str:
    return f"{value:.4g}" if math.isfinite(value) else md.DASH
