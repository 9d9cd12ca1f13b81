"""The registry of executors: ways to run jobs, in this process, in worker processes or on a cluster."""

from __future__ import annotations

import os
from pathlib import Path

from bench_lib.core.errors import BadValue, check_path, require
from bench_lib.core.extras import optional
from bench_lib.core.registry import Registry
from bench_lib.executors.base import Done, Executor, Failure
from bench_lib.executors.devices import visible_devices
from bench_lib.executors.inline import InlineExecutor
from bench_lib.executors.local import LocalExecutor
from bench_lib.executors.mps import check_mps
from bench_lib.executors.settings import OPTIONS, ExecutorKind, Settings, check_kind

__all__ = [
    "EXECUTORS",
    "OPTIONS",
    "Done",
    "Executor",
    "ExecutorKind",
    "Failure",
    "InlineExecutor",
    "LocalExecutor",
    "Settings",
    "make_executor",
]

MOST_WORKERS = 1_024
CLUSTERS = ("slurm", "local")
RAY = {"workers", "time_limit", "address", "cpus_per_run", "gpus_per_run", "runtime_env"}
SLURM = {"workers", "time_limit", "partition", "time", "gpus", "runs_per_job", "jobs", "cluster", "submissions"}
A_DAY = 86_400.0
"""Seconds. Nothing hangs for ever."""


def make_executor(name: str, settings: Settings) -> Executor:
    """The executor of that name; a setting that it does not take raises `BadValue`."""
    kind = EXECUTORS.get(name)
    for option in OPTIONS:
        value = getattr(settings, option)
        if value is not None and option not in kind.takes:
            takers = [other for other in EXECUTORS.own() if option in EXECUTORS.get(other).takes]
            named = "executor" if len(takers) == 1 else "executors"
            verb = "takes" if len(takers) == 1 else "take"
            listed = " and ".join(filter(None, [", ".join(takers[:-1]), takers[-1]]))
            allowed = f"none; the {named} {listed} {verb} it"
            raise BadValue(f"{option.replace('_', ' ')} of the executor {name}", value, allowed)
    return kind.make(settings)


def make_local(
    workers: int | None, time_limit: float | None, workers_per_gpu: int | None = None, mps: str | None = None
) -> LocalExecutor:
    """Worker processes on this machine: by default one for each GPU or else each core, and a day for each attempt."""
    gpus, each = len(visible_devices()), 1 if workers_per_gpu is None else workers_per_gpu
    if workers_per_gpu is not None:
        require(gpus > 0, "--workers-per-gpu", each, "none, since no GPU is visible on this machine")
        require(workers is None, "--workers-per-gpu", each, f"none beside --workers, of which there are {workers}")
        require(each >= 1, "--workers-per-gpu", each, "1 or more")
    count = (gpus * each or os.cpu_count() or 1) if workers is None else workers
    _check_workers(count)
    require(mps in (None, "on", "off"), "--mps", mps, "on or off")
    if mps == "on":
        require(gpus > 0, "--mps", mps, "off, since no GPU is visible on this machine")
        check_mps()
    limit = A_DAY if time_limit is None else time_limit
    return LocalExecutor(count, limit, imports="bench_lib.executors.libraries", mps=mps == "on")


def _make_ray(settings: Settings) -> Executor:
    with optional("ray"):
        from bench_lib.executors.ray import RayExecutor
        from bench_lib.executors.ray_nodes import Demand
        from bench_lib.executors.runtime_env import read_runtime_env
    if settings.workers is not None:
        _check_workers(settings.workers)
    return RayExecutor(
        address="auto" if settings.address is None else settings.address,
        demand=Demand(
            1.0 if settings.cpus_per_run is None else settings.cpus_per_run,
            0.0 if settings.gpus_per_run is None else settings.gpus_per_run,
        ),
        workers=settings.workers,
        time_limit=A_DAY if settings.time_limit is None else settings.time_limit,
        runtime_env={} if settings.runtime_env is None else read_runtime_env(settings.runtime_env),
    )


def _make_slurm(settings: Settings) -> Executor:
    with optional("submitit"):
        from bench_lib.executors.slurm import Allocation, SlurmExecutor, check_cluster
    cluster = "slurm" if settings.cluster is None else settings.cluster
    require(cluster in CLUSTERS, "--cluster", cluster, " or ".join(CLUSTERS))
    workers = 1 if settings.workers is None else settings.workers
    _check_workers(workers)
    usual, allocation = SlurmExecutor(), Allocation()
    made = SlurmExecutor(
        cluster=cluster,
        allocation=Allocation(
            settings.partition,
            allocation.minutes if settings.time is None else settings.time,
            allocation.gpus if settings.gpus is None else settings.gpus,
        ),
        runs_per_job=usual.runs_per_job if settings.runs_per_job is None else settings.runs_per_job,
        at_a_time=usual.at_a_time if settings.jobs is None else settings.jobs,
        workers=workers,
        time_limit=A_DAY if settings.time_limit is None else settings.time_limit,
        beside=_folder(settings.submissions),
    )
    check_cluster(cluster)
    return made


def _folder(given: str | None) -> Path | None:
    if given is None:
        return None
    check_path("--submissions", given)
    allowed = "a folder that all nodes see, which need not exist yet"
    path = Path(given)
    require("://" not in given and (path.is_dir() or not path.exists()), "--submissions", given, allowed)
    return path


def _check_workers(count: int) -> None:
    require(1 <= count <= MOST_WORKERS, "number of workers", count, f"1 or more, up to {MOST_WORKERS:,}")


def executors_help() -> str:
    """A text for the help of an option that names an executor."""
    kinds = [EXECUTORS.get(name) for name in EXECUTORS.own()]
    return "; ".join([*(f"{kind.name}: {kind.help}" for kind in kinds), *EXECUTORS.of_packages()])


EXECUTORS: Registry[ExecutorKind] = Registry("executor", "stabbench.executors", check_kind)
for _kind in (
    ExecutorKind("inline", "this process", frozenset(), lambda settings: InlineExecutor()),
    ExecutorKind(
        "local",
        "worker processes",
        frozenset({"workers", "time_limit", "workers_per_gpu", "mps"}),
        lambda settings: make_local(settings.workers, settings.time_limit, settings.workers_per_gpu, settings.mps),
    ),
    ExecutorKind("ray", "a Ray cluster", frozenset(RAY), _make_ray),
    ExecutorKind("slurm", "jobs of a SLURM cluster", frozenset(SLURM), _make_slurm),
):
    EXECUTORS.add(_kind.name, _kind)
