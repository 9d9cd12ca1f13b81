"""Two techniques whose runs were made elsewhere: their tasks matched, and the verdict on each."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from bench_lib.core.errors import BadData, UnknownName
from bench_lib.integrations.scores import values
from bench_lib.integrations.scores.table import GivenTable, Reading, by_technique, read_all, read_runs
from bench_lib.report.analysis.scores import ScoreComparison
from bench_lib.stats.scores import ScoreSettings, SeedScores, compare_scores

ONE_TASK = "all runs"
"""The name of the only task, where no column names any."""

ByTask = Mapping[str, SeedScores]


def compare_files(one: Path, other: Path, reading: Reading, settings: ScoreSettings) -> ScoreComparison:
    """The technique of one file against that of another, the baseline."""
    tables = read_all((one, other), reading)
    sides = [_only_technique(table) for table in tables]
    names = [side[0] or path.stem for side, path in zip(sides, (one, other), strict=True)]
    if names[0] == names[1]:
        names = [str(one), str(other)]
    return _compared((names[0], names[1]), (sides[0][1], sides[1][1]), tables, settings)


def compare_within(path: Path, one: str, other: str, reading: Reading, settings: ScoreSettings) -> ScoreComparison:
    """A technique of a file against another technique of the same file, the baseline."""
    table = read_runs(path, reading)
    found = by_technique(table)
    if not table.columns.technique:
        raise BadData(f"{path} has no column for the technique; name one: technique=COLUMN")
    for name in (one, other):
        if name not in found:
            raise UnknownName(f"technique in column {table.columns.technique} of {path}", name, found)
    return _compared((one, other), (found[one], found[other]), [table], settings)


def _only_technique(table: GivenTable) -> tuple[str, ByTask]:
    found = by_technique(table)
    if len(found) > 1:
        raise BadData(
            f"{table.source} holds {len(found)} techniques (column {table.columns.technique}): {', '.join(found)}; "
            f"name two of them: stabbench compare A B --scores {table.source}"
        )
    return next(iter(found.items()))


def _compared(
    names: tuple[str, str], sides: tuple[ByTask, ByTask], tables: list[GivenTable], settings: ScoreSettings
) -> ScoreComparison:
    first, second = sides
    if ["" in side for side in sides].count(True) == 1 and len(first) == len(second) == 1:
        # One file names its only task, the other none.
        task = next(iter((*(first.keys() | second.keys()) - {""},)))
        first, second = {task: next(iter(first.values()))}, {task: next(iter(second.values()))}
    shared = [task for task in first if task in second]
    if not shared:
        has = "; ".join(f"{n} has {', '.join(side) or 'none'}" for n, side in zip(names, (first, second), strict=True))
        raise BadData(f"no task is in both: {has}")
    constant = settings.constant_baseline
    scaled = None if constant is None else values.constant_score(constant, tables[0].scale)
    read_as = dataclasses.replace(settings, higher_is_better=tables[0].higher_is_better, constant_baseline=scaled)
    verdicts = compare_scores({task or ONE_TASK: (first[task], second[task]) for task in shared}, read_as)
    notes = [table.described() for table in tables]
    for name, side, there in ((names[0], first, second), (names[1], second, first)):
        if alone := [task for task in side if task not in there]:
            notes.append(f"only {name} has {', '.join(alone)}")
    return ScoreComparison(*names, tuple(verdicts), read_as, tables[0].scale != "number", tuple(notes))
