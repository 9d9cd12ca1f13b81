"""A sweep: the grid as specs, minus what is stored, over an executor, into the store."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from bench_lib.errors import BenchError, require
from bench_lib.executors.base import Done, Executor
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.profiles import PROFILES
from bench_lib.run import blank_record, execute
from bench_lib.spec import Ref, RunRecord, RunSpec, Status
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.embedded import CORPORA
from bench_lib.tasks.sources import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.stack import parse_stack

Group = tuple[RunSpec, ...]
"""Runs that share one training."""


@dataclass(frozen=True)
class Grid:
    """What to run, by name: every task with every technique and every seed."""

    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    profile: str = "quick"
    model: str = "minilm"
    data: str = "embedded"
    frozen: tuple[tuple[str, int], ...] = (("subset", 0),)


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: runs in all, stored before it began, finished by it, and those by status."""

    total: int
    stored: int
    finished: int
    statuses: Counter[str]
    last: RunRecord | None = None

    @property
    def left(self) -> int:
        return self.total - self.stored - self.finished

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != Status.CONVERGED)


def all_tasks(data: str) -> tuple[str, ...]:
    """The tasks that a data source offers: the embedded corpora stand for four of them."""
    return tuple(CORPORA) if data == "embedded" else TASKS.names()


def named(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names from text such as `sst2, imdb`, or all that are known for `all`."""
    return known if text == "all" else tuple(part.strip() for part in text.split(","))


def plan(grid: Grid) -> list[RunSpec]:
    """The runs of a grid, all cells of one seed before the next; whatever cannot be had or read raises `BenchError`."""
    for what, names in (("tasks", grid.tasks), ("techniques", grid.techniques), ("seeds", grid.seeds)):
        require(len(names) > 0, what, names, "at least one")
    # By value: `llrd` and `llrd:decay=0.95` are one technique.
    stacks = dict.fromkeys(parse_stack(text, TECHNIQUES).spec() for text in grid.techniques)
    tasks = [TASKS.get(name) for name in dict.fromkeys(grid.tasks)]
    family = PROFILES.get(grid.profile)
    model = resolve(grid.model, MODELS)
    # Last, since it is what may take long.
    data = {task.name: Ref(grid.data, load_data(task, grid.data).fingerprint) for task in tasks}
    return [
        RunSpec(
            task=task.name,
            task_version=task.version,
            data=data[task.name],
            stack=stack,
            model=model,
            profile=family(task.name, task.kind),
            seed=seed,
            profile_name=grid.profile,
            frozen=grid.frozen,
        )
        for seed in dict.fromkeys(grid.seeds)
        for task in tasks
        for stack in stacks
    ]


def grouped(specs: Sequence[RunSpec]) -> list[Group]:
    """Specs that share a training together, in the order of the first of each."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.training().run_id(), []).append(spec)
    return [tuple(group) for group in groups.values()]


def run_suite(
    grid: Grid,
    store: Store,
    executor: Executor,
    report: Callable[[Progress], None] = lambda progress: None,
    retry: frozenset[Status] = frozenset(),
) -> Progress:
    """Run what the store does not hold and append every record as it comes; `retry` names statuses to attempt again.

    Killed at any time, the same call goes on with what is missing.
    """
    specs = plan(grid)
    attempts = _attempts_to_repeat(store, retry)
    stored = store.ids() - attempts.keys()
    missing = [spec for spec in specs if spec.run_id() not in stored]
    progress = Progress(len(specs), len(specs) - len(missing), 0, Counter())
    report(progress)
    for done in executor.run(execute, grouped(missing)):
        for record in _records(done, attempts):
            store.append(record)
            statuses = progress.statuses + Counter([record.status])
            progress = dataclasses.replace(progress, finished=progress.finished + 1, statuses=statuses, last=record)
            report(progress)
    return progress


def _attempts_to_repeat(store: Store, retry: frozenset[Status]) -> dict[str, int]:
    """Stored runs of the statuses to retry, with the attempts that they have had."""
    if not retry:
        return {}
    rows = store.table().select(["run_id", "status", "attempts"]).to_pylist()
    return {row["run_id"]: row["attempts"] for row in rows if row["status"] in retry}


def _records(done: Done[Group, list[RunRecord]], earlier: dict[str, int]) -> Iterator[RunRecord]:
    """The records of a finished group; a group that gave none is a row for each of its runs all the same."""
    if done.result is not None:
        records = done.result
    elif done.failure is None:
        raise BenchError("an executor gave neither a result nor a failure")
    else:
        status = Status.TIMEOUT if done.failure.kind == "timeout" else Status.CRASHED
        records = [blank_record(spec, status, done.failure.message) for spec in done.job]
    for record in records:
        yield dataclasses.replace(record, attempts=done.attempts + earlier.get(record.run_id, 0))
