"""The plan of a sweep: a grid of names as specs in the order in which they run; all that is wrong is told at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench_lib.core.errors import BadValue, BenchError, Problems, require
from bench_lib.core.profiles import ProfileFamily, along
from bench_lib.core.seeds import Frozen, check_seed
from bench_lib.core.spec import Profile, Ref, RunSpec, Scalar, TechniqueSpec
from bench_lib.harness.corrections import corrections_of
from bench_lib.models import MODELS
from bench_lib.models.source import find_source, resolve
from bench_lib.runner.feasibility import hindrances
from bench_lib.runner.seed_ensembles import keeps_weights, members
from bench_lib.runner.seed_streams import check_arms, refuse_pools
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.sources.synthetic import CORPORA
from bench_lib.tasks.task import Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack

MOST = 1_000_000
"""Runs that a grid may have: a slip of the key should not fill the memory."""


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


@dataclass(frozen=True)
class _Asked:
    """What a grid names, as far as there is such a thing."""

    tasks: tuple[Task, ...]
    stacks: tuple[tuple[TechniqueSpec, ...], ...]
    families: tuple[ProfileFamily, ...]
    arms: tuple[Frozen, ...]
    seeds: tuple[int, ...]

    def runs(self) -> int:
        """How many runs that is, with a pool counted for each of its members."""
        return math.prod(map(len, (self.tasks, self.stacks, self.families, self.arms, self.seeds)))


def plan(grid: Grid) -> list[RunSpec]:
    """The runs of a grid, all cells of one seed before the next.

    Raises `BadPlan` with all that is wrong: names and settings that cannot be read, data and models that cannot be had
    or do not fit each other. What has to be fetched is not, for a grid of which something is wrong already.
    """
    problems = Problems()
    asked = _asked(grid, problems)
    problems.of(require, asked.runs() <= MOST, "number of runs", asked.runs(), f"at most {MOST:,}")
    if asked.runs() > MOST or _is_fetched(grid):
        problems.refuse()
    cells = _cells(grid, asked, problems)
    problems.of(check_arms, cells)
    planned = problems.of(_planned, cells, asked.seeds) or []
    problems.of(_check_pools, asked.stacks, planned, asked.seeds)
    problems.found += hindrances(planned)
    problems.refuse()
    return planned


def _asked(grid: Grid, problems: Problems) -> _Asked:
    """What the grid names. What is wrong is noted and left out; where nothing is left, something stands in for it."""
    for what in ("tasks", "techniques", "seeds", "arms"):
        problems.of(require, len(getattr(grid, what)) > 0, what, getattr(grid, what), "at least one")
    arms = tuple(dict.fromkeys(tuple(sorted(frozen)) for frozen in grid.arms))
    if len(arms) > 1:
        problems.of(refuse_pools, grid.techniques)
    tasks = [problems.of(TASKS.get, name) for name in dict.fromkeys(grid.tasks)]
    # By value: `llrd` and `llrd:decay=0.95` are one technique.
    stacks = dict.fromkeys(problems.of(_stack, text) for text in dict.fromkeys(grid.techniques))
    return _Asked(
        tuple(task for task in tasks if task is not None),
        tuple(stack for stack in stacks if stack is not None) or ((),),
        tuple(problems.of(along, grid.profile, grid.axes) or ()),
        arms or ((),),
        problems.of(_seeds, grid) or (0,),
    )


def _stack(text: str) -> tuple[TechniqueSpec, ...]:
    return parse_stack(text, TECHNIQUES).spec()


def _seeds(grid: Grid) -> tuple[int, ...]:
    for seed in grid.seeds:
        check_seed("seed", seed)
    return tuple(dict.fromkeys(grid.seeds))


def _is_fetched(grid: Grid) -> bool:
    """Whether the data or the model come over the network."""
    try:
        return grid.data == "hub" or bool(find_source(grid.model, MODELS).hub_id)
    except BenchError:
        return False


def _cells(grid: Grid, asked: _Asked, problems: Problems) -> list[RunSpec]:
    """A spec for each cell that can be made of what the grid names."""
    model = problems.of(resolve, grid.model, MODELS)
    found: list[RunSpec | None] = []
    for task in asked.tasks:
        data = problems.of(load_data, task, grid.data)
        profiles = [(family.name, problems.of(family, task.name, task.kind)) for family in asked.families]
        if data is None or model is None:
            continue
        blank = RunSpec(task.name, task.version, Ref(grid.data, data.fingerprint), (), model, Profile(), seed=0)
        found += [
            problems.of(_cell, blank, stack, profile, name, frozen)
            for stack in asked.stacks
            for name, profile in profiles
            if profile is not None
            for frozen in asked.arms
        ]
    return [cell for cell in found if cell is not None]


def _cell(blank: RunSpec, stack: tuple[TechniqueSpec, ...], profile: Profile, name: str, frozen: Frozen) -> RunSpec:
    """The cell's first run. What was wrong in earlier versions depends on its model, techniques and profile."""
    task = TASKS.get(blank.task)
    cell = dataclasses.replace(blank, stack=stack, profile=profile, profile_name=name, frozen=frozen)
    return dataclasses.replace(cell, corrections=corrections_of(cell, task.kind, task.labels))


def _planned(cells: Sequence[RunSpec], seeds: tuple[int, ...]) -> list[RunSpec]:
    """The cells' runs seed by seed; a pool that needs weights follows the last of its members, any other comes last."""
    places = {seed: place for place, seed in enumerate(seeds)}
    planned: dict[str, RunSpec] = {}
    for seed in seeds:
        parts = [part for cell in cells for part in _parts(dataclasses.replace(cell, seed=seed), places)]
        for part in sorted(parts, key=is_pool):
            known = planned.setdefault(part.run_id(), part)
            if part.keep_weights and not known.keep_weights:
                planned[part.run_id()] = dataclasses.replace(known, keep_weights=True)
    return sorted(planned.values(), key=lambda spec: is_pool(spec) and not keeps_weights(spec))


def _parts(spec: RunSpec, places: Mapping[int, int]) -> list[RunSpec]:
    """What a cell needs of a seed: a run, or the member of a pool; the pool itself where this is its last member.

    Pools are made of full groups of seeds, for five members 0-4, 5-9 and so on.
    """
    size = spec.pools()
    if not size:
        return [spec]
    first = spec.seed - spec.seed % size
    group = range(first, first + size)
    if size > len(places) or not places.keys() >= set(group):
        return []
    whole = dataclasses.replace(spec, seed=first)
    own = [member for member in members(whole) if member.seed == spec.seed]
    return [*own, whole] if spec.seed == max(group, key=places.__getitem__) else own


def is_pool(spec: RunSpec) -> bool:
    """Whether a spec is of stored runs that are pooled, and nothing is trained for it."""
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
