"""`stabbench report`: write the leaderboard of a store, or compare it with an earlier one."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import STORE, location, store_location
from bench_lib.cli.console import DONE, REGRESSION, print_damaged_files
from bench_lib.cli.plan_option import add_plan, declared
from bench_lib.core.errors import BadPlan

if TYPE_CHECKING:
    from bench_lib.executors.base import Executor
    from bench_lib.report.analysis.declared import DeclaredPlan
    from bench_lib.store import Store


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `report`."""
    command.add_argument(
        "--store", default="bench-results", type=store_location, metavar=STORE, help="default: bench-results"
    )
    command.add_argument("--out", default="bench-reports", type=location, metavar="DIR", help="default: bench-reports")
    command.add_argument("--baseline", default="adamw", help="default: adamw")
    add_plan(command, "say how far this plan is, and decide its contrasts from the stored runs")
    command.add_argument("--data", metavar="hub|embedded|DIR", help="of the plan; default: the data of the stored runs")
    command.add_argument("--workers", type=int, default=1, metavar="N", help="processes that draw figures; default: 1")
    command.add_argument("--check", action="store_true", help="write nothing; exit 1 if what stands in --out is stale")
    command.set_defaults(command=_report)


def _report(options: argparse.Namespace) -> int:
    from bench_lib.report.render import render
    from bench_lib.store import Store

    if options.data is not None and options.plan is None:
        raise BadPlan(["--data goes with --plan only: a report reads the store alone"])
    store = Store(options.store)
    plan = declared(options.plan, store, options.data)
    if options.check:
        code = _check(store, plan, options)
    else:
        paths = render(store, options.out, options.baseline, _executor(options.workers), plan)
        print(*[path for path in paths if path.parent == options.out], sep="\n")
        print(f"{options.out / 'figures'}{os.sep}: {len(paths)} files in all")
        code = DONE
    print_damaged_files(store)
    return code


def _check(store: Store, plan: DeclaredPlan | None, options: argparse.Namespace) -> int:
    from bench_lib.report.render import stale

    found = stale(store, options.out, options.baseline, _executor(options.workers), plan)
    for what in ("missing", "different", "superfluous"):
        for name in getattr(found, what):
            print(f"{what}: {options.out / name}")
    if not found:
        print(f"{options.out} is what {options.store} gives")
        return DONE
    with_plan = f" --plan {options.plan}" if options.plan else ""
    print(f"stale: `stabbench report --store {options.store} --out {options.out}{with_plan}` renders it anew")
    return REGRESSION


def _executor(workers: int) -> Executor | None:
    from bench_lib.executors import make_local

    # Workers are forked from a process that has loaded what a report needs, and not what trainings need.
    return replace(make_local(workers, None), imports="bench_lib.report.render") if workers != 1 else None
