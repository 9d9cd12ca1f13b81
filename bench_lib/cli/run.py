"""`stabbench run`: run what a grid asks for and the store does not have."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import location
from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE, ProgressLine, print_damaged_files
from bench_lib.core.errors import BadPlan, Problems, one_line
from bench_lib.core.record import Status
from bench_lib.core.seeds import parse_seeds
from bench_lib.runner.options import AXES, Axes, axes_of, parse_frozen_configurations, parse_statuses

if TYPE_CHECKING:
    from bench_lib.executors.base import Executor
    from bench_lib.runner.grid import Grid
    from bench_lib.runner.sweep import Progress
    from bench_lib.store import Store

REASONS = 3
"""Maximum number of printed reasons of declined runs."""

STAND_IN = tuple(range(20))
"""Seeds for checking the rest of a command whose own seeds are invalid; enough for whole seed ensembles."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `run`."""
    add_setting(command)
    add = command.add_argument
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
    command.set_defaults(command=_run)


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
    add("--tasks", default="all", metavar="A,B", help="tasks, or all (default)")
    add("--model", default="minilm", help="a registered name, a hub id or a folder (default: minilm)")
    add("--data", default="embedded", metavar="hub|embedded|DIR", help="default: embedded")
    add(
        "--store",
        default="bench-results",
        type=location,
        metavar="DIR",
        help="where runs are kept (default: bench-results)",
    )
    add("--executor", default="inline", metavar="NAME", help="inline (default): this process; local: worker processes")
    add("--workers", type=int, metavar="N", help="processes of the local executor (default: the number of cores)")
    add("--time-limit", type=float, metavar="SECONDS", help="for each run, with the local executor (default: a day)")


def _run(options: argparse.Namespace) -> int:
    from bench_lib.runner.sweep import run_suite
    from bench_lib.store import Store

    grid, executor, retry = _requested(options)
    store = Store(options.store)
    with ProgressLine() as line:
        progress = run_suite(grid, store, line.watch(executor), line, retry)
    print_damaged_files(store)
    counts = ", ".join(f"{count} {status}" for status, count in sorted(progress.statuses.items())) or "nothing to do"
    new = f"{progress.finished} are new ({counts})"
    if progress.elsewhere:
        new = f"{progress.elsewhere} were made by another process meanwhile, {new}"
    print(f"{progress.total} runs: {progress.stored} were stored, {new}; in {options.store}")
    return max(_lost(progress), _declined(grid, store, progress))


def _requested(options: argparse.Namespace) -> tuple[Grid, Executor, frozenset[Status]]:
    """The grid, executor and statuses to retry; raises `BadPlan` with all problems, including those of the grid."""
    problems = Problems()
    seeds = problems.of(parse_seeds, options.seeds) or STAND_IN
    retry = problems.of(parse_statuses, options.retry)
    frozen = problems.of(parse_frozen_configurations, options.vary, options.freeze, seeds)
    crossed = problems.of(parse_axes, options)
    executor = problems.of(chosen_executor, options)
    from bench_lib.runner.grid import Grid, all_tasks, all_techniques, named, plan
    from bench_lib.runner.seed_streams import refuse_pools

    grid = Grid(
        tasks=named(options.tasks, all_tasks(options.data)),
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
    if problems.found or executor is None or retry is None:
        problems.of(plan, grid)
        raise BadPlan(problems.found)
    return grid, executor, retry


def _lost(progress: Progress) -> int:
    """Print how to retry runs lost to infrastructure, and return the exit code."""
    lost = [status for status in Status if status.lost_to_infrastructure and progress.statuses[status]]
    if lost:
        print(f"stabbench: the same command with --retry {','.join(lost)} tries the lost runs again", file=sys.stderr)
    if progress.left:
        again = f"--retry {','.join(status for status in Status if status.lost_to_infrastructure)}"
        waiting = f"{progress.left} seed ensembles wait for lost members"
        print(f"stabbench: {waiting}; {again} tries those again", file=sys.stderr)
    return INFRASTRUCTURE if lost or progress.left else DONE


def _declined(grid: Grid, store: Store, progress: Progress) -> int:
    """Print the declined runs with their reasons, and return the exit code: bad input if all were declined."""
    from bench_lib.runner.grid import plan

    if not progress.total or (progress.finished and not progress.statuses[Status.UNSUPPORTED]):
        return DONE
    asked = {spec.run_id() for spec in plan(grid)}
    rows = store.table().select(["run_id", "status", "reason"]).to_pylist()
    reasons = [row["reason"] for row in rows if row["status"] == Status.UNSUPPORTED and row["run_id"] in asked]
    if not reasons:
        return DONE
    whole = len(reasons) == progress.total
    which = "every run was" if whole else f"of {progress.total} runs {len(reasons)} were"
    different = list(dict.fromkeys(map(one_line, reasons)))
    more = f"; and for {len(different) - REASONS} more reasons" if len(different) > REASONS else ""
    print(f"stabbench: {which} declined: {'; '.join(different[:REASONS])}{more}", file=sys.stderr)
    return USAGE if whole else DONE


def chosen_executor(options: argparse.Namespace) -> Executor:
    """The executor for the options."""
    from bench_lib.executors import EXECUTORS

    return EXECUTORS.get(options.executor)(options.workers, options.time_limit)
