"""Jobs of a SLURM cluster, each of which makes a shard of the runs and stores them itself; submitit submits them.

The process that submits need not stay: what it has to know of its jobs lies in the folder of their submission, the
queue says which of them live, and what they did stands in the store.
"""

from __future__ import annotations

import pickle
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import psutil

from bench_lib import __version__
from bench_lib.core.errors import BenchError, described, require, shortened
from bench_lib.executors.base import Done, Executor, Failure, J, R
from bench_lib.executors.local import LocalExecutor
from bench_lib.executors.process import variables, without_interrupts

# To set up its log it would close the handlers of all others.
with variables({"SUBMITIT_LOG_LEVEL": "NOCONFIG"}):
    from submitit import AutoExecutor, Job
    from submitit.core.utils import FailedSubmissionError, JobPaths, UncompletedJobError, pickle_load

MOST_JOBS = 1_000
"""Jobs of one submission; a cluster usually takes arrays of up to 1,001."""

_CHARACTERS = 1_000
_END = 30
"""Seconds before the end of its time in which a job is told of it."""

_ANSWER = 60.0
"""Seconds in which the queue must answer."""


@dataclass(frozen=True)
class Allocation:
    """What a job takes of the cluster, and for how many minutes; the partition is the cluster's default where None."""

    partition: str | None = None
    minutes: int = 240
    gpus: int = 0

    def __post_init__(self) -> None:
        require(self.partition is None or bool(self.partition.strip()), "--partition", self.partition, "a name")
        require(self.minutes >= 2, "--time", self.minutes, "2 minutes or more, of which the last half is for the end")
        require(self.gpus >= 0, "--gpus", self.gpus, "0 or more")


@dataclass(frozen=True)
class SlurmExecutor:
    """Submits jobs of `runs_per_job` runs, of which `workers` are made at a time, in processes of one thread each.

    At most `at_a_time` jobs run together. The time limit is in seconds per attempt of a run. `beside` is the folder
    with which submissions are kept, by default that of the store. With the cluster local the jobs are processes of this
    machine, without a queue.
    """

    cluster: str = "slurm"
    allocation: Allocation = field(default_factory=Allocation)
    runs_per_job: int = 100
    at_a_time: int = 20
    workers: int = 1
    time_limit: float | None = None
    beside: Path | None = None
    _children: list[Job[None]] = field(default_factory=list, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        require(self.runs_per_job >= 1, "--runs-per-job", self.runs_per_job, "1 or more")
        require(1 <= self.at_a_time <= MOST_JOBS, "--jobs", self.at_a_time, f"1 or more, up to {MOST_JOBS:,}")
        self.inside()

    @property
    def tick(self) -> float:
        """Seconds between two looks at the jobs: the queue of a cluster is asked less often than a process."""
        return 5.0 if self.cluster == "slurm" else 0.5

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        raise BenchError("the executor slurm makes the runs of a store, and nothing else; take inline, local or ray")

    def inside(self) -> Executor:
        """The executor that makes the runs of a job, where the job is."""
        return LocalExecutor(self.workers, self.time_limit, imports="bench_lib.executors.libraries")

    def room(self, living: int) -> int:
        """How many more jobs may be submitted: on a cluster its queue takes all, so that nobody need stay."""
        if living >= self.at_a_time:
            return 0
        return MOST_JOBS if self.cluster == "slurm" else self.at_a_time - living

    def submit(self, folder: Path, function: Callable[[Any], None], calls: Sequence[object], limit: int) -> list[str]:
        """Submit a job for each of these arguments of the function, at most `limit` at a time; returns their names."""
        payloads = [pickle.dumps((function, call)) for call in calls]
        try:
            # A job hears no Ctrl-C, which is for the process that watches it.
            with without_interrupts():
                executor = AutoExecutor(folder, cluster=self.cluster)
                executor.update_parameters(
                    name="stabbench",
                    timeout_min=self.allocation.minutes,
                    cpus_per_task=self.workers,
                    gpus_per_node=self.allocation.gpus or None,
                    slurm_partition=self.allocation.partition,
                    slurm_array_parallelism=limit,
                    slurm_signal_delay_s=_END,
                )
                jobs: list[Job[None]] = executor.map_array(enter, [__version__] * len(calls), payloads)
        except (UncompletedJobError, FailedSubmissionError, OSError) as error:
            why = shortened(described(error), _CHARACTERS)
            raise BenchError(f"no job can be submitted to the cluster {self.cluster}: {why}") from error
        if self.cluster == "local":
            self._children.extend(jobs)
        return [job.job_id for job in jobs]

    def living(self, folder: Path, jobs: Sequence[str]) -> frozenset[str]:
        """Those of the jobs that wait or run; all of them while the queue does not answer."""
        if self.cluster == "slurm":
            queued = _queue(jobs)
            return frozenset(jobs) if queued is None else queued
        for child in self._children:
            child.done()  # asks for its exit code, without which an ended process stays
        return frozenset(job for job in jobs if _runs(job, folder))

    def raised(self, folder: Path, job: str) -> Failure | None:
        """Why a job that lives no more did not come to its end: what it raised, or that it died."""
        paths = JobPaths(folder, job_id=job)
        try:
            outcome, said = pickle_load(paths.result_pickle)
        except (OSError, EOFError, pickle.UnpicklingError):
            return Failure("died", _last(paths.stderr) or "it left no message")
        if outcome == "success":
            return None
        last = str(said).strip().splitlines()[-1]
        kind, _, message = last.partition(": ")
        if kind.endswith("UncompletedJobError"):
            return Failure("died", "it came to the end of its --time" if "timed-out" in message else message or last)
        text = message if kind.startswith("bench_lib.") else str(said).strip()
        return Failure("raised", shortened(text, _CHARACTERS))

    def how_to_stop(self, jobs: Sequence[str]) -> str:
        """The command that ends jobs."""
        names = dict.fromkeys(job.partition("_")[0] for job in jobs)
        return shlex.join(["scancel" if self.cluster == "slurm" else "kill", *names])


def check_cluster(cluster: str) -> None:
    """Raise `BenchError` unless jobs can be submitted to the cluster from this machine."""
    missing = [name for name in ("sbatch", "srun", "squeue") if which(name) is None]
    if cluster == "slurm" and missing:
        raise BenchError(
            f"no {' and no '.join(missing)} is found on this machine: give the command on a login node of a SLURM "
            "cluster, or take --cluster local to try jobs here"
        )


def enter(version: str, payload: bytes) -> None:
    """Where the job is: call the function with its argument; another version of the suite is refused."""
    if version != __version__:
        where = f"the node {socket.gethostname()} has stabbench {__version__} in {sys.prefix}"
        raise BenchError(f"{where}, the machine that submitted the job {version}; install the same on both")
    # The end that the cluster announces: what the job holds is given back, and its workers end.
    signal.signal(signal.SIGTERM, _leave)
    function, call = pickle.loads(payload)
    function(call)


def _leave(number: int, _: object) -> None:
    sys.exit(128 + number)


def _queue(jobs: Sequence[str]) -> frozenset[str] | None:
    """Those of the jobs that wait or run, whoever submitted them; None where that cannot be had now."""
    # Not by the accounting, which small clusters lack.
    names = ",".join(dict.fromkeys(job.partition("_")[0] for job in jobs))
    command = ["squeue", "--noheader", "--array", "--format=%i", f"--jobs={names}"]
    try:
        told = subprocess.run(command, capture_output=True, text=True, timeout=_ANSWER, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    if told.returncode:
        # Jobs that ended minutes ago are not known any more.
        return frozenset() if "Invalid job id" in told.stderr else None
    return frozenset(told.stdout.split()) & frozenset(jobs)


def _runs(job: str, folder: Path) -> bool:
    """Whether a process of this machine is the job, and not another that got its number."""
    try:
        process = psutil.Process(int(job))
        return process.status() != psutil.STATUS_ZOMBIE and str(folder) in process.cmdline()
    except psutil.NoSuchProcess:
        return False
    except psutil.Error:
        return True


def _last(path: Path) -> str:
    """The end of what a job wrote, on one line."""
    lines = path.read_text(errors="replace").splitlines()[-5:] if path.is_file() else []
    return shortened(" ".join(" ".join(lines).split()), _CHARACTERS)
