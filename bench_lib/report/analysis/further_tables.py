"""The sections on further evaluation sets and on forgetting: tables of text for each task."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TableSection, TextTable
from bench_lib.report.cells import GROUP, key_parts
from bench_lib.report.glossary import FORGETTING, FURTHER

FURTHER_TITLE, FORGETTING_TITLE = "Further evaluation sets", "Forgetting"
FURTHER_HEAD = ("technique", "set", "measure", "runs", "mean", "MAD", "mean on the task", "MAD on the task")
FORGETTING_HEAD = ("technique", "runs", "perplexity before", "after", "ln(after / before)", "its MAD")

Row = dict[str, Any]


def further_section(summary: Summary) -> TableSection:
    """Scores on further sets beside those on the task, a table a task; without tables where no run has any."""
    tables = _by_task(summary.further, FURTHER_HEAD, _score, summary.baseline)
    return TableSection("further", FURTHER_TITLE, FURTHER, tables)


def forgetting_section(summary: Summary) -> TableSection:
    """Perplexity on general text before and after training, a table a task; without tables where not measured."""
    tables = _by_task(summary.forgetting, FORGETTING_HEAD, _perplexity, summary.baseline)
    return TableSection("forgetting", FORGETTING_TITLE, FORGETTING, tables)


def _by_task(
    table: pd.DataFrame, head: tuple[str, ...], shown: Callable[[Row], list[str]], baseline: str
) -> list[TextTable]:
    found = []
    for key, own in table.groupby([*GROUP, "task"], sort=True):
        data, model, profile, task = key_parts(key)
        rows: list[Row] = own.to_dict("records")
        rows.sort(key=lambda row: row["technique"] != baseline)
        found.append(TextTable(f"{task} ({data}, {model}, {profile})", head, [shown(row) for row in rows]))
    return found


def _score(row: Row) -> list[str]:
    scores = [md.percent(row[name]) for name in ("mean", "mad", "task_mean", "task_mad")]
    return [row["label"], md.shorten(row["set"]), md.shorten(row["measure"]), str(row["runs"]), *scores]


def _perplexity(row: Row) -> list[str]:
    perplexities = [f"{row[name]:.4g}" for name in ("perplexity_before", "perplexity")]
    changes = [md.number(row[name], 3) for name in ("log_ratio", "log_ratio_mad")]
    return [row["label"], str(row["runs"]), *perplexities, *changes]
