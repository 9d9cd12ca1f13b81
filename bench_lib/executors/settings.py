"""What the user may give beside the name of an executor, and what an executor is made of: one declaration for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench_lib.core.errors import BenchError
from bench_lib.executors.base import Executor


@dataclass(frozen=True)
class Settings:
    """The options of `OPTIONS`, under their names; None where the user gives none."""

    workers: int | None = None
    time_limit: float | None = None
    workers_per_gpu: int | None = None
    mps: str | None = None
    address: str | None = None
    cpus_per_run: float | None = None
    gpus_per_run: float | None = None
    runtime_env: str | None = None
    partition: str | None = None
    time: int | None = None
    gpus: int | None = None
    runs_per_job: int | None = None
    jobs: int | None = None
    cluster: str | None = None
    submissions: str | None = None


@dataclass(frozen=True)
class Option:
    """An option of the command line that executors take."""

    type: Callable[[str], object]
    metavar: str
    help: str


OPTIONS: Mapping[str, Option] = {
    "workers": Option(
        int,
        "N",
        "processes of the local executor (default: one for each GPU, or without any for each core), runs at a time on "
        "ray (default: what the nodes hold) and in each job of slurm (default: 1)",
    ),
    "time_limit": Option(float, "SECONDS", "for each run, on all executors but inline (default: a day)"),
    "workers_per_gpu": Option(
        int, "N", "processes of the local executor for each GPU, in place of --workers (default with GPUs: 1)"
    ),
    "mps": Option(
        str,
        "on|off",
        "a daemon of CUDA MPS for workers of the local executor that share a GPU (default: off)",
    ),
    "address": Option(
        str,
        "auto|local|HOST:PORT",
        "the Ray cluster: the one found from here (auto, default), one started for this command (local), or that of "
        "a head node",
    ),
    "cpus_per_run": Option(float, "N", "processors that a run takes of a node of ray (default: 1)"),
    "gpus_per_run": Option(float, "N", "GPUs, or a share such as 0.25, that a run takes of a node of ray (default: 0)"),
    "runtime_env": Option(str, "FILE", "runtime environment of the processes on ray, in JSON or YAML (default: none)"),
    "partition": Option(str, "NAME", "partition of the jobs of slurm (default: the cluster's)"),
    "time": Option(int, "MINUTES", "for each job of slurm (default: 240)"),
    "gpus": Option(int, "N", "GPUs of each job of slurm (default: 0)"),
    "runs_per_job": Option(int, "N", "runs that each job of slurm is given (default: 100)"),
    "jobs": Option(int, "N", "jobs of slurm at a time (default: 20)"),
    "cluster": Option(
        str, "slurm|local", "where the jobs of slurm are: on its cluster (default), or processes of this machine"
    ),
    "submissions": Option(
        str,
        "DIR",
        "folder that all nodes see, for journals and logs of the jobs of slurm (default: the store's; needed where the "
        "store is in a bucket)",
    ),
}


@dataclass(frozen=True)
class ExecutorKind:
    """A kind of executor: its name, help of a few words, the options that it takes, and how one is made of them.

    An installed package offers one under its name in the entry points `stabbench.executors`.
    """

    name: str
    help: str
    takes: frozenset[str]
    make: Callable[[Settings], Executor]


def check_kind(kind: object, where: str) -> None:
    """Raise `BenchError` for what is no kind of executor, or takes options that there are not."""
    if not isinstance(kind, ExecutorKind):
        raise BenchError(f"the executor {where} is of the type {type(kind).__name__}; it must be an ExecutorKind")
    unknown = sorted(kind.takes - OPTIONS.keys())
    if unknown:
        raise BenchError(f"the executor {where} takes {', '.join(unknown)}; there are {', '.join(OPTIONS)}")
