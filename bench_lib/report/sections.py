"""The sections of the leaderboard as Markdown: tables of cells in, text out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from bench_lib.report import markdown as md
from bench_lib.report.keys import GROUP
from bench_lib.report.notes import FEW, LEAST, UNEQUAL
from bench_lib.report.tables import over_tasks, ranked
from bench_lib.spec import Status

Row = Any
"""A row of `itertuples` over cells and contrasts."""

TASK_HEAD = (
    *("technique", "seeds", "failed [95 %]", "MAD", "SD", "worst", "mean [95 %]", "Δ mean", "p failed", "p spread"),
    *("MAD ratio", "time", "tokens/s", "MiB"),
)


def overview(table: pd.DataFrame, baseline: str) -> str:
    """All tasks of one section: a row a technique, with MAD and failures of each task beside the figures over tasks."""
    tasks = sorted(set(table["task"]))
    summary = over_tasks(table).assign(_other=lambda t: t["technique"] != baseline)
    most = int(summary["tasks"].max())
    rows = []
    for row in summary.sort_values(["_other", "failure_rate", "technique"]).itertuples():
        own = table[table["technique"] == row.technique]
        unequal = UNEQUAL if row.tasks < most else ""
        cells = [_brief(own[own["task"] == task].itertuples()) for task in tasks]
        over = md.percent(row.mad_over_tasks)
        rows.append([md.escape(row.technique), *cells, md.percent(row.failure_rate, 1), over + unequal, str(row.tasks)])
    head = ["technique", *(f"{md.escape(t)}: MAD, failed" for t in tasks), "failed, mean", "MAD over tasks", "tasks"]
    return md.table(head, rows)


def task_table(table: pd.DataFrame, baseline: str) -> str:
    """One task of one section, a row a cell."""
    return md.table(TASK_HEAD, [_row(row) for row in ranked(table, baseline).itertuples()])


def task_lines(table: pd.DataFrame, baseline: str) -> list[str]:
    """What is to be said of one task beside its table: metric, baseline, and who declined."""
    first = next(table.itertuples())
    trivial = table["trivial_score"].dropna()
    floor = f", trivial score {md.percent(float(trivial.iloc[0]))}" if len(trivial) else ""
    against = sorted({md.escape(a) for a in table["against"] if a})
    lines = [f"Metric: {md.escape(first.metric) or 'none recorded'}{floor}. Compared with: {', '.join(against) or 'nothing'}."]
    if not against:
        lines.append(f"The baseline {md.escape(baseline)} was not run here.")
    for row in table[table["unsupported"] > 0].itertuples():
        lines.append(f"{md.escape(row.label)} declines: {md.escape(md.shorten(row.reason))}.")
    return lines


def seed_counts(table: pd.DataFrame) -> str:
    """How many seeds the cells have, and what follows."""
    counts = sorted(set(table["judged"]))
    span = str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"
    few = int((table["converged"] < LEAST).sum())
    text = f"Judged seeds per cell: {span}."
    if few:
        some = f"{few} of {len(table)} cells have" if len(table) > 1 else "The cell has"
        text += f" **{some} fewer than {LEAST} runs that converged ({FEW}): they decide nothing about spread.**"
    return text


def not_converged(frame: pd.DataFrame) -> str:
    """Every run that failed, was lost or declined, grouped where only the seeds differ; the frame is a keyed one."""
    rest = frame[frame["status"] != Status.CONVERGED]
    by = [*GROUP, "task", "label", "status", "reason"]
    rows = []
    for key, runs in rest.groupby(by, sort=True):
        assert isinstance(key, tuple)
        texts = [md.escape(md.shorten(part)) for part in key]
        rows.append([*texts[:-2], md.seeds(runs["seed"].tolist()), *texts[-2:]])
    if not rows:
        return "None: every run converged.\n"
    return md.table(["data", "model", "profile", "task", "technique", "seeds", "status", "reason"], rows, text_columns=8)


def listing(table: pd.DataFrame) -> str:
    """A frame of text as a table."""
    rows = [[md.escape(part) for part in row] for row in table.itertuples(index=False)]
    return md.table([str(c) for c in table.columns], rows, text_columns=len(table.columns))


def _brief(rows: Iterable[Row]) -> str:
    texts = [f"{md.percent(r.mad)}{FEW if r.converged < LEAST else ''}, {r.failed}/{r.judged}" if r.judged else md.DASH for r in rows]
    return "; ".join(texts) or md.DASH


def _row(row: Row) -> list[str]:
    return [md.escape(row.label), _seeds(row), _failed(row), *_spread(row), *_contrast(row), *_cost(row)]


def _seeds(row: Row) -> str:
    counted = str(row.judged) if row.judged == row.attempted else f"{row.judged} of {row.attempted}"
    return f"{counted} {FEW}" if row.converged < LEAST else counted


def _failed(row: Row) -> str:
    if not row.judged:
        return md.DASH
    rate = md.percent(row.failure_rate, 1)
    return f"{row.failed}/{row.judged} = {rate} {md.interval(row.failure_low, row.failure_high, 1)}"


def _spread(row: Row) -> list[str]:
    mean = f"{md.percent(row.mean)} {md.interval(row.mean_low, row.mean_high)}".strip()
    return [md.percent(row.mad), md.percent(row.sd), md.percent(row.minimum), mean]


def _contrast(row: Row) -> list[str]:
    if row.label == row.against:
        return ["baseline", *[md.DASH] * 4]
    spread = md.p_value(row.p_spread_holm)
    few = FEW if spread != md.DASH and min(row.converged, row.against_converged) < LEAST else ""
    ratio = "∞" if row.mad_ratio == float("inf") else md.number(row.mad_ratio)
    return [md.signed(row.mean_difference), md.p_value(row.p_failure_holm), spread + few, ratio, md.number(row.cost_ratio)]


def _cost(row: Row) -> list[str]:
    return [md.number(row.tokens_per_second, 0), md.number(row.peak_memory_mib, 0)]
