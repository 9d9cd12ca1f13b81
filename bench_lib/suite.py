"""A sweep: the grid as specs, minus what is stored, over an executor, into the store."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, groupby

from bench_lib.arms import check_arms, refuse_pools
from bench_lib.errors import BadValue, BenchError, require
from bench_lib.executors.base import Done, Executor
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.pool import awaited, keeps_weights, members, pool, spent, weightless
from bench_lib.profiles import along
from bench_lib.record import RunRecord, Status
from bench_lib.run import blank_record, execute
from bench_lib.seeds import Frozen
from bench_lib.spec import Ref, RunSpec, Scalar, TechniqueSpec
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
    """What to run, by name: every task with every technique and every seed, once for each arm and along the axes.

    An arm is what is frozen in its runs. An axis is a field of the profile with the values that it takes; several are
    crossed.
    """

    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    profile: str = "quick"
    model: str = "minilm"
    data: str = "embedded"
    arms: tuple[Frozen, ...] = ((("subset", 0),),)
    axes: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()


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


def all_techniques(seeds: Sequence[int]) -> tuple[str, ...]:
    """The techniques that a set of seeds allows: a pool takes as many in a row as it has members."""
    sizes = {t.name: t().pools() for t in TECHNIQUES}
    given = frozenset(seeds)
    return tuple(
        name
        for name, size in sizes.items()
        if not size or any(given.issuperset(range(s, s + size)) for s in given if s % size == 0)
    )


def named(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Names from text such as `sst2, imdb`, or all that are known for `all`."""
    return known if text == "all" else tuple(part.strip() for part in text.split(","))


def plan(grid: Grid) -> list[RunSpec]:
    """The runs of a grid, all cells of one seed before the next; whatever cannot be had or read raises `BenchError`."""
    for what in ("tasks", "techniques", "seeds", "arms"):
        require(len(getattr(grid, what)) > 0, what, getattr(grid, what), "at least one")
    arms = list(dict.fromkeys(tuple(sorted(frozen)) for frozen in grid.arms))
    if len(arms) > 1:
        refuse_pools(grid.techniques)
    # By value: `llrd` and `llrd:decay=0.95` are one technique.
    stacks = dict.fromkeys(parse_stack(text, TECHNIQUES).spec() for text in grid.techniques)
    tasks = [TASKS.get(name) for name in dict.fromkeys(grid.tasks)]
    families = along(grid.profile, grid.axes)
    model = resolve(grid.model, MODELS)
    # Last, since it is what may take long.
    data = {task.name: Ref(grid.data, load_data(task, grid.data).fingerprint) for task in tasks}
    cells = [
        RunSpec(
            task=task.name,
            task_version=task.version,
            data=data[task.name],
            stack=stack,
            model=model,
            profile=family(task.name, task.kind),
            seed=0,
            profile_name=family.name,
            frozen=frozen,
        )
        for task in tasks
        for stack in stacks
        for family in families
        for frozen in arms
    ]
    check_arms(cells)
    planned = _planned(cells, tuple(dict.fromkeys(grid.seeds)))
    _check_pools(stacks, planned, grid.seeds)
    return planned


def _planned(cells: Sequence[RunSpec], seeds: tuple[int, ...]) -> list[RunSpec]:
    """The cells' runs seed by seed; a pool that needs weights follows the last of its members, any other comes last."""
    places = {seed: place for place, seed in enumerate(seeds)}
    planned: dict[str, RunSpec] = {}
    for seed in seeds:
        parts = [part for cell in cells for part in _parts(dataclasses.replace(cell, seed=seed), places)]
        for part in sorted(parts, key=_is_pool):
            known = planned.setdefault(part.run_id(), part)
            if part.keep_weights and not known.keep_weights:
                planned[part.run_id()] = dataclasses.replace(known, keep_weights=True)
    return sorted(planned.values(), key=lambda spec: _is_pool(spec) and not keeps_weights(spec))


def _parts(spec: RunSpec, places: Mapping[int, int]) -> list[RunSpec]:
    """What a cell needs of a seed: a run, or the member of a pool; the pool itself where this is its last member.

    Pools are made of full groups of seeds, for five members 0-4, 5-9 and so on.
    """
    size = spec.pools()
    if not size:
        return [spec]
    first = spec.seed - spec.seed % size
    group = range(first, first + size)
    if not places.keys() >= set(group):
        return []
    whole = dataclasses.replace(spec, seed=first)
    own = [member for member in members(whole) if member.seed == spec.seed]
    return [*own, whole] if spec.seed == max(group, key=places.__getitem__) else own


def _is_pool(spec: RunSpec) -> bool:
    return spec.pools() > 0


def _check_pools(stacks: Iterable[tuple[TechniqueSpec, ...]], planned: Sequence[RunSpec], seeds: Sequence[int]) -> None:
    """Raise `BadValue` for a pool that none of the seeds make up."""
    found = {spec.stack for spec in planned}
    for stack in stacks:
        size = max((t.pools for t in stack), default=0)
        if size and stack not in found:
            name = "+".join(t.label for t in stack)
            raise BadValue(f"seeds for {name}", list(seeds), f"whole groups of {size}: {_groups(size, seeds)}")


def _groups(size: int, seeds: Sequence[int]) -> str:
    """The groups that some of the seeds are in, the first few of them."""
    firsts = sorted({seed - seed % size for seed in seeds})
    named = [f"{first}-{first + size - 1}" if size > 1 else str(first) for first in firsts]
    return ", ".join([*named[:3], *(["..."] if len(named) > 3 else [])])


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
    pools = [spec for spec in specs if _is_pool(spec)]
    # What a sweep left that was killed after a pool and before it could tidy up.
    store.drop_weights(spent(pools, store))
    attempts = _attempts_to_repeat(store, retry)
    stored = store.ids() - attempts.keys()
    missing = [spec for spec in specs if spec.run_id() not in stored]
    needed = _needed_weights([spec for spec in missing if _is_pool(spec)], stored, store)
    progress = Progress(len(specs), len(specs) - len(missing), 0, Counter())
    report(progress)
    for pooling, stretch in groupby(missing, key=_is_pool):
        todo = [dataclasses.replace(spec, keep_weights=spec.run_id() in needed) for spec in stretch]
        for record in chain.from_iterable(_records(done, attempts) for done in _run(todo, store, executor)):
            store.append(record)
            statuses = progress.statuses + Counter([record.status])
            progress = dataclasses.replace(progress, finished=progress.finished + 1, statuses=statuses, last=record)
            report(progress)
        if pooling:
            store.drop_weights(spent(pools, store))
    return progress


def _run(specs: Sequence[RunSpec], store: Store, executor: Executor) -> Iterator[Done[Group, list[RunRecord]]]:
    """Runs that are trained, or pools: of those, one that misses a member waits until that is tried again."""
    if not _is_pool(specs[0]):
        return executor.run(execute, grouped(specs))
    ready: list[Group] = [(spec,) for spec in specs if not awaited(spec, store)]
    return executor.run(functools.partial(_pooled, store=store), ready) if ready else iter(())


def _pooled(group: Group, store: Store) -> list[RunRecord]:
    return [pool(spec, store) for spec in group]


def _needed_weights(pools: Sequence[RunSpec], stored: frozenset[str], store: Store) -> frozenset[str]:
    """The runs whose weights are kept for pools that are still to be made.

    A member that was stored without its weights cannot be pooled without training it again: that raises `BenchError`.
    """
    lost = [(spec, m) for spec in pools for m in weightless(spec, store) if m.run_id() in stored]
    if lost:
        names = list(dict.fromkeys(f"{m.task} {m.technique()} seed {m.seed}" for _, m in lost))
        raise BenchError(
            f"{lost[0][0].technique()} needs the weights of its members, and {len(names)} of them were stored without "
            f"({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}); take a store in which they have not run, or "
            "leave it out"
        )
    return frozenset(m.run_id() for spec in pools for m in members(spec) if m.keep_weights)


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
