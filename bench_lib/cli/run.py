"""`stabbench run`: run what a grid asks for and the store does not have."""

from __future__ import annotations

import argparse
import dataclasses
import functools
from collections.abc import Mapping
from typing import Any

from bench_lib.cli import until_decided
from bench_lib.cli.arguments import add_options, location
from bench_lib.cli.console import ProgressLine, print_damaged_files
from bench_lib.cli.outcome import print_outcome
from bench_lib.core.errors import BadPlan, Problems
from bench_lib.runner.limits import Limits
from bench_lib.runner.options import AXES, parse_statuses
from bench_lib.runner.request import GRID, WORK, axes, chosen_executor, chosen_limits, requested, setting

DECIDED = ("profile", "tasks", "task", "model", "data", "techniques", "seeds", "freeze", "vary", *AXES)
"""Options that a plan decides; only other data may be given beside it."""


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
    add_options(command, GRID)
    group = command.add_argument_group(
        "axes", "settings of the profile, for which several values may be given: every combination is run"
    )
    add_options(group, axes())
    add_options(command, WORK)
    until_decided.add_to(command)
    usual = {name: command.get_default(name) for name in DECIDED}
    # None, to know what was given beside a plan.
    command.set_defaults(command=functools.partial(_run, usual), **dict.fromkeys(usual))


def add_setting(command: argparse.ArgumentParser) -> None:
    """The options that several commands have: data, model, profile, store and executor."""
    add_options(command, setting())


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

    asked = requested(options)
    store = Store(options.store)
    with ProgressLine() as line:
        progress = run_suite(asked.grid, store, line.watch(asked.executor), line, asked.retry, asked.limits)
    print_damaged_files(store)
    return print_outcome(progress, functools.partial(plan, asked.grid), store)


def _run_plan(options: argparse.Namespace) -> int:
    """Work off a plan; options that a plan decides are refused."""
    problems = Problems()
    for name in DECIDED:
        if name != "data" and getattr(options, name) is not None:
            option = f"--{name.replace('_', '-')}"
            problems.found.append(f"{option} is decided by the plan {options.plan}; leave it out, or change the plan")
    executor, retry = problems.of(chosen_executor, options), problems.of(parse_statuses, options.retry or "")
    limits = problems.of(chosen_limits, options)
    from bench_lib.cli.plan import Work, work_off
    from bench_lib.plans.plan_file import read_plan
    from bench_lib.store import Store

    plan = problems.of(read_plan, options.plan, options.data, str(options.tuned_from or options.store))
    if problems.found or plan is None or executor is None or retry is None or limits is None:
        raise BadPlan(problems.found)
    limits = Limits(limits.runs or plan.limits.runs, limits.hours or plan.limits.hours)
    plan = dataclasses.replace(plan if options.part is None else plan.only(options.part), limits=limits)
    return work_off(plan, Work(Store(options.store), executor, retry))
