"""The sections of the leaderboard as Markdown: tables of cells in, text out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report import columns
from bench_lib.report import formatting as md
from bench_lib.report.analysis import calibration, efficiency
from bench_lib.report.analysis.summary import over_tasks
from bench_lib.report.cells import GROUP
from bench_lib.report.column import View
from bench_lib.report.glossary import FEW, LEAST, NOISE, READING, USE, VARIANCE
from bench_lib.report.values import Value, within_noise

SOURCE_KEY = (*GROUP, "task", "label", "design", "source")

IN_OVERVIEW = ("failed_mean", "mad_over_tasks", "tasks")

VARIANCE_TITLE = "## Where the variance comes from"

Row = Any
"""A row of cells and contrasts, its columns as attributes."""


def each(table: pd.DataFrame) -> Iterator[Row]:
    """The rows of a table."""
    yield from table.itertuples()


def overview(table: pd.DataFrame, baseline: str) -> str:
    """All tasks of one section, one row per technique: MAD and failures of each task, and over tasks."""
    tasks = sorted(set(table["task"]))
    summary = over_tasks(table).assign(_other=lambda t: t["technique"] != baseline)
    summary = summary.assign(most_tasks=summary["tasks"].max())
    by_cell: dict[tuple[str, str], list[Row]] = {}
    for row in each(table):
        by_cell.setdefault((row.technique, row.task), []).append(row)
    declared = {column.name: column for column in columns.OVER_TASKS}
    shown = [declared[name] for name in IN_OVERVIEW]
    rows = []
    for over in columns.as_rows(summary.sort_values(["_other", "failure_rate", "technique"])):
        name = str(over["technique"])
        cells = [_brief(by_cell.get((name, task), [])) for task in tasks]
        rows.append([md.escape(name), *cells, *(str(column.format(over)) for column in shown)])
    head = ["technique", *(f"{md.escape(t)}: MAD, failed" for t in tasks), *(column.title for column in shown)]
    return md.table(head, rows)


def task_table(table: pd.DataFrame, baseline: str) -> str:
    """One task of one section, one row per cell."""
    return _shown(View.MARKDOWN, columns.in_order(table, baseline))


def efficiency_table(table: pd.DataFrame, baseline: str) -> str:
    """Efficiency, compression and robustness of the models of one task, one row per cell; empty if not measured."""
    known = efficiency.with_efficiency_metrics(table)
    return "" if known.empty else f"In use:\n\n{_shown(View.EFFICIENCY, columns.in_order(known, baseline))}"


def methods() -> str:
    """The section on the tables and the meanings of their columns."""
    rows = [(md.escape(title), md.escape(meaning)) for title, meaning in columns.glossary()]
    return f"## Methods\n\n{READING}\n\n{USE}\n\n" + md.table(("column", "meaning"), rows, text_columns=2)


def calibration_section() -> str:
    """The section on measured false alarms and power of the comparison."""
    rows = [[md.escape(part) for part in calibration.shown(row)] for row in calibration.measured().rows]
    return f"## How often the comparison errs\n\n{calibration.text()}\n\n{md.table(calibration.HEAD, rows)}"


def _shown(view: View, table: pd.DataFrame) -> str:
    """A table of the labels of cells and the columns of a view."""
    shown = columns.shown_in(view, table)
    rows = [
        [md.escape(row["label"]), *(_value(column.value(row, view)) for column in shown)]
        for row in columns.as_rows(table)
    ]
    return md.table(["technique", *(column.head(view) for column in shown)], rows)


def _value(value: Value) -> str:
    # Intervals are numbers in brackets, which need no escape.
    return f"{md.escape(value.text)}{value.mark} {value.interval}".strip()


def task_lines(table: pd.DataFrame, baseline: str) -> list[str]:
    """Notes on one task: metric, baseline, and the techniques that declined."""
    constant_baseline = table["trivial_score"].dropna()
    floor = f", constant baseline {md.percent(float(constant_baseline.iloc[0]))}" if len(constant_baseline) else ""
    against = sorted({md.escape(a) for a in table["against"] if a})
    metric = md.escape(max(table["metric"])) or "none recorded"
    compared = f"Compared with: {', '.join(against)}." if against else f"No run of {md.escape(baseline)}: not compared."
    lines = [f"Metric: {metric}{floor}. {compared}"]
    for row in each(table[table["unsupported"] > 0]):
        lines.append(f"{md.escape(row.label)} declines: {md.escape(md.shorten(row.reason))}.")
    return lines


def seed_counts(table: pd.DataFrame) -> str:
    """The range of judged seeds per cell, and a warning about cells with too few."""
    tried = table[table["attempted"] > table["unsupported"]]
    if tried.empty:
        return "Every technique declined."
    fewest, most = int(tried["judged"].min()), int(tried["judged"].max())
    few = int((tried["converged"] < LEAST).sum())
    text = f"Judged seeds per cell: {fewest if fewest == most else f'{fewest} to {most}'}."
    if few:
        which = f"{few} of {len(tried)} cells: fewer than {LEAST} runs that converged ({FEW})"
        text += f" **{which}, which decides nothing about spread.**"
    return text


def noise_known(table: pd.DataFrame) -> str:
    """For how many cells with runs that converged the noise floor is known, and how many do not rise above it."""
    own = columns.as_rows(table[table["converged"] > 0])
    known = sum(row["noise_seeds"] > 0 for row in own)
    if not known:
        return "The noise floor is known for no cell: no run was made again (`stabbench doctor --noise`)."
    below = sum(map(within_noise, own))
    tail = f"; {below} of these cells have a spread that is not above it ({NOISE})" if below else ""
    return f"The noise floor is known for {known} of {len(own)} cells{tail}."


def not_converged(frame: pd.DataFrame) -> str:
    """Runs that failed, were lost or declined, grouped by all but the seed; the frame has cell ids."""
    rest = frame[frame["status"] != Status.CONVERGED]
    return _apart(rest, _fates) or "None: every run converged.\n"


def _fates(rest: pd.DataFrame) -> str:
    by = [*GROUP, "task", "label", "status", "reason"]
    rows = []
    for key, runs in rest.groupby(by, sort=True, observed=True):
        assert isinstance(key, tuple)
        texts = [md.escape(md.shorten(part)) for part in key]
        rows.append([*texts[:-2], md.seeds(runs["seed"].tolist()), *texts[-2:]])
    return md.table([*GROUP, "task", "technique", "seeds", "status", "reason"], rows, text_columns=8)


def _apart(rows: pd.DataFrame, table: Callable[[pd.DataFrame], str]) -> str:
    """Separate tables of real and of embedded data."""
    return "\n".join(table(own) for _, own in rows.groupby(rows["data"].astype(str), sort=True))


def variance(table: pd.DataFrame) -> str:
    """The variance decomposition, one row per source, from `variance_components`; empty without any."""
    if table.empty:
        return ""
    return f"{VARIANCE_TITLE}\n\n{VARIANCE}\n\n{_apart(table, _sources)}"


def _sources(table: pd.DataFrame) -> str:
    rows = [[*(md.escape(getattr(row, name)) for name in SOURCE_KEY), *_source(row)] for row in each(table)]
    return md.table([*SOURCE_KEY, "SD [95 %]", "share", "runs", "failed", "note"], rows, text_columns=len(SOURCE_KEY))


def _source(row: Row) -> list[str]:
    """Square roots of a variance and its interval, in percent points; negative estimates show as 0."""
    sd, low, high = (math.sqrt(max(value, 0.0)) for value in (row.variance, row.low, row.high))
    return [
        f"{md.percent(sd)} {md.interval(low, high)}".strip(),
        md.rate(row.share, 0),
        str(row.runs),
        str(row.failed),
        md.escape(row.note),
    ]


def listing(table: pd.DataFrame) -> str:
    """A frame of text as a table."""
    rows = [[md.escape(part) for part in row] for row in table.itertuples(index=False)]
    return md.table([str(c) for c in table.columns], rows, text_columns=len(table.columns))


def _brief(rows: Iterable[Row]) -> str:
    return (
        "; ".join(f"{md.percent(r.mad)}{_few(r)}{_noise(r)}, {r.failed}/{r.judged}" for r in rows if r.judged)
        or md.DASH
    )


def _few(row: Row) -> str:
    """A mark on cells with too few runs for claims about spread; none if all runs were declined."""
    return FEW if row.converged < LEAST and row.attempted > row.unsupported else ""


def _noise(row: Row) -> str:
    """A mark on cells whose spread is not above the noise floor."""
    return NOISE if within_noise(row._asdict()) else ""
