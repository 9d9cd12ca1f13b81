"""`stabbench run`: run what a grid asks for and the store does not have."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from bench_lib.cli import until_decided
from bench_lib.cli.arguments import add_own_task, chosen_tasks, location
from bench_lib.cli.console import ProgressLine, print_damaged_files
from bench_lib.cli.outcome import print_outcome
from bench_lib.core.errors import BadPlan, Problems
from bench_lib.core.record import Status
from bench_lib.core.seeds import parse_seeds
from bench_lib.runner.limits import Limits
from bench_lib.runner.options import AXES, Axes, axes_of, parse_frozen_configurations, parse_statuses

if TYPE_CHECKING:
    from bench_lib.executors.base import Executor
    from bench_lib.runner.grid import Grid

DECIDED = ("profile", "tasks", "task", "model", "data", "techniques", "seeds", "freeze", "vary", *AXES)
"""Options that a plan decides; only other data may be given beside it."""

STAND_IN = tuple(range(20))
"""Seeds for checking the rest of a command whose own seeds are invalid; enough for whole seed ensembles."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    add = command.add_argument
    add("plan", nargs="?", type=location, metavar="PLAN.toml", help="a plan file in place of the options of a grid")
    add(
        "--part",
        action="append",
        metavar="NAME",
        help="a part of the plan, in place of all; may be given several times",
    )
    add_setting(command)
    add(
        "--techniques",
        default="adamw",
        metavar="A,B+C",
        help="techniques or stacks such as llrd:decay=0.9+reinit, files as PATH.py:Class, tuned ones as mixout[tuned], "
        "or all",
    )
    add("--seeds", default="0-4", metavar="0-4,7", help="default: 0-4")
    add(
        "--freeze",
        metavar="STREAM=SEED,...",
        help="seed streams that do not vary, or none (default: subset=0); with --vary, the places of those not at 0",
    )
    add(
        "--vary",
        metavar="A,B+C,AxB",
        help="a set of runs for each seed stream in turn, the others frozen: init,order; both at once: init+order; "
        "a grid of both: initxorder; every stream at once: all",
    )
    _add_axes(command)
    add("--tuned-from", type=location, metavar="DIR", help="store of the trials of mixout[tuned] (default: --store)")
    add("--retry", default="", metavar="STATUS,...", help="stored runs to attempt again, such as crashed,oom")
    add("--max-runs", type=int, metavar="N", help="stop after so many new runs; the same command goes on")
    add("--max-hours", type=float, metavar="H", help="begin no run after so many hours; the same command goes on")
    until_decided.add_to(command)
    usual = {name: command.get_default(name) for name in DECIDED}
    # None, to know what was given beside a plan.
    command.set_defaults(command=functools.partial(_run, usual), **dict.fromkeys(usual))


def _add_axes(command: argparse.ArgumentParser) -> None:
    group = command.add_argument_group(
        "axes", "settings of the profile, for which several values may be given: every combination is run"
    )
    for name, (values, text) in AXES.items():
        group.add_argument(f"--{name.replace('_', '-')}", metavar=values, help=text)


def parse_axes(options: argparse.Namespace) -> Axes:
    """The axes that the options give, in the order of `AXES`; a value of another type raises `BadValue`."""
    return axes_of({name: getattr(options, name) for name in AXES}, "--")


def add_setting(command: argparse.ArgumentParser) -> None:
    """The options that several commands have: data, model, profile, store and executor."""
    add = command.add_argument
    add("--profile", default="quick", help="budget of a run, with settings such as desk:per_class=8 (default: quick)")
    add("--tasks", metavar="A,B", help="tasks, or all the standard ones (default, unless --task is given)")
    add_own_task(command)
    add("--model", default="minilm", help="a registered name, a hub id or a folder (default: minilm)")
    add("--data", default="embedded", metavar="hub|embedded|DIR", help="default: embedded")
    add(
        "--store",
        default="bench-results",
        type=location,
        metavar="DIR",
        help="where runs are kept (default: bench-results)",
    )
    add_executor(command)


def add_executor(command: argparse.ArgumentParser) -> None:
    """The options that say where runs are made."""
    from bench_lib.executors import OPTIONS, executors_help

    command.add_argument("--executor", default="inline", metavar="NAME", help=executors_help())
    for name, option in OPTIONS.items():
        command.add_argument(f"--{name.replace('_', '-')}", type=option.type, metavar=option.metavar, help=option.help)


def _run(usual: Mapping[str, Any], options: argparse.Namespace) -> int:
    if options.until_decided:
        return until_decided.run(usual, options, chosen_executor)
    until_decided.refuse_without(options)
    if options.plan is not None:
        return _run_plan(options)
    if options.part is not None:
        raise BadPlan(["--part goes with a PLAN.toml only"])
    for name in DECIDED:
        if getattr(options, name) is None:
            setattr(options, name, usual[name])
    from bench_lib.runner.grid import plan
    from bench_lib.runner.sweep import run_suite
    from bench_lib.store import Store

    grid, executor, retry, limits = _requested(options)
    store = Store(options.store)
    with ProgressLine() as line:
        progress = run_suite(grid, store, line.watch(executor), line, retry, limits)
    print_damaged_files(store)
    return print_outcome(progress, functools.partial(plan, grid), store)


def _run_plan(options: argparse.Namespace) -> int:
    """Work off a plan; options that a plan decides are refused."""
    problems = Problems()
    for name in DECIDED:
        if name != "data" and getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            problems.found.append(f"{option} is decided by the plan {options.plan}; leave it out, or change the plan")
    executor, retry = problems.of(chosen_executor, options), problems.of(parse_statuses, options.retry)
    limits = problems.of(_limits, options)
    from bench_lib.cli.plan import Work, work_off
    from bench_lib.plans.plan_file import read_plan
    from bench_lib.store import Store

    plan = problems.of(read_plan, options.plan, options.data, str(options.tuned_from or options.store))
    if problems.found or plan is None or executor is None or retry is None or limits is None:
        raise BadPlan(problems.found)
    limits = Limits(limits.runs or plan.limits.runs, limits.hours or plan.limits.hours)
    plan = dataclasses.replace(plan if options.part is None else plan.only(options.part), limits=limits)
    return work_off(plan, Work(Store(options.store), executor, retry))


def _requested(options: argparse.Namespace) -> tuple[Grid, Executor, frozenset[Status], Limits]:
    """What the options ask for; raises `BadPlan` with all problems, including those of the grid."""
    problems = Problems()
    seeds = problems.of(parse_seeds, options.seeds) or STAND_IN
    retry = problems.of(parse_statuses, options.retry)
    frozen = problems.of(parse_frozen_configurations, options.vary, options.freeze, seeds)
    crossed = problems.of(parse_axes, options)
    executor, limits = problems.of(chosen_executor, options), problems.of(_limits, options)
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
    return grid, executor, retry, limits


def _limits(options: argparse.Namespace) -> Limits:
    return Limits(options.max_runs, options.max_hours)


def chosen_executor(options: argparse.Namespace) -> Executor:
    """The executor for the options."""
    from bench_lib.executors import OPTIONS, Settings, make_executor

    return make_executor(options.executor, Settings(**{name: getattr(options, name) for name in OPTIONS}))
