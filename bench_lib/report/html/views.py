"""Contents of the page's views, as plain values for the templates."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from bench_lib.report import columns
from bench_lib.report import formatting as md
from bench_lib.report.analysis import efficiency
from bench_lib.report.analysis.names import visible
from bench_lib.report.analysis.recommend import over_all_tasks
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.tuning import tuned_arm
from bench_lib.report.cells import CELL_ID, GROUP
from bench_lib.report.html.registry_entries import Catalogue, TechniqueEntry
from bench_lib.report.html.reproduce import stack
from bench_lib.report.html.rows import CellRow, OverRow, cell_row, measures_over_tasks, over_row
from bench_lib.report.html.statements import Statements, place, statements
from bench_lib.report.html.summaries import GroupSummary, group_summary, heading
from bench_lib.report.prose import anchor
from bench_lib.report.values import Row
from bench_lib.tasks.task import Task

Group = tuple[str, ...]

UNKNOWN, SEVERAL = "not registered", "several"
"""Shown as family of unregistered techniques, and of stacks across families."""


@dataclass(frozen=True)
class Part:
    """A technique of a stack: its settings, and its entry if registered."""

    name: str
    settings: Mapping[str, Any]
    version: str
    entry: TechniqueEntry | None


@dataclass(frozen=True)
class Section:
    """A table of cells of one group, with statements if it is of one technique."""

    title: str
    rows: tuple[CellRow, ...]
    statements: Statements = field(default_factory=Statements)
    notes: tuple[str, ...] = ()
    efficiency: tuple[CellRow, ...] = ()


@dataclass(frozen=True)
class TechniqueView:
    """A technique: its anchor, the parts of its stack, and a section per group."""

    name: str
    anchor: str
    family: str
    title: str
    parts: tuple[Part, ...]
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class TaskView:
    """A task: its anchor, its entry if registered, and a section per group."""

    name: str
    anchor: str
    entry: Task | None
    sections: tuple[Section, ...]


@dataclass(frozen=True)
class OverTasks:
    """The techniques of a group over its tasks."""

    title: str
    rows: tuple[OverRow, ...]


@dataclass(frozen=True, eq=False)
class Views:
    """All table views of a summary, with the registry entries of its catalogue."""

    summary: Summary
    catalogue: Catalogue

    @functools.cached_property
    def cells(self) -> list[Row]:
        return columns.as_rows(self.summary.cells)

    @functools.cached_property
    def groups(self) -> list[Group]:
        """Real data before embedded, then those with most cells."""
        sizes: dict[Group, int] = {}
        for row in self.cells:
            sizes[_group(row)] = sizes.get(_group(row), 0) + 1
        return sorted(sizes, key=lambda group: (group[0] != "real", -sizes[group], group))

    @functools.cached_property
    def parts(self) -> dict[str, tuple[Part, ...]]:
        """The stack of each technique, from one of its specs."""
        firsts = self.summary.runs.drop_duplicates("technique")
        return {
            str(name): tuple(
                Part(part, params, version, self.catalogue.techniques.get(part))
                for part, params, version in _stack(str(name), str(spec))
            )
            for name, spec in zip(firsts["technique"], firsts["spec"], strict=True)
        }

    def family(self, technique: str) -> str:
        families = {part.entry.family if part.entry else UNKNOWN for part in self.parts[technique]}
        return families.pop() if len(families) == 1 else SEVERAL if families else UNKNOWN

    @functools.cached_property
    def rows(self) -> list[CellRow]:
        """The cells as rows, in the order of `cells`, numbered in the order of their runs."""
        names = self.summary.runs[list(CELL_ID)].drop_duplicates().astype(str).itertuples(index=False)
        numbers = {tuple(key): number for number, key in enumerate(names)}
        return [
            cell_row(row, numbers[tuple(str(row[k]) for k in CELL_ID)], self.family(str(row["technique"])))
            for row in self.cells
        ]

    @functools.cached_property
    def _pairs(self) -> list[tuple[Row, CellRow]]:
        """Cells with their rows in display order: rankable ones first, then by the sort columns."""
        order = {group: number for number, group in enumerate(self.groups)}
        return sorted(
            zip(self.cells, self.rows, strict=True),
            key=lambda pair: (
                order[_group(pair[0])],
                not pair[1].rankable,
                *(_last(pair[0][name]) for name in columns.default_order()),
                pair[1].task,
                pair[1].label,
            ),
        )

    def leaderboards(self) -> dict[str, list[CellRow]]:
        """The rows of real and of embedded data, in separate tables."""
        tables: dict[str, list[CellRow]] = {}
        for cell, row in self._pairs:
            tables.setdefault(str(cell["data"]), []).append(row)
        return tables

    @functools.cached_property
    def technique_statements(self) -> dict[Group, dict[str, Statements]]:
        partners = {place(row, row["label"]): row for row in self.cells}
        return {
            group: {name: statements(rows, partners) for name, rows in self._by_technique[group].items()}
            for group in self.groups
        }

    def summaries(self) -> list[GroupSummary]:
        baseline = self.summary.baseline
        found = over_all_tasks(self.summary.cells, self.summary.runs, baseline)
        return [
            group_summary(
                group, self._by_technique[group], self.technique_statements[group], found.get(group), baseline
            )
            for group in self.groups
        ]

    @functools.cached_property
    def _by_technique(self) -> dict[Group, dict[str, list[Row]]]:
        found: dict[Group, dict[str, list[Row]]] = {group: {} for group in self.groups}
        for row in self.cells:
            found[_group(row)].setdefault(str(row["technique"]), []).append(row)
        return found

    def techniques(self) -> list[TechniqueView]:
        """In the order of their families in the catalogue, the baseline first."""
        families = list(dict.fromkeys(entry.family for entry in self.catalogue.techniques.values()))
        views = [self._technique(name) for name in self.parts]
        places = {family: place for place, family in enumerate(families)}
        baseline = self.summary.baseline
        return sorted(views, key=lambda v: (v.name != baseline, places.get(v.family, len(places)), v.family, v.name))

    def _technique(self, name: str) -> TechniqueView:
        view = anchor("technique", name)
        sections = [
            Section(heading(group), tuple(self._by_view[group, view]), self.technique_statements[group][name])
            for group in self.groups
            if name in self.technique_statements[group]
        ]
        titles = dict.fromkeys(part.entry.title if part.entry else UNKNOWN for part in self.parts[name])
        return TechniqueView(name, view, self.family(name), ", ".join(titles), self.parts[name], tuple(sections))

    def tasks(self) -> list[TaskView]:
        names = sorted({str(row["task"]) for row in self.cells})
        return [self._task(name) for name in names]

    def _task(self, name: str) -> TaskView:
        view = anchor("task", name)
        sections = [
            Section(
                heading(group),
                tuple(self._by_view[group, view]),
                notes=tuple(self._task_notes(group, name)),
                efficiency=tuple(self._efficiency(group, name)),
            )
            for group in self.groups
            if (group, view) in self._by_view
        ]
        return TaskView(name, view, self.catalogue.tasks.get(name), tuple(sections))

    def _efficiency(self, group: Group, name: str) -> list[CellRow]:
        table = self.summary.cells
        own = table[(table[[*GROUP, "task"]].astype(str) == [*group, name]).all(axis=1)]
        known = efficiency.with_efficiency_metrics(columns.in_order(own, self.summary.baseline))
        rows = {row.label: row for row in self._by_view[group, anchor("task", name)]}
        return [rows[label] for label in known["label"].astype(str)]

    def _task_notes(self, group: Group, name: str) -> list[str]:
        own = [row for row in self.cells if _group(row) == group and row["task"] == name]
        metric = max((str(row["metric"]) for row in own), default="") or "none recorded"
        floors = {md.percent(row["trivial_score"]) for row in own} - {md.DASH}
        against = sorted({str(row["against"]) for row in own if row["against"]})
        constant_baseline = f", constant baseline {', '.join(sorted(floors))}" if floors else ""
        compared = f"Compared with {', '.join(against)}." if against else "Nothing to compare with."
        return [f"Metric: {metric}{constant_baseline}. {compared}"]

    @functools.cached_property
    def _by_view(self) -> dict[tuple[Group, str], list[CellRow]]:
        """The rows of each technique and task, by group and anchor, in display order."""
        found: dict[tuple[Group, str], list[CellRow]] = {}
        for cell, row in self._pairs:
            for kind in ("technique", "task"):
                found.setdefault((_group(cell), anchor(kind, str(cell[kind]))), []).append(row)
        return found

    def over_tasks(self) -> list[OverTasks]:
        ranks = self._ranks()
        return [self._over(group, ranks) for group in self.groups]

    def _over(self, group: Group, ranks: Mapping[tuple[Any, ...], float]) -> OverTasks:
        cells = self._by_technique[group]
        table = self.summary.techniques
        own = columns.as_rows(table[(table[list(GROUP)] == list(group)).all(axis=1)])
        base, most = self.summary.baseline, max((int(row["tasks"]) for row in own), default=0)
        rows = [
            measures_over_tasks({**row, "most_tasks": most}, ranks.get((*group, name), math.nan), cells.get(name, ()))
            for row in own
            for name in [str(row["technique"])]
        ]
        rows.sort(key=lambda r: (r["technique"] != base, _last(r["failure_rate"]), _last(r["rank"]), r["technique"]))
        return OverTasks(heading(group), tuple(over_row(row, self.family(str(row["technique"]))) for row in rows))

    def _ranks(self) -> dict[tuple[Any, ...], float]:
        table = self.summary.ranks
        keys = table[[*GROUP, "technique"]].astype(str).itertuples(index=False)
        return {tuple(key): float(rank) for key, rank in zip(keys, table["average_rank"], strict=True)}


def _stack(technique: str, spec: str) -> list[tuple[str, dict[str, Any], str]]:
    """The techniques of a spec; those of a tuned arm without settings, which differ between tasks."""
    parts = stack(visible(json.loads(spec)))
    return [(name, {}, version) for name, _, version in parts[:-1]] if tuned_arm(technique)[1] else parts


def _group(row: Row) -> Group:
    return tuple(str(row[name]) for name in GROUP)


def _last(value: float) -> float:
    return value if math.isfinite(value) else math.inf
