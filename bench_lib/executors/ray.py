"""Jobs on the nodes of a Ray cluster.

Ray places the tasks and hands them GPUs; attempts, time limits and what a death costs are counted here, as for local
workers. A task is a generator of two results: who runs it, then the reply of the job. With the first its clock starts.
"""

from __future__ import annotations

import os
import pickle
import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import ceil, inf
from typing import Any, Generic

import ray
from ray.exceptions import RayError, RayTaskError, RuntimeEnvSetupError

from bench_lib import __version__
from bench_lib.core.errors import BadValue, BenchError, described, shortened
from bench_lib.executors import worker
from bench_lib.executors.base import Done, Failure, J, Outcome, R, raised
from bench_lib.executors.process import ENVIRONMENT, unpickled
from bench_lib.executors.ray_nodes import ONE_CPU, TICK, Demand, Nodes
from bench_lib.executors.waiting import Turn, Waiting, check_limits

_CONNECT = 10.0
"""Seconds in which a head node must answer."""

_CHARACTERS = 1000


@dataclass(frozen=True)
class RayExecutor:
    """Runs jobs as tasks of a Ray cluster, in processes of one thread per numeric library that are kept over jobs.

    `address` is auto (the cluster that this machine belongs to), local (one that is started here) or HOST:PORT. The
    time limit is in seconds per attempt, from its start on a node. A job whose process or node dies is retried after
    the other jobs, at most `retries` times; exceptions and time-outs are not retried. A job that asks for it by
    `worker.cramped` is tried once more after the other jobs, with a whole GPU in place of its share. `workers` bounds
    the jobs at a time, which are otherwise as many as the nodes hold. The connection stays open until the program ends,
    with the runtime environment, in Ray's terms, with which it was opened.
    """

    address: str = "auto"
    demand: Demand = ONE_CPU
    workers: int | None = None
    time_limit: float | None = None
    retries: int = 2
    runtime_env: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.address not in ("auto", "local"):
            _host_and_port(self.address)
        check_limits(self.workers, self.time_limit, self.retries)

    def run(self, function: Callable[[J], R], jobs: Iterable[J]) -> Iterator[Done[J, R]]:
        connect(self.address, self.runtime_env)
        sweep: _Sweep[J, R] = _Sweep(self, function, jobs)
        try:
            yield from sweep.results()
        finally:
            sweep.stop()


def _host_and_port(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    if not host or "/" in host or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise BadValue("--address", address, "auto, local, or HOST:PORT of a head node such as 10.0.0.1:6379")
    return host, int(port)


def connect(address: str, runtime_env: Mapping[str, Any]) -> None:
    """Connect to the cluster, unless this process is connected; none at the address raises `BenchError`."""
    if ray.is_initialized():
        return
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    # Ray leaves the devices of tasks without a GPU to `_remote`, and does not warn of how it once set them.
    os.environ["RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO"] = "0"
    hint = "start one with `ray start --head`, or take --address local"
    if address not in ("auto", "local"):
        try:
            # Ray itself would try for minutes.
            socket.create_connection(_host_and_port(address), _CONNECT).close()
        except OSError as error:
            raise BenchError(f"no Ray cluster answers at {address}: {described(error)}; {hint}") from error
    start = {"include_dashboard": False} if address == "local" else {}
    try:
        environment = dict(runtime_env) or None
        ray.init(address=address, runtime_env=environment, log_to_driver=False, logging_level="ERROR", **start)
    except (ConnectionError, RuntimeError, ValueError) as error:
        why = shortened(described(error), _CHARACTERS)
        raise BenchError(f"no Ray cluster can be used at the address {address}: {why}; {hint}") from error


@dataclass(frozen=True)
class Started:
    """The first result of a task: the version of the suite where it runs, and the name of its node."""

    version: str
    node: str


def task(payload: bytes, version: str) -> Iterator[Started | tuple[bytes, bool]]:
    """Run a pickled job, and yield its reply and whether this process is to be replaced; nothing in another version."""
    yield Started(__version__, f"{socket.gethostname()} ({ray.util.get_node_ip_address()})")
    if version != __version__:
        return
    yield worker.call(payload), worker.is_retired()
    if worker.is_retired():
        # Until the driver, which has the reply by then, ends this process.
        threading.Event().wait()


def _remote(demand: Demand) -> Any:
    # Without a GPU of its own a task sees none.
    hidden = {} if demand.gpus else {"CUDA_VISIBLE_DEVICES": ""}
    settings = ray.remote(
        num_cpus=demand.cpus,
        num_gpus=demand.gpus,
        num_returns="streaming",
        max_calls=0,  # a task with a GPU would otherwise have its process replaced after each call
        max_retries=0,
        retry_exceptions=False,
        scheduling_strategy="SPREAD",
        runtime_env={"env_vars": {**ENVIRONMENT, **hidden}},
    )
    return settings(task)


@dataclass
class _Running(Generic[J]):
    """A job that was submitted, and when it is out of time; that is known once it started."""

    turn: Turn[J]
    started: Started | None = None
    deadline: float = inf


class _Sweep(Generic[J, R]):
    """One call of `run`: submitted jobs, and those to try again."""

    def __init__(self, settings: RayExecutor, function: Callable[[J], R], jobs: Iterable[J]) -> None:
        self.settings = settings
        self.function = function
        self.waiting = Waiting(jobs, settings.retries)
        self.running: dict[Any, _Running[J]] = {}
        self.remote = _remote(settings.demand)
        self.alone = _remote(replace(settings.demand, gpus=ceil(settings.demand.gpus)))
        self.nodes = Nodes(settings.demand)

    def results(self) -> Iterator[Done[J, R]]:
        if self.settings.workers is None:
            self.nodes.check()
        over = self._fill()
        while self.running or self.waiting or over:
            yield from over
            over = self._collect()
            over += self._fill()
        if self.waiting.error:
            raise self.waiting.error

    def stop(self) -> None:
        """Cancel all jobs, even started ones."""
        running, self.running = [*self.running], {}
        for reference in running:
            _cancel(reference)

    def _fill(self) -> list[Done[J, R]]:
        """Submit as many jobs as the nodes hold, and no more, so that stopping abandons little."""
        failed: list[Done[J, R]] = []
        most = self.settings.workers or self.nodes.holds()
        while len(self.running) < most and (turn := self.waiting.next()):
            try:
                payload = pickle.dumps((self.function, turn.job))
            except Exception as error:
                failed.append(Done(turn.job, None, raised(error), turn.attempt))
                continue
            remote = self.alone if turn.alone else self.remote
            self.running[remote.remote(payload, __version__)] = _Running(turn)
        return failed

    def _collect(self) -> list[Done[J, R]]:
        self._wait()
        over: list[Done[J, R]] = []
        ready, _ = ray.wait([*self.running], num_returns=len(self.running), timeout=0) if self.running else ([], [])
        for reference in ready:
            outcome = self._outcome(reference, self.running[reference])
            if outcome is not None:
                over += self._ended(reference, outcome)
        now = time.monotonic()
        for reference in [reference for reference, run in self.running.items() if now >= run.deadline]:
            _cancel(reference)
            failure = Failure("timeout", f"no result within {self.settings.time_limit} s")
            over += self._ended(reference, Outcome(None, failure))
        return over

    def _wait(self) -> None:
        """Wait until a job starts or ends, or is out of time."""
        if not self.running:
            time.sleep(TICK)
            return
        first = min(run.deadline for run in self.running.values()) - time.monotonic()
        ray.wait([*self.running], num_returns=1, timeout=max(0.0, min(TICK, first)))

    def _outcome(self, reference: Any, run: _Running[J]) -> Outcome | None:
        """What the next result of a task says; None where it says that the job started."""
        try:
            message = ray.get(next(reference))
        except StopIteration:
            return Outcome(None, Failure("died", "the task ended without a reply"))
        except (RayTaskError, RuntimeEnvSetupError) as error:
            why = shortened(str(error).strip(), _CHARACTERS)
            if run.started is None:
                needed = f"every node needs stabbench {__version__} with what this machine has"
                raise BenchError(f"a node of the cluster cannot run the suite: {why}; {needed}") from error
            return Outcome(None, Failure("raised", why))
        except RayError as error:
            where = f" on {run.started.node}" if run.started else ""
            why = shortened(described(error), _CHARACTERS)
            return Outcome(None, Failure("died", f"the process{where} died: {why}"))
        if isinstance(message, Started):
            self._start(run, message)
            return None
        reply, retired = message
        if retired:
            _cancel(reference)
        return unpickled(reply)

    def _start(self, run: _Running[J], started: Started) -> None:
        if started.version != __version__:
            raise BenchError(
                f"the node {started.node} has stabbench {started.version}, this machine {__version__}; install the "
                "same on both"
            )
        limit = self.settings.time_limit
        run.started, run.deadline = started, inf if limit is None else time.monotonic() + limit

    def _ended(self, reference: Any, outcome: Outcome) -> list[Done[J, R]]:
        run = self.running.pop(reference)
        return self.waiting.ended(run.turn, outcome, shared=0 < self.settings.demand.gpus < 1)


def _cancel(reference: Any) -> None:
    """End the process of a task, or take the task back where it has not started."""
    # Ray raises nothing for one that is over; a cluster that is gone has ended it.
    with suppress(RayError):
        ray.cancel(reference, force=True)
