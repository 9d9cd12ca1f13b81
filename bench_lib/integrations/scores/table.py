"""A table of runs from elsewhere, read: which columns, which scale, which direction, and every run with its status."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench_lib.core.errors import BadData
from bench_lib.core.record import Evaluations, Status
from bench_lib.integrations.scores import values
from bench_lib.integrations.scores.columns import Columns, is_plain_number, lower_is_better
from bench_lib.integrations.scores.files import RawRow, RawTable, read
from bench_lib.integrations.scores.values import Scale
from bench_lib.stats.scores import SeedScores


@dataclass(frozen=True)
class Reading:
    """How a table is read; what is None or empty is guessed and shown."""

    columns: Columns = field(default_factory=Columns)
    scale: Scale | None = None
    higher_is_better: bool | None = None
    layout: str = ""


@dataclass(frozen=True)
class GivenRun:
    """A run from elsewhere: where it stands, and its score as a fraction or a plain number, nan for none.

    Names are empty and the seed None where the table has no column for them.
    """

    place: str
    task: str
    technique: str
    model: str
    seed: int | None
    score: float
    status: Status
    evaluations: Evaluations = field(default_factory=Evaluations)


@dataclass(frozen=True)
class GivenTable:
    """The runs of a file or folder, and how they were read."""

    source: str
    harness: str
    columns: Columns
    scale: Scale
    higher_is_better: bool
    runs: tuple[GivenRun, ...] = field(repr=False)

    def described(self) -> str:
        """What was read and how, on one line."""
        parts = {part: name for part, name in self.columns.named().items() if part != "score"}
        columns = ", ".join(part if part == name else f"{part} from {name}" for part, name in parts.items())
        direction = "higher" if self.higher_is_better else "lower"
        counts = Counter(str(run.status) for run in self.runs)
        statuses = ", ".join(f"{count} {status}" for status, count in counts.items())
        score = f"score from column {self.columns.score}, {self.scale}, {direction} is better"
        return f"{self.source}: {len(self.runs)} runs ({statuses}); {score}" + (f"; {columns}" if columns else "")


def read_runs(path: Path, reading: Reading) -> GivenTable:
    """The runs of a file or folder; `BadData` with row and column for what is wrong."""
    return interpreted(read(path, reading.layout), reading)


def read_all(paths: Iterable[Path], reading: Reading) -> list[GivenTable]:
    """Several files, in one scale and one direction; `BadData` where these differ."""
    tables = [read_runs(path, reading) for path in paths]
    for part, option in (("scale", "--scale"), ("higher_is_better", "--lower-is-better or --higher-is-better")):
        first, other = tables[0], next((t for t in tables if getattr(t, part) != getattr(tables[0], part)), None)
        if other is not None:
            raise BadData(f"{first.described()} | {other.described()}: these cannot be compared; say {option}")
    return tables


def interpreted(raw: RawTable, reading: Reading) -> GivenTable:
    """The runs of a table whose columns are not known yet."""
    columns = reading.columns.found_in(raw.columns(), raw.source)
    shown = [(_place(row, columns.score), row.values.get(columns.score)) for row in raw.rows]
    scores = [(place, value, values.score(value, place)) for place, value in shown]
    scale = reading.scale or (Scale.NUMBER if is_plain_number(columns.score) else values.guessed_scale(scores))
    if scale is not Scale.NUMBER:
        most = scale.whole * (1 + 1e-6)
        for place, value, found in scores:
            if abs(found) > most:
                raise BadData(f"{place} is {value!r}; allowed: a {scale}, or say --scale")
    guessed = not lower_is_better(columns.score)
    higher = guessed if reading.higher_is_better is None else reading.higher_is_better
    scaled = (found / scale.whole for _, _, found in scores)
    runs = tuple(_run(row, columns, score, scale.whole) for row, score in zip(raw.rows, scaled, strict=True))
    _check_once(raw.source, runs)
    return GivenTable(raw.source, raw.harness, columns, scale, higher, runs)


def _run(row: RawRow, columns: Columns, score: float, whole: float) -> GivenRun:
    def value(part: str, parse: Any, absent: Any) -> Any:
        column = getattr(columns, part)
        return parse(row.values.get(column), _place(row, column)) if column else absent

    said: Status | None = value("status", values.status, None)
    status = said or Status.CONVERGED
    evaluations = row.evaluations.get(columns.score, Evaluations())
    return GivenRun(
        place=row.place,
        task=value("task", values.name, ""),
        technique=value("technique", values.name, ""),
        model=value("model", values.name, ""),
        seed=value("seed", values.seed, None),
        score=score,
        status=Status.DIVERGED if status is Status.CONVERGED and math.isnan(score) else status,
        evaluations=dataclasses.replace(evaluations, scores=tuple(s / whole for s in evaluations.scores)),
    )


def _place(row: RawRow, column: str) -> str:
    return f"{row.place}, column {column}"


def _check_once(source: str, runs: Iterable[GivenRun]) -> None:
    known: dict[tuple[object, ...], GivenRun] = {}
    for run in runs:
        key = (run.task, run.technique, run.model, run.seed)
        if run.seed is not None and key in known:
            named = " ".join(filter(None, (run.task, run.technique, run.model)))
            raise BadData(
                f"{run.place}: seed {run.seed} of {named or source} stands already in {known[key].place}; allowed: "
                "each seed once, or a column that tells them apart (technique=COLUMN, task=COLUMN)"
            )
        known[key] = run


def seed_scores(runs: Iterable[GivenRun]) -> SeedScores:
    """The scores of runs of one task and technique; those that the machine ended are counted and left out."""
    every = [*runs]
    judged = [run for run in every if run.status.completed]
    seeds = [run.seed for run in judged]
    known = tuple(seed for seed in seeds if seed is not None)
    scores = np.array([r.score if r.status is Status.CONVERGED else math.nan for r in judged], dtype=np.float64)
    return SeedScores(scores, known if len(known) == len(seeds) else None, len(every) - len(judged))


def by_technique(table: GivenTable) -> Mapping[str, Mapping[str, SeedScores]]:
    """The scores of each technique by task, or by task and model in a table of several models."""
    several = len({run.model for run in table.runs}) > 1
    found: dict[str, dict[str, list[GivenRun]]] = {}
    for run in sorted(table.runs, key=lambda run: (run.task, run.model, run.technique)):
        task = f"{run.task} ({run.model})".strip() if several else run.task
        found.setdefault(run.technique, {}).setdefault(task, []).append(run)
    return {name: {task: seed_scores(runs) for task, runs in own.items()} for name, own in sorted(found.items())}
