"""The runs that one job of a cluster is given, with all that it has to know of them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from math import inf

from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Executor
from bench_lib.runner.limits import HOUR, Limits
from bench_lib.store import Journal, Location

Group = tuple[RunSpec, ...]


@dataclass(frozen=True)
class Shard:
    """What one job is given: runs of a store, what is known of their attempts, and the time after which none begins.

    `attempts` are those that a stored run had, which is tried again, and `lost` those that ended with their job.
    """

    root: Location
    journal: Journal
    specs: Group
    are_ensembles: bool
    attempts: Mapping[str, int]
    lost: Mapping[str, int]
    executor: Executor
    until: float

    def limits(self) -> Limits | None:
        """The limits of the job, by the clock where it is; None if nothing may begin."""
        if self.until == inf:
            return Limits()
        left = self.until - time.time()
        return Limits(hours=left / HOUR) if left > 0 else None


def of_shard(shard: Group, counts: Mapping[str, int]) -> dict[str, int]:
    """The counts of the runs of a shard alone."""
    ids = [spec.run_id() for spec in shard]
    return {run_id: counts[run_id] for run_id in ids if run_id in counts}
