"""When a sweep stops at the latest."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench_lib.core.errors import require


@dataclass(frozen=True)
class Limits:
    """When a sweep stops at the latest: after this many new runs, or hours of wall-clock time; None for no limit."""

    runs: int | None = None
    hours: float | None = None

    def __post_init__(self) -> None:
        require(self.runs is None or self.runs >= 1, "--max-runs", self.runs, "1 or more")
        valid = self.hours is None or 0 < self.hours < math.inf
        require(valid, "--max-hours", self.hours, "above 0, such as 0.5 for half an hour")
