"""The leaderboard as one Markdown text: a section per (data, model, profile), then what is common to all."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import pandas as pd

from bench_lib.report import calibrated, origin, sections
from bench_lib.report import markdown as md
from bench_lib.report.keys import GROUP, gather, keyed, texts
from bench_lib.report.notes import EMBEDDED, methods
from bench_lib.spec import Status

Names = Mapping[tuple[str, ...], str]


@dataclass(frozen=True)
class Pictures:
    """Where the figures lie, relative to the leaderboard: by group and task, by group, and the one of the power."""

    seeds: Names
    cost: Names
    power: str


@dataclass(frozen=True, eq=False)
class Results:
    """What a leaderboard is made of.

    The runs, cells joined with contrasts, where the variance comes from, the baseline, and files set aside.
    """

    frame: pd.DataFrame
    table: pd.DataFrame
    sources: pd.DataFrame
    baseline: str
    set_aside: Sequence[str] = ()


def leaderboard(results: Results, pictures: Pictures) -> str:
    """The whole text; the same results give the same text."""
    known = keyed(results.frame)
    parts = ["# Leaderboard\n", _summary(results, known)]
    for key, table in results.table.groupby(list(GROUP), sort=True):
        runs = known[(known[list(GROUP)] == list(texts(key))).all(axis=1)]
        parts.append(_section(texts(key), replace(results, frame=runs, table=table), pictures))
    parts += [text for text in [sections.variance(results.sources)] if text]
    parts.append("## Runs that failed, were lost or declined\n\n" + sections.not_converged(known))
    parts.append(methods())
    parts.append(calibrated.section(pictures.power))
    parts.append(_origin(results))
    return "\n".join(parts)


def _summary(results: Results, known: pd.DataFrame) -> str:
    counts = known["status"].value_counts()
    every = ", ".join(f"{counts[s]} {s}" for s in map(str, Status) if s in counts)
    lines = [f"{len(known)} runs: {every}. All columns are in [leaderboard.csv](leaderboard.csv)."]
    if known.empty:
        return "Every stored run has streams frozen in turn: there is nothing to rank, see the variance below.\n"
    if not (results.table["technique"] == results.baseline).any():
        lines.append(f"**No run of the baseline {md.escape(results.baseline)} is stored: nothing is compared.**")
    if results.set_aside:
        names = ", ".join(md.escape(name) for name in results.set_aside)
        lines.append(f"**Damaged files, set aside and not counted: {names}.**")
    return "\n\n".join(lines) + "\n"


def _section(group: tuple[str, ...], part: Results, pictures: Pictures) -> str:
    table, baseline = part.table, part.baseline
    data, model, profile = map(md.escape, group)
    parts = [f"## {data} data, model {model}, profile {profile}\n"]
    if group[0] == "embedded":
        parts.append(EMBEDDED + "\n")
    parts.append(sections.seed_counts(table) + "\n")
    if origin.machines(part.frame) > 1:
        parts.append("The runs come from several machines: seconds, tokens/s and memory are not comparable.\n")
    parts.append(sections.overview(table, baseline))
    parts.append(_picture("Stability against cost", pictures.cost[group]))
    for task in sorted(set(table["task"])):
        own = table[table["task"] == task]
        parts.append(f"### {md.escape(task)} ({data}, {model}, {profile})\n")
        parts.append("\n\n".join(sections.task_lines(own, baseline)) + "\n")
        parts.append(sections.task_table(own, baseline))
        parts.append(_picture(f"Seeds of {md.escape(task)}", pictures.seeds[(*group, task)]))
    return "\n".join(parts)


def _picture(caption: str, name: str) -> str:
    return f"![{caption}]({name})\n"


def _origin(results: Results) -> str:
    known = gather(results.frame)
    text = "## Provenance\n\nWhat the records say of where and with what they were made.\n\n"
    rows = [[md.escape(key), md.escape(md.shorten(value))] for key, value in origin.provenance(results.frame).items()]
    text += md.table(["key", "value"], rows, text_columns=2) + "\n"
    text += sections.listing(origin.fingerprints(known))
    several = origin.variants(known)
    if len(several):
        text += "\nCells of one name with different specs, each under its own suffix, and where they differ:\n\n"
        text += sections.listing(several)
    return text
