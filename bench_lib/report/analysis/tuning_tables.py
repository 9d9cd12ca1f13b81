"""The tables on tuning as text: default and tuned arms side by side, and the spaces that were searched."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.report.analysis import tuning
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TextTable
from bench_lib.report.cells import GROUP

ARMS = ("technique", "settings of the tuned", "dev score", "mean", "MAD", "failed")
SPACES = ("technique", "points", "failed over the space [95 %]", "passes", "training, s")
BY = [*GROUP, "task"]


def tables(summary: Summary) -> Iterator[TextTable]:
    """Two tables for each task with trials."""
    arms, spaces = tuning.arms(summary.points, summary.cells, summary.runs), tuning.spaces(summary.points)
    for place in summary.points[BY].drop_duplicates().itertuples(index=False):
        data, model, profile, task = place
        where = f"{task} ({data}, {model}, {profile})"
        if tuned := [_arm(row) for row in _of(arms, place)]:
            yield TextTable(f"Default and tuned: {where}", ARMS, tuned)
        yield TextTable(f"The search: {where}", SPACES, [_space(row) for row in _of(spaces, place)])


def _of(table: pd.DataFrame, place: Sequence[str]) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = table[(table[BY].astype(str) == [*place]).all(axis=1)].to_dict("records")
    return rows


def _arm(row: dict[str, Any]) -> list[str]:
    scores = [md.percent(row[name]) for name in ("dev", "mean", "mad")]
    name, tuned = tuning.tuned_arm(row["technique"])
    settings = "the default" if row["settings"] == name else row["settings"] if tuned else ""
    return [row["label"], settings or md.DASH, *scores, f"{row['failed']}/{row['judged']}"]


def _space(row: dict[str, Any]) -> list[str]:
    failed = f"{row['failed']}/{row['judged']} {md.interval(row['failure_low'], row['failure_high'], 1)}"
    return [row["technique"], str(row["points"]), failed, md.number(row["passes"], 0), md.number(row["seconds"], 0)]
