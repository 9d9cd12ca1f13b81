"""Plan a sweep: turn a grid of names into run specs in execution order, reporting all problems at once."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench_lib.core.errors import BenchError, Problems, require
from bench_lib.core.profiles import ProfileFamily, along
from bench_lib.core.seeds import TUNING_SEEDS, Frozen, check_seed
from bench_lib.core.spec import KNOWN, Profile, Ref, RunSpec, Scalar, TechniqueSpec
from bench_lib.harness.corrections import corrections_of
from bench_lib.models import MODELS
from bench_lib.models.source import find_source, resolve
from bench_lib.runner.cells import CellRuns, cell_runs, check_seed_groups, in_order, one_of_each
from bench_lib.runner.feasibility import hindrances
from bench_lib.runner.seed_streams import check_frozen_configurations, refuse_pools
from bench_lib.runner.trials import Arm, Outcome, outcomes, parse_arm, tuned_stack
from bench_lib.store import Store, located
from bench_lib.tasks import STANDARD, TASKS
from bench_lib.tasks.find import find_task
from bench_lib.tasks.further import FORGETTING
from bench_lib.tasks.robustness.loading import load_further, sets_named
from bench_lib.tasks.sources.general_text import load_general_text
from bench_lib.tasks.sources.load import data_facts
from bench_lib.tasks.sources.synthetic import CORPORA
from bench_lib.tasks.task import Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack

MOST = 1_000_000
"""Largest number of runs in a grid, so that a typing error cannot exhaust the memory."""


@dataclass(frozen=True)
class Grid:
    """What to run, by name: tasks x techniques x profiles x seeds x frozen-seed configurations x axes.

    A frozen-seed configuration fixes the seed of some streams in its runs. An axis is a profile field with its values;
    several axes are crossed. A user's own task is named by its path. Trials in the store `tuned_from` say what tuned
    arms are, such as `mixout[tuned]`. The data of tasks whose `fingerprints` are given are not read.
    """

    tasks: tuple[str, ...]
    techniques: tuple[str, ...]
    seeds: tuple[int, ...]
    profile: str | tuple[str, ...] = "quick"
    model: str = "minilm"
    data: str = "embedded"
    frozen: tuple[Frozen, ...] = ((("subset", 0),),)
    axes: tuple[tuple[str, tuple[Scalar, ...]], ...] = ()
    tuned_from: str = ""
    fingerprints: tuple[tuple[str, str], ...] = ()


def all_tasks(data: str) -> tuple[str, ...]:
    """The tasks that `all` stands for: the standard ones and those of packages, or those with an embedded corpus."""
    return tuple(n for n in STANDARD if n in CORPORA) if data == "embedded" else (*STANDARD, *TASKS.of_packages())


def all_techniques(seeds: Sequence[int]) -> tuple[str, ...]:
    """The techniques that these seeds allow: a seed ensemble needs a full group of consecutive seeds."""
    sizes = {t.name: t().pools() for t in TECHNIQUES}
    given = frozenset(seeds)
    return tuple(
        name
        for name, size in sizes.items()
        if not size or any(given.issuperset(range(s, s + size)) for s in given if s % size == 0)
    )


def named(text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Split text such as `sst2, imdb` into names; `all` means all known names."""
    return known if text == "all" else tuple(part.strip() for part in text.split(","))


@dataclass(frozen=True)
class _ParsedGrid:
    """The valid names and settings of a grid, resolved."""

    tasks: tuple[Task, ...]
    stacks: tuple[tuple[TechniqueSpec, ...] | Arm, ...]
    families: tuple[ProfileFamily, ...]
    frozen: tuple[Frozen, ...]
    seeds: tuple[int, ...]

    def runs(self) -> int:
        """Number of runs, counting each member of a seed ensemble."""
        return math.prod(map(len, (self.tasks, self.stacks, self.families, self.frozen, self.seeds)))


def plan(grid: Grid) -> list[RunSpec]:
    """The runs of a grid, ordered by seed, then by cell.

    Raises `BadPlan` with all problems: invalid names and settings, data and models that are unavailable or do not fit
    each other. Nothing is downloaded for a grid already known to be invalid.
    """
    problems = Problems()
    planned, seeds = _cell_runs(grid, problems)
    problems.found += hindrances([*one_of_each(planned)])
    problems.refuse()
    return in_order(planned, seeds)


def runs_of(grid: Grid) -> list[RunSpec]:
    """The runs of a grid like `plan`, without trying whether data and model fit each other, which takes longer."""
    problems = Problems()
    planned, seeds = _cell_runs(grid, problems)
    problems.refuse()
    return in_order(planned, seeds)


def cells_of(grid: Grid) -> list[CellRuns]:
    """The same runs by cell, which may be a million; a run that is also a member of a seed ensemble may stand twice."""
    problems = Problems()
    planned, _ = _cell_runs(grid, problems)
    problems.refuse()
    return planned


def check_names(grid: Grid) -> None:
    """Raise `BadPlan` with all invalid names and settings of the grid; neither data nor models are looked for."""
    problems = Problems()
    _parse(grid, problems)
    problems.refuse()


def _cell_runs(grid: Grid, problems: Problems) -> tuple[list[CellRuns], tuple[int, ...]]:
    """The runs of a grid, and its seeds; `BadPlan` at once where something would be fetched for an invalid grid."""
    parsed = _parse(grid, problems)
    problems.of(require, parsed.runs() <= MOST, "number of runs", parsed.runs(), f"at most {MOST:,}")
    if parsed.runs() > MOST or _is_fetched(grid):
        problems.refuse()
    cells = _cells(grid, parsed, problems)
    problems.of(check_frozen_configurations, [cell for cell in cells if cell.data.name != KNOWN])
    planned = problems.of(cell_runs, cells, parsed.seeds) or []
    asked = [stack for stack in parsed.stacks if not isinstance(stack, Arm)]
    problems.of(check_seed_groups, asked, planned, parsed.seeds)
    return planned, parsed.seeds


def _parse(grid: Grid, problems: Problems) -> _ParsedGrid:
    """Resolve the names of the grid. Invalid ones are noted and dropped, with a placeholder if none is left."""
    for what in ("tasks", "techniques", "seeds", "frozen"):
        problems.of(require, len(getattr(grid, what)) > 0, what, getattr(grid, what), "at least one")
    configurations = tuple(dict.fromkeys(tuple(sorted(one)) for one in grid.frozen))
    if len(configurations) > 1:
        problems.of(refuse_pools, grid.techniques)
    tasks = {text: task for text in dict.fromkeys(grid.tasks) if (task := problems.of(find_task, text)) is not None}
    problems.of(_check_apart, tasks)
    # Compared by value: `llrd` and `llrd:decay=0.95` are one technique.
    stacks = dict.fromkeys(problems.of(_stack, text) for text in dict.fromkeys(grid.techniques))
    profiles = (grid.profile,) if isinstance(grid.profile, str) else grid.profile
    families = [family for text in profiles for family in problems.of(along, text, grid.axes) or ()]
    return _ParsedGrid(
        tuple(tasks.values()),
        tuple(stack for stack in stacks if stack is not None) or ((),),
        tuple({family.name: family for family in families}.values()),
        configurations or ((),),
        problems.of(_seeds, grid, any(isinstance(stack, Arm) for stack in stacks)) or (0,),
    )


def _check_apart(tasks: Mapping[str, Task]) -> None:
    """Raise `BadValue` for two tasks of one name, which a user's own may have."""
    names = [task.name for task in tasks.values()]
    for text, task in tasks.items():
        require(names.count(task.name) == 1, f"name of the task in {text}", task.name, "one that no other task has")


def _stack(text: str) -> tuple[TechniqueSpec, ...] | Arm:
    return parse_arm(text) or parse_stack(text, TECHNIQUES).spec()


def _seeds(grid: Grid, tuned: bool) -> tuple[int, ...]:
    for seed in grid.seeds:
        check_seed("seed", seed)
        others = f"others than {TUNING_SEEDS[0]}-{TUNING_SEEDS[-1]}, by which its settings were chosen"
        require(not (tuned and seed in TUNING_SEEDS), "seed of a tuned arm", seed, others)
    return tuple(dict.fromkeys(grid.seeds))


def _is_fetched(grid: Grid) -> bool:
    """Whether the data or the model may need a download."""
    try:
        return grid.data == "hub" or bool(find_source(grid.model, MODELS).hub_id)
    except BenchError:
        return False


def _cells(grid: Grid, parsed: _ParsedGrid, problems: Problems) -> list[RunSpec]:
    """A spec with seed 0 for each valid cell of the grid."""
    model = problems.of(resolve, grid.model, MODELS)
    trials = problems.of(_trials, grid) if any(isinstance(stack, Arm) for stack in parsed.stacks) else None
    found: list[RunSpec | None] = []
    for task in parsed.tasks:
        data = problems.of(_data, task, grid)
        profiles = [(family.name, problems.of(family, task.name, task.format)) for family in parsed.families]
        if data is None or model is None:
            continue
        blank = RunSpec(task.name, task.version, data, (), model, Profile(), seed=0, task_path=task.path)
        found += [
            problems.of(_tuned, cell, stack, trials, grid.tuned_from) if isinstance(stack, Arm) else cell
            for stack in parsed.stacks
            for name, profile in profiles
            if profile is not None
            for frozen in parsed.frozen
            for cell in [problems.of(_cell, task, blank, stack, profile, name, frozen)]
        ]
    return [cell for cell in found if cell is not None]


def _data(task: Task, grid: Grid) -> Ref:
    fingerprint = dict(grid.fingerprints).get(task.name)
    return Ref(KNOWN, fingerprint) if fingerprint else Ref(grid.data, data_facts(task, grid.data).fingerprint)


def _trials(grid: Grid) -> dict[str, Outcome]:
    require(bool(grid.tuned_from), "store of the trials", grid.tuned_from, "a store, where a tuned arm is asked for")
    return outcomes(Store(located(grid.tuned_from)))


def _tuned(cell: RunSpec | None, arm: Arm, trials: Mapping[str, Outcome] | None, where: str) -> RunSpec | None:
    """The cell with the best settings of an arm; None where something else is wrong."""
    if cell is None or trials is None:
        return None
    return dataclasses.replace(cell, stack=tuned_stack(arm, cell, trials, where))


def _cell(
    task: Task, blank: RunSpec, asked: tuple[TechniqueSpec, ...] | Arm, profile: Profile, name: str, frozen: Frozen
) -> RunSpec:
    """The spec of a cell with seed 0, that of a tuned arm with the default; and the corrections that follow from it."""
    stack = asked.base.spec() if isinstance(asked, Arm) else asked
    cell = dataclasses.replace(blank, stack=stack, profile=profile, profile_name=name, frozen=frozen)
    also = [load_further(one, task, blank.data.name) for one in sets_named(profile.also, task)]
    fingerprints = tuple((one.set.name, one.fingerprint) for one in also)
    if text := load_general_text(profile.forgetting, blank.data.name):
        fingerprints = (*fingerprints, (FORGETTING, text.fingerprint))
    return dataclasses.replace(cell, corrections=corrections_of(cell, task.format, task.labels), also=fingerprints)
