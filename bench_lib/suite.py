"""A sweep: the grid as specs, minus what is stored, over an executor, into the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench_lib.arms import check_arms, refuse_pools
from bench_lib.errors import BadValue, require
from bench_lib.executors.base import Executor
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.pool import keeps_weights, members
from bench_lib.profiles import along
from bench_lib.record import Status
from bench_lib.seeds import Frozen
from bench_lib.spec import Ref, RunSpec, Scalar, TechniqueSpec
from bench_lib.store import Store
from bench_lib.sweep import Group, Progress, grouped, sweep
from bench_lib.tasks import TASKS
from bench_lib.tasks.embedded import CORPORA
from bench_lib.tasks.sources import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.stack import parse_stack

__all__ = ["Grid", "Group", "Progress", "all_tasks", "all_techniques", "grouped", "named", "plan", "run_suite"]


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


def run_suite(
    grid: Grid,
    store: Store,
    executor: Executor,
    report: Callable[[Progress], None] = lambda progress: None,
    retry: frozenset[Status] = frozenset(),
) -> Progress:
    """Run what the store does not hold and append every record as it comes; `retry` names statuses to attempt again.

    Killed at any time, the same call goes on with what is missing. Several processes may run one grid into one store:
    each run is made by one of them.
    """
    return sweep(plan(grid), store, executor, report, retry)
