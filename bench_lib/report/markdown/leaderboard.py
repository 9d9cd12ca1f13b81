"""The leaderboard as one Markdown text: a section per (data, model, profile), then what is common to all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from bench_lib.core.record import Status
from bench_lib.report import formatting as md
from bench_lib.report.analysis import provenance
from bench_lib.report.analysis.optional_sections import optional_sections
from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import EXTERNAL, GROUP, key_parts, split_cells
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.plan import BY_TASK, FIGURES, OF_GROUPS, OF_TUNING
from bench_lib.report.glossary import EMBEDDED, EXTERNAL_RUNS
from bench_lib.report.markdown import opening, optional, sections, tuning

NOTES = {"embedded": EMBEDDED, EXTERNAL: EXTERNAL_RUNS}
"""What is said first in the sections of runs that are not of real data."""


def leaderboard(summary: Summary, figures: Sequence[Figure], undrawn: Sequence[str] = ()) -> str:
    """The whole text, with the names of figures that could not be drawn; deterministic."""
    answer = opening.section(summary, lambda data: _shown(figures, "forest", (data,)))
    parts = ["# Leaderboard\n", *filter(None, [answer]), _summary(summary, undrawn)]
    for key, table in summary.cells.groupby(list(GROUP), sort=True):
        group = key_parts(key)
        runs = summary.runs[(summary.runs[list(GROUP)] == list(group)).all(axis=1)]
        parts.append(_section(group, replace(summary, runs=runs, cells=table), figures))
    variance = sections.variance(summary.variance_components)
    places = sorted({figure.place for figure in figures if figure.kind == "variance"})
    parts += [variance, *(_shown(figures, "variance", place) for place in places)] if variance else []
    if text := tuning.section(summary):
        places = sorted({figure.place for figure in figures if figure.kind in OF_TUNING})
        parts += [text, *(_shown(figures, kind, place) for place in places for kind in OF_TUNING)]
    parts += map(optional.section, optional_sections(summary))
    parts.append("## Runs that failed, were lost or declined\n\n" + sections.not_converged(summary.runs))
    parts.append(sections.methods())
    parts.append(sections.calibration_section() + "\n" + _shown(figures, "power"))
    parts.append(_provenance(summary))
    return "\n".join(parts)


def _summary(summary: Summary, undrawn: Sequence[str]) -> str:
    counts = summary.runs["status"].value_counts()
    every = ", ".join(f"{counts[s]} {s}" for s in map(str, Status) if s in counts)
    lines = [
        f"{len(summary.runs)} runs: {every}. The same with every run, sortable, is in [index.html](index.html) (save "
        "it and open it), all columns in [leaderboard.csv](leaderboard.csv); each figure's data lie beside it as CSV. "
        "What papers claim of the techniques is held against these runs in [claims.md](claims.md)."
    ]
    if summary.runs.empty:
        return "Every stored run is a trial or has streams frozen in turn: there is nothing to rank, see below.\n"
    if not (summary.cells["technique"] == summary.baseline).any():
        lines.append(f"**No run of the baseline {md.escape(summary.baseline)} is stored: nothing is compared.**")
    lines.append(sections.noise_known(summary.cells))
    lines += [f"**A figure is missing, since it could not be drawn: {md.escape(figure)}.**" for figure in undrawn]
    if summary.quarantined:
        names = ", ".join(md.escape(name) for name in summary.quarantined)
        lines.append(f"**Damaged files, set aside and not counted: {names}.**")
    return "\n\n".join(lines) + "\n"


def _section(group: tuple[str, ...], part: Summary, figures: Sequence[Figure]) -> str:
    table, baseline = part.cells, part.baseline
    data, model, profile = map(md.escape, group)
    what = "External runs" if group[0] == EXTERNAL else f"{data} data"
    parts = [f"## {what}, model {model}, profile {profile}\n"]
    if note := NOTES.get(group[0]):
        parts.append(note + "\n")
    parts.append(sections.seed_counts(table) + "\n")
    parts += [f"{warning}\n" for warning in provenance.warnings(part.runs)]
    parts.append(sections.overview(table, baseline))
    parts += [_shown(figures, kind, group) for kind in OF_GROUPS]
    for task in sorted(set(table["task"])):
        own = table[table["task"] == task]
        parts.append(f"### {md.escape(task)} ({data}, {model}, {profile})\n")
        parts.append("\n\n".join(sections.task_lines(own, baseline)) + "\n")
        parts.append(sections.task_table(own, baseline))
        parts.append(sections.efficiency_table(own, baseline))
        parts += [_shown(figures, kind, (*group, task)) for kind in BY_TASK]
    return "\n".join(filter(None, parts))


def _shown(figures: Sequence[Figure], kind: str, place: tuple[str, ...] = ()) -> str:
    """The figures of a kind at a place, with their alternative text."""
    found = [figure for figure in figures if (figure.kind, figure.place) == (kind, place)]
    return "".join(f"![{md.escape(f.title)}. {md.escape(f.alt)}]({FIGURES}/{f.name}.svg)\n" for f in found)


def _provenance(summary: Summary) -> str:
    known = split_cells(summary.runs)
    text = "## Provenance\n\nWhat the records say of where and with what they were made.\n\n"
    rows = [
        [md.escape(md.shorten(key)), md.escape(md.shorten(value))]
        for key, value in provenance.provenance(summary.runs).items()
    ]
    text += md.table(["key", "value"], rows, text_columns=2) + "\n"
    text += sections.listing(provenance.fingerprints(summary.runs))
    several = provenance.variants(known)
    if len(several):
        text += "\nCells of one name with different specs, each under its own suffix, and where they differ:\n\n"
        text += sections.listing(several)
    return text
