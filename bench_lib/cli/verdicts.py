"""The result of `stabbench check` as a table and as JSON."""

from __future__ import annotations

import dataclasses
import math
from typing import TYPE_CHECKING

from bench_lib.cli import console
from bench_lib.report import formatting as md

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench_lib.comparison.result import ComparisonResult, TaskResult
    from bench_lib.validation.conformance import Breach


def human(result: ComparisonResult) -> str:
    """A table with one row for each task, notes, and the overall outcome on the last line."""
    lines = console.columns(HEAD, [_row(task) for task in result.tasks], text_columns=len(HEAD))
    return "\n".join([*lines, "", LEGEND, *_notes(result), _overall(result)])


def machine(result: ComparisonResult) -> str:
    """The result as JSON with sorted keys; unknown values are null."""
    tasks = [
        dataclasses.asdict(task)
        | {"outcome": task.outcome, "mad_ratio": task.ratio(), "failure_rates": task.failure_rates()}
        | {"faults": task.faults}
        for task in result.tasks
    ]
    whole = {
        "technique": result.technique,
        "baseline": result.baseline,
        "outcome": result.outcome,
        "missing_seeds": result.missing,
        "design": dataclasses.asdict(result.design),
        "tasks": tasks,
    }
    return console.machine(whole)


def broken(technique: str, breaches: Sequence[Breach]) -> str:
    """The promises that a technique breaks, as JSON in place of a result."""
    return console.machine(
        {"technique": technique, "outcome": "broken", "breaches": [dataclasses.asdict(b) for b in breaches]}
    )


HEAD = (
    *("task", "verdict", "seeds", "failed", "baseline failed", "MAD ratio [95 %]", "p (spread)", "P(better) [95 %]"),
    *("scores", "time", "memory"),
)
UNLIKE = (
    "technique and baseline ran on different kinds of machine, which round differently; a new --store trains both here"
)
LEGEND = """MAD ratio: spread of the scores, the technique's over the baseline's; below 1 is steadier
P(better): that a run of the technique scores above one of the baseline
time, memory: as multiples of what the baseline takes
"""


def _row(task: TaskResult) -> tuple[str, ...]:
    if task.declined:
        return (task.task, "declined", *[md.DASH] * (len(HEAD) - 2))
    verdict = task.verdict
    ours, theirs = task.failure_rates()
    by = f" ({verdict.decided_by})" if verdict.decided_by in ("failures", "spread") else ""
    return (
        task.task,
        f"{verdict.stability}{by}",
        str(verdict.seeds),
        md.rate(ours[0], 0),
        md.rate(theirs[0], 0),
        md.estimate(*task.ratio()),
        md.number(verdict.p_spread, 4),
        md.estimate(verdict.superiority.estimate, *_shares(*verdict.superiority.interval())),
        "undecided" if verdict.location == "open" else str(verdict.location),
        _times(task.cost.time) + (" too dear" if task.exceeds_max_cost else ""),
        _times(task.cost.memory),
    )


def _notes(result: ComparisonResult) -> list[str]:
    notes = [f"{task.task}: declined: {task.declined}" for task in result.tasks if task.declined]
    for task in result.tasks:
        if task.verdict.stability == "underpowered" and not task.declined:
            notes.append(f"{task.task}: {_reach(task)}{_missing(task.missing)}")
        if task.lost:
            lost = "1 run was" if task.lost == 1 else f"{task.lost} runs were"
            notes.append(f"{task.task}: {lost} lost to infrastructure; only seeds with both runs count")
        if task.unlike_machines:
            on = f"on {task.unlike_machines} of {task.verdict.seeds} seeds"
            notes.append(f"{task.task}: {on} {UNLIKE}")
    return notes


def _reach(task: TaskResult) -> str:
    """The smallest effect that this number of seeds detects."""
    seeds = task.verdict.seeds
    if math.isnan(task.detectable):
        return f"the MAD ratio that {seeds} seeds detect is unknown: too few baseline runs converged, or no spread"
    if math.isinf(task.detectable):
        return f"{seeds} seeds detect none of the MAD ratios tried (power 0.8)"
    wider, narrower = task.detectable, 1 / task.detectable
    return f"{seeds} seeds detect a MAD ratio of {wider:.2f} or more, or of {narrower:.2f} or less (power 0.8)"


def _missing(seeds: float) -> str:
    return f"; about {seeds:.0f} more would decide" if math.isfinite(seeds) and seeds > 0 else ""


def _overall(result: ComparisonResult) -> str:
    compared = [task for task in result.tasks if not task.declined]
    spent, most = sum(task.verdict.seeds for task in compared), result.design.seeds * len(compared)
    faults = "; ".join(f"{', '.join(task.faults)} on {task.task}" for task in compared if task.faults)
    why = f" ({faults})" if faults else ""
    return f"{result.technique} against {result.baseline}: {result.outcome}{why}; {spent} of {most} seeds used"


def _shares(*ends: float) -> list[float]:
    """The ends of a Student interval of a share, clipped to 0 and 1."""
    return [end if math.isnan(end) else min(max(end, 0.0), 1.0) for end in ends]


def _times(value: float) -> str:
    return md.DASH if math.isnan(value) else f"{md.number(value)}x"
