"""The plan of a report's figures: kinds, places and names."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any

import numpy as np
import pandas as pd
from altair.utils.schemapi import debug_mode
from numpy.typing import NDArray

from bench_lib.core.spec import digest
from bench_lib.report.analysis.calibration import measured
from bench_lib.report.analysis.dynamics import DYNAMICS
from bench_lib.report.analysis.efficiency import STORED
from bench_lib.report.analysis.opening import answered
from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import GROUP, drop_unused_categories, key_parts
from bench_lib.report.figures.agreement import agreement_figure
from bench_lib.report.figures.axes import AXES, axis_figure
from bench_lib.report.figures.axis_data import along
from bench_lib.report.figures.cost import cost_figure
from bench_lib.report.figures.critical_difference import critical_difference_figure
from bench_lib.report.figures.curves import curves_figure
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.forest import forest_figure
from bench_lib.report.figures.power import power_figure
from bench_lib.report.figures.profiles import profiles_figure
from bench_lib.report.figures.seeds import seeds_figure
from bench_lib.report.figures.tuning import rates_figure, search_figure
from bench_lib.report.figures.variance import variance_figure
from bench_lib.report.figures.words import LONGEST
from bench_lib.report.formatting import shorten

FIGURES = "figures"
"""The folder of the figures, beside the leaderboard."""

OF_GROUPS = ("cost", "profiles", "ranks", *(axis.kind for axis in AXES), "disagreement")
"""The kinds of figures that belong to a group."""

OF_TUNING = ("search", "rates")
"""The kinds of figures of a task on which techniques were tuned."""


@dataclass(frozen=True, eq=False)
class Part:
    """The data of the figures of one group, or of one of its tasks: a place and its rows.

    `cells` and `ranks` are empty for a task.
    """

    place: tuple[str, ...]
    runs: pd.DataFrame
    loss: NDArray[np.float32]
    cells: pd.DataFrame
    ranks: pd.DataFrame
    baseline: str


@dataclass(frozen=True, eq=False)
class FigurePlan:
    """A figure to be drawn, with all arguments, so that another process can draw it."""

    kind: str
    place: tuple[str, ...]
    make: Callable[..., Figure | None]
    arguments: tuple[Any, ...]

    @property
    def name(self) -> str:
        return name(self.kind, self.place)

    def figure(self) -> Figure | None:
        """The figure, or None without anything to draw."""
        # Without Altair's schema validation, which takes longer than the rest of a report; tests do it.
        with debug_mode(False):
            figure = self.make(*self.arguments, self.name)
        return None if figure is None else dataclasses.replace(figure, kind=self.kind, place=self.place)


def planned(summary: Summary) -> Iterator[FigurePlan]:
    """Plan the figures of a report: of each group, of each of its tasks, and of the whole.

    Each is planned when it is asked for, since it holds a copy of its runs.
    """
    yield from chain(_forest_plans(summary), _of_groups(summary), _variance_plans(summary), _tuning_plans(summary))
    known = measured()
    power = (known.of(tasks=1), known.design["alpha"], known.design["looks"][-1])
    yield FigurePlan("power", (), power_figure, power)


def figures(summary: Summary) -> list[Figure]:
    """All figures of a report, in the order of `planned`."""
    return [figure for plan in planned(summary) if (figure := plan.figure()) is not None]


def _of_groups(summary: Summary) -> Iterator[FigurePlan]:
    by_task = _rows(summary.runs, (*GROUP, "task"))
    cells, ranks = (_by_group(table) for table in (summary.cells, summary.ranks))
    no_cells, no_ranks = (table.iloc[:0] for table in (summary.cells, summary.ranks))
    for place, own in _rows(summary.runs, GROUP):
        whole = Part(place, *_taken(summary, own), cells[place], ranks.get(place, no_ranks), summary.baseline)
        yield from (FigurePlan(kind, place, *take(whole)) for kind, take in BY_GROUP.items())
        yield from _along_axes(summary, place)
        for at, chosen in by_task:
            if at[:-1] == place:
                part = Part(at, *_taken(summary, chosen), no_cells, no_ranks, summary.baseline)
                yield from (FigurePlan(kind, at, *take(part)) for kind, take in BY_TASK.items())


def _along_axes(summary: Summary, place: tuple[str, ...]) -> Iterator[FigurePlan]:
    """Figures along axes, which include cells of other groups: variants of the profile."""
    data, model, profile = place
    where = ", ".join(shorten(part, LONGEST) for part in (data, model, profile.partition(":")[0]))
    for axis in AXES:
        yield FigurePlan(axis.kind, place, axis_figure, (axis, along(axis, summary.cells, summary.runs, place), where))


def _rows(runs: pd.DataFrame, names: Sequence[str]) -> list[tuple[tuple[str, ...], NDArray[np.int64]]]:
    """The numbers of the rows of each place with runs, in the order of the places."""
    found = runs.groupby(list(names), observed=True).indices
    return sorted(((key_parts(key), rows) for key, rows in found.items()), key=itemgetter(0))


def _by_group(table: pd.DataFrame) -> dict[tuple[str, ...], pd.DataFrame]:
    return {key_parts(key): own for key, own in table.groupby(list(GROUP), sort=True, observed=True)}


def _taken(summary: Summary, rows: NDArray[np.int64]) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    return summary.runs.iloc[rows], summary.loss[rows]


def _forest_plans(summary: Summary) -> Iterator[FigurePlan]:
    """By kind of data, which are never compared."""
    for data, own in answered(summary).groupby("data", sort=True):
        yield FigurePlan("forest", (str(data),), forest_figure, (own, summary.baseline))


def _variance_plans(summary: Summary) -> Iterator[FigurePlan]:
    """By group: some have no ranked runs."""
    for key, own in summary.variance_components.groupby(list(GROUP), sort=True):
        yield FigurePlan("variance", key_parts(key), variance_figure, (own,))


def _tuning_plans(summary: Summary) -> Iterator[FigurePlan]:
    """By group and task, some without runs other than trials."""
    for key, own in summary.points.groupby([*GROUP, "task"], sort=True):
        yield FigurePlan("search", key_parts(key), search_figure, (own,))
        yield FigurePlan("rates", key_parts(key), rates_figure, (own,))


def _drawn(runs: pd.DataFrame) -> pd.DataFrame:
    """The columns that charts use; others, such as the specs, are large."""
    return drop_unused_categories(runs[[column for column in runs if column not in UNDRAWN]])


UNDRAWN = ("spec", "provenance", "reason", "started", "eval_step", "eval_score", *DYNAMICS, *STORED)
Taken = tuple[Callable[..., Figure | None], tuple[Any, ...]]
"""The function of a figure, and its arguments except the name."""

BY_GROUP: dict[str, Callable[[Part], Taken]] = {
    "cost": lambda part: (cost_figure, (part.cells, part.baseline)),
    "profiles": lambda part: (profiles_figure, (_drawn(part.runs), part.baseline)),
    "ranks": lambda part: (critical_difference_figure, (part.ranks, part.baseline)),
    "disagreement": lambda part: (agreement_figure, (part.cells, part.baseline)),
}
BY_TASK: dict[str, Callable[[Part], Taken]] = {
    "seeds": lambda part: (seeds_figure, (_drawn(part.runs), part.baseline)),
    "curves": lambda part: (curves_figure, (_drawn(part.runs), part.loss)),
}


def name(kind: str, place: tuple[str, ...] = ()) -> str:
    """A portable file name, with a digest if the text of the place is not a safe and unique name."""
    text = "-".join(place)
    safe = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:80]
    unique = safe == text and not any("-" in part for part in place)
    return "-".join(filter(None, [kind, safe, "" if unique else digest(place)[:8]]))
