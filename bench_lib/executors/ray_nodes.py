"""What a job takes of a node of a Ray cluster, and how many jobs its nodes hold."""

from __future__ import annotations

import time
from dataclasses import dataclass
from math import floor, inf, isfinite

import ray

from bench_lib.core.errors import BenchError, require

TICK = 1.0
"""Seconds between checks of time limits and of the nodes."""

_PATIENCE = 60.0
"""Seconds in which a cluster without a node for the jobs may get one back."""


@dataclass(frozen=True)
class Demand:
    """What a job takes of its node; a share of a GPU lets several jobs have the same one."""

    cpus: float = 1.0
    gpus: float = 0.0

    def __post_init__(self) -> None:
        require(isfinite(self.cpus) and self.cpus > 0, "--cpus-per-run", self.cpus, "above 0, such as 1")
        whole = self.gpus == floor(self.gpus) if isfinite(self.gpus) else False
        shared = 0 <= self.gpus < 1
        require(
            shared or (whole and self.gpus > 0), "--gpus-per-run", self.gpus, "0, a share below 1, or a whole number"
        )

    def fits(self, resources: dict[str, float]) -> int:
        """How many jobs a node of these resources holds."""
        counts = [floor(resources.get("CPU", 0.0) / self.cpus)]
        if 0 < self.gpus < 1:
            # A share is of one GPU: two jobs of 0.4 leave a fifth of it unused.
            counts.append(floor(resources.get("GPU", 0.0)) * floor(1 / self.gpus))
        elif self.gpus:
            counts.append(floor(resources.get("GPU", 0.0) / self.gpus))
        return min(counts)


ONE_CPU = Demand()


class Nodes:
    """How many jobs the nodes that are alive hold, asked for once a tick."""

    def __init__(self, demand: Demand) -> None:
        self.demand = demand
        self.count, self.asked, self.last_seen = 0, -inf, time.monotonic()

    def holds(self) -> int:
        """The number of jobs; raises `BenchError` where it has been none for too long."""
        now = time.monotonic()
        if now - self.asked >= TICK:
            alive = [node["Resources"] for node in ray.nodes() if node["Alive"]]
            self.count, self.asked = sum(map(self.demand.fits, alive)), now
        if self.count:
            self.last_seen = now
        elif now - self.last_seen > _PATIENCE:
            raise BenchError(f"no node of the Ray cluster has been left for {_PATIENCE:g} seconds; start some")
        return self.count

    def check(self) -> None:
        """Raise `BenchError` if no node can hold a job."""
        if self.holds():
            return
        found = [
            f"{node['NodeManagerHostname']}: {node['Resources'].get('CPU', 0):g} CPUs, "
            f"{node['Resources'].get('GPU', 0):g} GPUs"
            for node in ray.nodes()
            if node["Alive"]
        ]
        raise BenchError(
            f"no node of the Ray cluster has the {self.demand.cpus:g} CPUs and {self.demand.gpus:g} GPUs of a run; "
            f"there are {'; '.join(found) or 'no nodes'}"
        )
