"""The self-contained HTML page: tables, figures, runs, techniques, tasks and method notes."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench_lib.report import columns
from bench_lib.report import formatting as md
from bench_lib.report.analysis import calibration, provenance
from bench_lib.report.analysis.results import Summary
from bench_lib.report.column import Column, View
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.plan import FIGURES
from bench_lib.report.figures.style import DARK, LIGHT
from bench_lib.report.glossary import TUNING
from bench_lib.report.html import methods, opening, payload
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.report.html.reproduce import Commands
from bench_lib.report.html.rows import ON_PAGE
from bench_lib.report.html.scripts import charts_script, digest, inline, tables_script
from bench_lib.report.html.summaries import folded, heading
from bench_lib.report.html.views import Views
from bench_lib.report.prose import anchor, linked

FIRST = Markup("document.documentElement.classList.add('js')")
"""The first script: with scripts enabled, the page shows one view at a time."""


FIGURE_VIEWS = {
    "seeds": "Seeds",
    "cost": "Cost",
    "curves": "Curves",
    "profiles": "Profiles",
    "ranks": "Critical difference",
    "variance": "Variance",
    "search": "Tuning",
    "rates": "Learning rates",
    "sizes": "Sizes",
    "shots": "Examples per class",
    "noise": "Label noise",
    "disagreement": "Disagreement",
    "power": "Power",
    "forest": "Decided",
    "more": "More figures",
}
"""Views that show figures, by their kind; figures of another kind stand under `more`."""

ELSEWHERE = ("power", "forest")
"""Kinds of figures that other views show."""

NAMES_BEFORE = {View.PAGE: 3, View.TASK: 2, View.TECHNIQUE: 1, View.EFFICIENCY: 1}
"""The number of columns before the values in each table."""


def build(summary: Summary, drawn: Sequence[Figure], catalogue: Catalogue, undrawn: Sequence[str] = ()) -> str:
    """The page as HTML, with the names of figures that could not be drawn; deterministic.

    It loads no external resource, and links to the data files of its figures beside it.
    """
    environment = _environment()
    scripts = [inline(tables_script()), inline(charts_script()), inline(_text(environment, "page.js"))]
    context = {
        **_tables(summary, catalogue),
        **_methods(summary),
        **_figures(drawn),
        "undrawn": undrawn,
        "payload": payload.compressed(_payload(summary, drawn, catalogue)),
        "scripts": scripts,
        "first": FIRST,
        "policy": _policy([FIRST, *scripts]),
        "style": Markup(_text(environment, "page.css")),
    }
    return environment.get_template("page.html.j2").render(context)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bench_lib.report.html", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"linked": linked, "anchor": anchor, "line": md.plain}
    return environment


def _text(environment: Environment, name: str) -> str:
    """The text of a file of this package."""
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _policy(scripts: Sequence[Markup]) -> str:
    """A content security policy that allows only these scripts and no external resource."""
    allowed = " ".join(digest(script) for script in scripts)
    return f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; base-uri 'none'"


def _tables(summary: Summary, catalogue: Catalogue) -> dict[str, Any]:
    views = Views(summary, catalogue)
    counts = summary.runs["status"].astype(str).value_counts()
    shown = {view.name.lower(): columns.shown_in(view, summary.cells) for view in ON_PAGE}
    return {
        **opening.context(summary),
        "summaries": [[(heading(one.group), one) for one in part] for part in folded(views.summaries())],
        "leaderboards": views.leaderboards(),
        "over": views.over_tasks(),
        "techniques": views.techniques(),
        "tasks": views.tasks(),
        "columns": shown | {"over": columns.OVER_TASKS},
        "starts": {view.name.lower(): _start(view, shown[view.name.lower()]) for view in ON_PAGE},
        "baseline": summary.baseline,
        "runs": len(summary.runs),
        "statuses": sorted(counts.items(), key=lambda item: (-item[1], item[0])),
    }


def _start(view: View, shown: Sequence[Column]) -> list[list[int | str]]:
    """The initial sort order of a table in the format of DataTables."""
    names = [column.name for column in shown]
    before = NAMES_BEFORE[view]
    return [[before + names.index(name), "asc"] for name in columns.default_order() if name in names]


def _methods(summary: Summary) -> dict[str, Any]:
    return {
        "paragraphs": methods.paragraphs(summary),
        "few": methods.seeds_note(summary.cells),
        "meanings": methods.meanings(),
        "calibration_text": calibration.text(),
        "calibration": methods.calibration_table(),
        "tuning_text": TUNING.replace("*", ""),
        "tuning": methods.tuning_tables(summary),
        "optional": methods.optional(summary),
        "provenance": methods.provenance_tables(summary.runs),
        "machines": provenance.machines(summary.runs),
        "failures": methods.failures(summary.runs),
        "quarantined": [md.plain(name) for name in summary.quarantined],
        "runs_on_page": int(payload.page_runs(summary.runs).sum()),
    }


def _figures(drawn: Sequence[Figure]) -> dict[str, Any]:
    """The figures with their indices, by view and by task."""
    by_view: dict[str, list[tuple[int, Figure]]] = {view: [] for view in FIGURE_VIEWS}
    by_task: dict[str, list[tuple[int, Figure]]] = {}
    for number, figure in enumerate(drawn):
        by_view[figure.kind if figure.kind in FIGURE_VIEWS else "more"].append((number, figure))
        by_task.setdefault(figure.task, []).append((number, figure))
    return {
        "by_view": by_view,
        "by_task": by_task,
        "galleries": [(v, title) for v, title in FIGURE_VIEWS.items() if by_view[v] and v not in ELSEWHERE],
        "folder": FIGURES,
    }


def _payload(summary: Summary, drawn: Sequence[Figure], catalogue: Catalogue) -> Mapping[str, Any]:
    embedded = payload.page_runs(summary.runs)
    runs = payload.run_columns(summary.runs[embedded], summary.loss[embedded])
    return {
        "runs": runs,
        "cells": payload.cells(summary.runs[embedded], Commands(catalogue)),
        "provenances": payload.provenances(summary.runs[embedded]),
        "figures": [payload.figure_data(figure, runs["id"]) for figure in drawn],
        "themes": {"light": LIGHT, "dark": DARK},
    }
