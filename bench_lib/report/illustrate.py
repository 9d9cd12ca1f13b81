"""Which figures a report has, where each belongs, and what it is called."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from altair.utils.schemapi import debug_mode
from numpy.typing import NDArray

from bench_lib.report.calibrated import measured
from bench_lib.report.charts import sizes
from bench_lib.report.charts.agreement import agreement_figure
from bench_lib.report.charts.cost import cost_figure
from bench_lib.report.charts.critical_difference import critical_difference_figure
from bench_lib.report.charts.curves import curves_figure
from bench_lib.report.charts.figure import Figure
from bench_lib.report.charts.power import power_figure
from bench_lib.report.charts.profiles import profiles_figure
from bench_lib.report.charts.seeds import seeds_figure
from bench_lib.report.charts.sizes import sizes_figure
from bench_lib.report.charts.variance import variance_figure
from bench_lib.report.findings import Findings
from bench_lib.report.keys import GROUP, identity, texts
from bench_lib.spec import digest

FIGURES = "figures"
"""The folder of the figures, beside the leaderboard."""

KINDS = ("cost", "profiles", "ranks", "sizes", "disagreement", "seeds", "curves", "variance", "power")
"""The first words of the figures' names."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure, its kind, and where it belongs: to a group, to a task of one, or to the whole (an empty place)."""

    kind: str
    place: tuple[str, ...]
    figure: Figure


def illustrate(findings: Findings) -> list[Picture]:
    """All figures of a report: those of each group, of each of its tasks, and those of the whole."""
    # Altair would hold every part of every chart against its schema, which takes longer than all else; tests do it.
    with debug_mode(False):
        return list(_illustrated(findings))


def _illustrated(findings: Findings) -> Iterator[Picture]:
    known = measured()
    power = power_figure(known.of(tasks=1), known.design["alpha"], known.design["looks"][-1], name("power"))
    made = [*_of_groups(findings), *_of_sources(findings), ("power", (), power)]
    yield from (Picture(kind, place, figure) for kind, place, figure in made if figure is not None)


def _of_groups(findings: Findings) -> Iterator[tuple[str, tuple[str, ...], Figure | None]]:
    rows = np.arange(len(findings.runs))
    keys = findings.runs[[*GROUP, "task"]].astype(str)
    for group, own in sorted(keys.groupby(list(GROUP)).groups.items()):
        part = Part(findings, texts(group), rows[own])
        yield from ((kind, part.group, make(part)) for kind, make in BY_GROUP.items())
        for task, chosen in sorted(keys.loc[own].groupby("task").groups.items()):
            of_task = Part(findings, (*part.group, str(task)), rows[chosen])
            yield from ((kind, of_task.group, make(of_task)) for kind, make in BY_TASK.items())


def _of_sources(findings: Findings) -> Iterator[tuple[str, tuple[str, ...], Figure | None]]:
    """By group, of which the runs that are ranked may hold nothing."""
    for key, own in findings.sources.groupby(list(GROUP), sort=True):
        yield "variance", texts(key), variance_figure(own, name("variance", texts(key)))


@dataclass(frozen=True, eq=False)
class Part:
    """What a figure of one group, or of a task of it, is made of: a place, and the rows of its runs."""

    findings: Findings
    group: tuple[str, ...]
    rows: NDArray[np.int64]

    def of(self, table: pd.DataFrame) -> pd.DataFrame:
        """The rows of a table of cells or techniques that belong here."""
        names = [*GROUP, "task"][: len(self.group)]
        return table[(table[names].astype(str) == list(self.group)).all(axis=1)]

    @property
    def runs(self) -> pd.DataFrame:
        return self.findings.runs.iloc[self.rows]

    @property
    def baseline(self) -> str:
        return self.findings.baseline


BY_GROUP: dict[str, Callable[[Part], Figure | None]] = {
    "cost": lambda part: cost_figure(part.of(part.findings.cells), part.baseline, name("cost", part.group)),
    "profiles": lambda part: profiles_figure(part.runs, part.baseline, name("profiles", part.group)),
    "ranks": lambda part: critical_difference_figure(
        part.of(part.findings.ranks), part.baseline, name("ranks", part.group)
    ),
    "sizes": lambda part: sizes_figure(
        sized(part.of(part.findings.cells), part.runs), ", ".join(part.group), name("sizes", part.group)
    ),
    "disagreement": lambda part: agreement_figure(
        part.of(part.findings.cells), part.baseline, name("disagreement", part.group)
    ),
}
BY_TASK: dict[str, Callable[[Part], Figure | None]] = {
    "seeds": lambda part: seeds_figure(part.runs, part.baseline, name("seeds", part.group)),
    "curves": lambda part: curves_figure(part.runs, part.findings.loss[part.rows], name("curves", part.group)),
}


def sized(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The cells whose settings differ in the number of training examples alone, as rows of `charts.sizes`."""
    specs = dict(zip(runs["variant"].astype(str), runs["spec"].astype(str), strict=True))
    found = cells.assign(**_sizes([specs[str(variant)] for variant in cells["variant"]]))
    several = found.groupby(["task", "technique", "rest"])["train_examples"].transform("nunique") > 1
    kept = found[several & found["train_examples"].notna()]
    return kept.assign(seeds=kept["converged"])[[*sizes.COLUMNS]]


def _sizes(specs: Sequence[str]) -> dict[str, list[object]]:
    """For each spec its number of training examples, and a digest of all else."""
    parts = [dict(identity(text)) for text in specs]
    profiles = [dict(part.get("profile") or {}) for part in parts]
    counts = [profile.pop("train_examples", None) for profile in profiles]
    rest = [digest({**part, "profile": profile, "seed": 0}) for part, profile in zip(parts, profiles, strict=True)]
    return {"train_examples": list(counts), "rest": list(rest)}


def name(kind: str, place: tuple[str, ...] = ()) -> str:
    """A file name that any system takes, with a digest where the place's own text does not fit into it."""
    text = "-".join(place)
    safe = re.sub(r"[^a-z0-9._-]+", "-", text.lower())[:80]
    unique = safe == text and not any("-" in part for part in place)
    return "-".join(filter(None, [kind, safe, "" if unique else digest(place)[:8]]))
