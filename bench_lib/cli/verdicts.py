"""How a check's answer reads: a table for people, JSON for machines."""

from __future__ import annotations

import dataclasses
import json
import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench_lib.check.answer import Answer, TaskAnswer

DASH = "-"


def human(answer: Answer) -> str:
    """A row a task, and one line for all of them."""
    rows = [_row(task) for task in answer.tasks]
    widths = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(len(HEAD))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in [HEAD, *rows]]
    return "\n".join([*(line.rstrip() for line in lines), "", *_notes(answer), _overall(answer)])


def machine(answer: Answer) -> str:
    """The answer as JSON in which what is not known is null; keys are sorted."""
    tasks = [
        dataclasses.asdict(task)
        | {"outcome": task.outcome, "mad_ratio": task.ratio(), "failure_rates": task.failure_rates()}
        for task in answer.tasks
    ]
    whole = {
        "technique": answer.technique,
        "baseline": answer.baseline,
        "outcome": answer.outcome,
        "missing_seeds": answer.missing,
        "design": dataclasses.asdict(answer.design),
        "tasks": tasks,
    }
    return json.dumps(_plain(whole), indent=1, sort_keys=True, allow_nan=False)


HEAD = (
    *("task", "verdict", "seeds", "failed", "baseline", "MAD ratio [95 %]", "p spread", "P(better) [95 %]", "location"),
    *("time", "memory"),
)


def _row(task: TaskAnswer) -> tuple[str, ...]:
    if task.declined:
        return (task.task, "declined", *[DASH] * (len(HEAD) - 2))
    verdict = task.verdict
    ours, theirs = task.failure_rates()
    decided = f"{verdict.stability} ({verdict.decided_by})" if verdict.decided_by else str(verdict.stability)
    return (
        task.task,
        decided,
        str(verdict.seeds),
        _percent(ours[0]),
        _percent(theirs[0]),
        _interval(*task.ratio()),
        _number(verdict.p_spread, 4),
        _interval(verdict.superiority.estimate, *verdict.superiority.interval()),
        str(verdict.location),
        _times(task.cost.time) + (" too dear" if task.too_dear else ""),
        _times(task.cost.memory),
    )


def _notes(answer: Answer) -> list[str]:
    notes = [f"{task.task}: {task.declined}" for task in answer.tasks if task.declined]
    for task in answer.tasks:
        if task.verdict.stability == "underpowered" and not task.declined:
            seen = f"{task.detectable:.2f}" if math.isfinite(task.detectable) else "none that was tried"
            notes.append(
                f"{task.task}: the smallest MAD ratio that {task.verdict.seeds} seeds find (power 0.8): {seen}"
            )
        if task.lost:
            notes.append(f"{task.task}: {task.lost} runs were lost to the machine and count for nothing")
    return notes


def _overall(answer: Answer) -> str:
    spent = sum(task.verdict.seeds for task in answer.tasks if not task.declined)
    most = answer.design.seeds * sum(not task.declined for task in answer.tasks)
    return f"{answer.technique} against {answer.baseline}: {answer.outcome}; {spent} of {most} seeds used"


def _interval(value: float, low: float, high: float) -> str:
    ends = "" if math.isnan(low) or math.isnan(high) else f" [{low:.2f}, {high:.2f}]"
    return _number(value) + ends


def _number(value: float, digits: int = 2) -> str:
    return DASH if math.isnan(value) else f"{value:.{digits}f}"


def _times(value: float) -> str:
    return DASH if math.isnan(value) else f"{value:.2f}x"


def _percent(value: float) -> str:
    return DASH if math.isnan(value) else f"{100 * value:.0f} %"


def _plain(value: Any) -> Any:
    """The value with infinities as text and NaN as null, which JSON has no numbers for."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, dict):
        return {key: _plain(part) for key, part in value.items()}
    return [_plain(part) for part in value] if isinstance(value, (list, tuple)) else value
