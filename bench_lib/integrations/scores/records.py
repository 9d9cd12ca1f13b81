"""Runs from elsewhere as records of a store: of an external harness, in tables of their own."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_lib import __version__
from bench_lib.core.errors import BadData, check_name
from bench_lib.core.record import Evaluations, RunRecord, Status, Timing
from bench_lib.core.spec import canonical_json, digest
from bench_lib.integrations.scores.columns import measure
from bench_lib.integrations.scores.table import GivenRun, GivenTable
from bench_lib.integrations.scores.values import Scale, constant_score
from bench_lib.report.cells import EXTERNAL
from bench_lib.store import Store

UNKNOWN_MODEL = "unknown"


@dataclass(frozen=True)
class ImportSettings:
    """What a table does not say of its runs, and what they are to be called.

    `harness` is what trained them; empty takes what the file looks like. `constant_baseline` is in the file's scale.
    `beside_own` puts the runs under real data and the profile's name, where tables of this suite's runs may hold them.
    """

    harness: str = ""
    task: str = ""
    technique: str = ""
    model: str = ""
    profile: str = ""
    constant_baseline: float | None = None
    beside_own: bool = False

    def __post_init__(self) -> None:
        for name in ("harness", "task", "technique", "model", "profile"):
            if value := getattr(self, name):
                check_name(f"--{name}", value)


def records(table: GivenTable, settings: ImportSettings) -> list[RunRecord]:
    """The runs of a table as records; `BadData` names the row of the first that cannot be one."""
    _check_whole(table, settings)
    return [_record(run, table, settings) for run in table.runs]


def add(store: Store, found: Sequence[RunRecord], runs: Sequence[GivenRun]) -> int:
    """Add records that the store does not hold, and tell how many; one with another result is refused by its row."""
    known = {record.run_id: record for record in store.records({record.run_id for record in found})}
    for record, run in zip(found, runs, strict=True):
        held = known.get(record.run_id)
        if held is not None and held.result() != record.result():
            raise BadData(
                f"{run.place}: {store.root} holds seed {run.seed} of {record.technique} on {record.task} with "
                f"{_result(held)}, not {_result(record)}; give these runs another --harness name, or another store"
            )
    new = [record for record in found if record.run_id not in known]
    if new:
        store.check_writable()
    for record in new:
        store.append(record)
    return len(new)


def _check_whole(table: GivenTable, settings: ImportSettings) -> None:
    for run in table.runs:
        for part in ("task", "technique"):
            if not (getattr(run, part) or getattr(settings, part)):
                raise BadData(f"{table.source} has no column for the {part}; name one: {part}=COLUMN, or say --{part}")
        if run.seed is None:
            raise BadData(f"{table.source} has no column for the seed, which a stored run needs; name one: seed=COLUMN")
    if table.scale is Scale.NUMBER:
        run = max(table.runs, key=lambda run: -1.0 if math.isnan(run.score) else abs(run.score))
        scale = "percent" if abs(run.score) > 1 else "fraction"
        raise BadData(
            f"{run.place}, column {table.columns.score} is {run.score:g}, a plain number; a store holds fractions, "
            f"from -1 to 1: say --scale {scale} if it is one, or compare the files without a store"
        )


def _record(run: GivenRun, table: GivenTable, settings: ImportSettings) -> RunRecord:
    harness = settings.harness or table.harness
    task, technique = run.task or settings.task, run.technique or settings.technique
    model = run.model or settings.model or UNKNOWN_MODEL
    spec = _identity(run, table, settings)
    score, constant = (_higher(value, table) for value in (run.score, _constant(table, settings)))
    status, reason = _ending(run, score, constant)
    return RunRecord(
        run_id=digest(spec),
        training_id=digest(spec),
        task=task,
        technique=technique,
        model=model,
        profile=settings.profile or harness,
        data_source=harness if settings.beside_own else f"{EXTERNAL}: {harness}",
        seed=int(run.seed or 0),
        spec=canonical_json(spec),
        status=str(status),
        reason=reason,
        metric=_metric(table),
        score=None if math.isnan(score) else score,
        constant_baseline=None if math.isnan(constant) else constant,
        evaluations=_evaluations(run.evaluations, table),
        # How long it took is not known, which is not 0.
        timing=Timing(setup_seconds=math.nan, train_seconds=math.nan, eval_seconds=math.nan),
        provenance={"harness": harness, "imported_from": Path(table.source).name, "stabbench": __version__},
    )


def _identity(run: GivenRun, table: GivenTable, settings: ImportSettings) -> dict[str, Any]:
    """What tells the run from others, by value; the harness stands where runs of this suite have a protocol."""
    return {
        "harness": settings.harness or table.harness,
        "task": [run.task or settings.task, EXTERNAL],
        "metric": _metric(table),
        "stack": [[run.technique or settings.technique, {}, EXTERNAL]],
        "model": run.model or settings.model or UNKNOWN_MODEL,
        "frozen": {},
        "seed": run.seed,
    }


def _metric(table: GivenTable) -> str:
    name = measure(table.columns.score)
    return name if table.higher_is_better else f"1 - {name}"


def _higher(value: float, table: GivenTable) -> float:
    """A value of which higher is better."""
    return value if table.higher_is_better else 1 - value


def _constant(table: GivenTable, settings: ImportSettings) -> float:
    given = settings.constant_baseline
    return math.nan if given is None else constant_score(given, table.scale)


def _ending(run: GivenRun, score: float, constant: float) -> tuple[Status, str]:
    if run.status is Status.CONVERGED and score <= constant:
        why = f"score {score:.4f} is not above what a constant predictor reaches, {constant:.4f}"
        return Status.COLLAPSED, why
    if run.status is Status.DIVERGED:
        return run.status, "no finite score" if math.isnan(run.score) else "failed, as its harness says"
    return run.status, "" if run.status is Status.CONVERGED else f"{run.status}, as its harness says"


def _evaluations(found: Evaluations, table: GivenTable) -> Evaluations:
    scores = tuple(_higher(score, table) for score in found.scores)
    return dataclasses.replace(found, scores=scores)


def _result(record: RunRecord) -> str:
    score = "no score" if record.score is None else f"a score of {record.score:g}"
    return f"{score} ({record.status})"


def cells(found: Sequence[RunRecord]) -> Iterator[tuple[str, str, int]]:
    """Task, technique and number of runs of each cell."""
    counts: dict[tuple[str, str], int] = {}
    for record in found:
        counts[record.task, record.technique] = counts.get((record.task, record.technique), 0) + 1
    return ((*names, count) for names, count in sorted(counts.items()))
