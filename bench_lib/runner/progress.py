"""How far a sweep is, in words: what is under way, what is done, left and failed, and how long it takes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench_lib.core.record import RunRecord, Status

if TYPE_CHECKING:
    from bench_lib.core.spec import RunSpec

REASON_CHARACTERS = 160


@dataclass(frozen=True)
class Progress:
    """Progress of a sweep: number of runs in total, stored before it began, finished by it, and these by status.

    `elsewhere` counts runs stored by other processes meanwhile; `waiting` counts runs claimed by other processes when
    nothing else is left to do; `at_limit` says that limits ended the sweep with runs left.
    """

    total: int
    stored: int
    finished: int
    statuses: Counter[str]
    last: RunRecord | None = None
    elsewhere: int = 0
    waiting: int = 0
    at_limit: bool = False

    @property
    def left(self) -> int:
        return self.total - self.stored - self.finished - self.elsewhere

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != Status.CONVERGED)


class Pace:
    """What is under way, and how long what was done since the beginning took: of runs that share a training, each."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.under_way: dict[int, tuple[float, Sequence[RunSpec]]] = {}
        self.runs = 0
        self.spent = 0.0

    def start(self, group: Sequence[RunSpec]) -> None:
        """A group of runs begins."""
        self.under_way[id(group)] = (self.clock(), group)

    def end(self, group: Sequence[RunSpec]) -> None:
        """A group of runs is over."""
        begin, _ = self.under_way.pop(id(group))
        self.spent += self.clock() - begin
        self.runs += len(group)

    def seconds(self) -> float | None:
        """The mean seconds of a run so far."""
        return self.spent / self.runs if self.runs else None

    def remaining(self, left: int) -> float | None:
        """Seconds until so many runs are done, with as many at a time as are under way now."""
        each = self.seconds()
        return None if each is None else left * each / max(1, len(self.under_way))

    def running(self) -> str:
        """What is under way, the first of it by name; empty if nothing is."""
        groups = [group for _, group in self.under_way.values()]
        if not groups:
            return ""
        return f"running {named(groups[0])}" if len(groups) == 1 else f"{len(groups)} running, first {named(groups[0])}"


def named(group: Sequence[RunSpec]) -> str:
    """The first run of a group, and how many more share its training."""
    first, more = group[0], len(group) - 1
    also = f" and {more} that share its training" if more else ""
    return f"{first.task} {first.technique()} seed {first.seed}{also}"


def duration(seconds: float) -> str:
    """Seconds to read: `7.1 s`, `40 s`, `6 min` or `3.5 h`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5_400 else f"{seconds / 3_600:.1f} h"


def counts(progress: Progress, pace: Pace) -> str:
    """How many runs failed and are left, with their time once that can be told."""
    each, rest = pace.seconds(), pace.remaining(progress.left)
    text = f"{progress.failed} failed"
    if progress.elsewhere:
        text += f", {progress.elsewhere} made by other processes"
    if each is None or rest is None:
        return text
    text += f"; {duration(each)} a run"
    return f"{text}, {progress.left} left in about {duration(rest)}" if progress.left else text


def result(progress: Progress, pace: Pace) -> str:
    """The line of the run that ended last; without one, what there is to do or to wait for."""
    run = progress.last
    if progress.waiting:
        return f"{progress.waiting} runs are under way in other processes, which are waited for"
    if run is None:
        return f"{progress.total} runs: {progress.stored} stored, {progress.left} to do"
    place = f"[{progress.total - progress.left}/{progress.total}, {counts(progress, pace)}]"
    score = "" if run.score is None else f" {run.metric} {run.score:.4f}"
    # On one line, whatever a reason holds.
    reason = " ".join(run.reason.split())[:REASON_CHARACTERS]
    return f"{place} {run.task} {run.technique} seed {run.seed}: {run.status}{score} {reason}".rstrip()
