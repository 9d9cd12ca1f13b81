"""The options of a run, declared once for the command line and for pytest, and what is made of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib.core.errors import BadPlan, BadValue, Problems, check_path
from bench_lib.core.record import Status
from bench_lib.core.seeds import parse_seeds
from bench_lib.executors import OPTIONS, Settings, executors_help, make_executor
from bench_lib.runner.limits import Limits
from bench_lib.runner.options import AXES, Axes, axes_of, parse_frozen_configurations, parse_statuses

if TYPE_CHECKING:
    from bench_lib.executors.base import Executor
    from bench_lib.runner.grid import Grid
    from bench_lib.store import Location

STORE = "DIR|s3://..."
"""What an option that takes a store is shown to take."""

STAND_IN = tuple(range(20))
"""Seeds for checking the rest of a request whose own seeds are invalid; enough for whole seed ensembles."""


def location(text: str) -> Path:
    """A valid path of a file or folder."""
    try:
        check_path("path", text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    return Path(text)


def store_location(text: str) -> Location:
    """The folder of a store, or its address in a bucket."""
    if "://" not in text:
        return location(text)
    from bench_lib.store import located

    try:
        return located(text)
    except BadValue as error:
        raise argparse.ArgumentTypeError(str(error)) from error


@dataclass(frozen=True)
class RunOption:
    """An option of a run; `several` may be given several times."""

    help: str
    metavar: str | None = None
    default: str | None = None
    type: Callable[[str], object] = str
    several: bool = False

    def text(self, default: str | None) -> str:
        """The help with a default."""
        return self.help if default is None else f"{self.help} (default: {default})"


TASK = RunOption(
    "a task of your own: a file that describes it, or a folder of its data; may be given several times",
    "FILE.toml|DIR",
    several=True,
)

GRID: Mapping[str, RunOption] = {
    "techniques": RunOption(
        "techniques or stacks such as llrd:decay=0.9+reinit, files as PATH.py:Class, tuned ones as mixout[tuned], or "
        "all",
        "A,B+C",
        "adamw",
    ),
    "seeds": RunOption("seeds of every cell", "0-4,7", "0-4"),
    "freeze": RunOption(
        "seed streams that do not vary, or none (default: subset=0); with --vary, the places of those not at 0",
        "STREAM=SEED,...",
    ),
    "vary": RunOption(
        "a set of runs for each seed stream in turn, the others frozen: init,order; both at once: init+order; a grid "
        "of both: initxorder; every stream at once: all",
        "A,B+C,AxB",
    ),
}

WORK: Mapping[str, RunOption] = {
    "tuned_from": RunOption(
        "store of the trials of mixout[tuned] (default: that of the runs)", STORE, type=store_location
    ),
    "retry": RunOption("stored runs to attempt again, such as crashed,oom", "STATUS,..."),
    "max_runs": RunOption("stop after so many new runs; the same command goes on", "N", type=int),
    "max_hours": RunOption("begin no run after so many hours; the same command goes on", "H", type=float),
}


def setting() -> dict[str, RunOption]:
    """The options that several commands have: data, model, profile, store and executor."""
    return {
        "profile": RunOption("budget of a run, with settings such as desk:per_class=8", default="quick"),
        "tasks": RunOption("tasks, or all the standard ones (default, unless --task is given)", "A,B"),
        "task": TASK,
        "model": RunOption("a registered name, a hub id or a folder", default="minilm"),
        "data": RunOption("where the data is from", "hub|embedded|DIR", "embedded"),
        "store": RunOption("where runs are kept", STORE, "bench-results", store_location),
        **executing(),
    }


def executing(default: str = "inline") -> dict[str, RunOption]:
    """The options that say where runs are made."""
    others = {name: RunOption(option.help, option.metavar, type=option.type) for name, option in OPTIONS.items()}
    return {"executor": RunOption(executors_help(), "NAME", default), **others}


def axes() -> dict[str, RunOption]:
    """The options of the axes, for which every combination of values is run."""
    return {name: RunOption(text, values) for name, (values, text) in AXES.items()}


@dataclass(frozen=True)
class Request:
    """What the options of a run ask for."""

    grid: Grid
    executor: Executor
    retry: frozenset[Status]
    limits: Limits


def requested(options: argparse.Namespace, prefix: str = "--") -> Request:
    """What the options ask for; raises `BadPlan` with all problems, including those of the grid."""
    problems = Problems()
    seeds = problems.of(parse_seeds, options.seeds) or STAND_IN
    retry = problems.of(parse_statuses, options.retry or "")
    frozen = problems.of(parse_frozen_configurations, options.vary, options.freeze, seeds)
    crossed = problems.of(parse_axes, options, prefix)
    executor, limits = problems.of(chosen_executor, options), problems.of(chosen_limits, options)
    from bench_lib.runner.grid import Grid, all_techniques, named, plan
    from bench_lib.runner.seed_streams import refuse_pools

    grid = Grid(
        tasks=chosen_tasks(options, options.data),
        techniques=named(options.techniques, all_techniques(seeds if options.vary is None else ())),
        seeds=seeds,
        profile=options.profile,
        model=options.model,
        data=options.data,
        frozen=frozen or parse_frozen_configurations(None, None, seeds),
        axes=crossed or (),
        tuned_from=str(options.tuned_from or options.store),
    )
    if options.vary is not None:
        problems.of(refuse_pools, grid.techniques)
    if problems.found or executor is None or retry is None or limits is None:
        problems.of(plan, grid)
        raise BadPlan(problems.found)
    return Request(grid, executor, retry, limits)


def chosen_executor(options: argparse.Namespace) -> Executor:
    """The executor for the options."""
    return make_executor(options.executor, Settings(**{name: getattr(options, name) for name in OPTIONS}))


def chosen_limits(options: argparse.Namespace) -> Limits:
    """The limits for the options."""
    return Limits(options.max_runs, options.max_hours)


def own_tasks(options: argparse.Namespace) -> tuple[str, ...]:
    """The full paths of the tasks of a user's own."""
    from bench_lib.tasks.find import absolute

    return tuple(map(absolute, options.task or ()))


def chosen_tasks(options: argparse.Namespace, data: str) -> tuple[str, ...]:
    """The tasks of `--tasks` and `--task`; where neither is given, all that the source of the data stands for."""
    from bench_lib.runner.grid import all_tasks, named

    own = own_tasks(options)
    if own and options.tasks is None:
        return own
    return (*named(options.tasks or "all", all_tasks(data)), *own)


def parse_axes(options: argparse.Namespace, prefix: str = "--") -> Axes:
    """The axes that the options give, in the order of `AXES`; a value of another type raises `BadValue`."""
    return axes_of({name: getattr(options, name) for name in AXES}, prefix)
