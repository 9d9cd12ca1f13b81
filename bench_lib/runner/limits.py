"""When a sweep stops at the latest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench_lib.core.errors import require

HOUR = 3_600.0


@dataclass(frozen=True)
class Limits:
    """When a sweep stops at the latest: after this many new runs, or hours of wall-clock time; None for no limit.

    It stops between runs: what is begun is finished, and runs that share a training are begun together.
    """

    runs: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        require(self.runs is None or self.runs >= 1, "--max-runs", self.runs, "1 or more")
        valid = self.hours is None or 0 < self.hours < math.inf
        require(valid, "--max-hours", self.hours, "above 0, such as 0.5 for half an hour")

    def reached(self, runs: int, seconds: float) -> bool:
        """Whether nothing may be begun after this many new runs and seconds."""
        return self.rest(runs, seconds) is None

    def rest(self, runs: int, seconds: float) -> Limits | None:
        """The limits of what follows after this many new runs and seconds; None if nothing may follow."""
        runs_left = None if self.runs is None else self.runs - runs
        hours_left = None if self.hours is None else self.hours - seconds / HOUR
        if (runs_left is not None and runs_left < 1) or (hours_left is not None and hours_left <= 0):
            return None
        return Limits(runs_left, hours_left)
