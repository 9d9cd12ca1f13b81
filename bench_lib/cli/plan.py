"""`stabbench run PLAN.toml` works off a plan, `stabbench status PLAN.toml` says how far it is."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any, NamedTuple

from bench_lib.cli import console, until_decided
from bench_lib.cli.arguments import STORE, location, store_location
from bench_lib.cli.console import DONE, USAGE, ProgressLine, print_damaged_files
from bench_lib.cli.outcome import print_outcome
from bench_lib.core.errors import BadPlan
from bench_lib.core.record import Status
from bench_lib.report import formatting as md
from bench_lib.runner.progress import duration

if TYPE_CHECKING:
    from bench_lib.comparison.contrasts import Contrasts
    from bench_lib.core.spec import RunSpec
    from bench_lib.executors.base import Executor
    from bench_lib.plans.plan import Plan, Tuning
    from bench_lib.plans.status import PartStatus, PlanStatus
    from bench_lib.runner.grid import Grid
    from bench_lib.runner.limits import Limits
    from bench_lib.store import Store

HEAD = ("", "runs", "done", "left", "not converged", "a run", "time left")


class Work(NamedTuple):
    """What all parts of a plan are worked off with."""

    store: Store
    executor: Executor
    retry: frozenset[Status]

    def sweep(self, specs: list[RunSpec], limits: Limits) -> Ended:
        """Run what the store lacks of a sweep."""
        from bench_lib.runner.sweep import sweep

        with ProgressLine() as line:
            progress = sweep(specs, self.store, line.watch(self.executor), line, self.retry, limits)
        return Ended(progress.finished, print_outcome(progress, specs.copy, self.store))

    def tune(self, tuning: Tuning, limits: Limits) -> Ended:
        """Run the trials that the store lacks of a tuning."""
        from bench_lib.runner.tuning import plan_tuning

        planned = plan_tuning(*tuning)
        with ProgressLine() as line:
            progress = planned.run(self.store, line.watch(self.executor), line, limits)
        return Ended(progress.finished, print_outcome(progress, lambda: planned.trials, self.store))

    def sweep_grid(self, grid: Grid, limits: Limits) -> Ended:
        """Run what the store lacks of a sweep that waited for a tuning."""
        from bench_lib.runner.grid import plan
        from bench_lib.runner.sweep import check_weights

        specs = plan(grid)
        check_weights(specs, self.store)
        return self.sweep(specs, limits)

    def decide(self, contrasts: Contrasts, limits: Limits) -> Ended:
        """Add seeds to contrasts until they are decided."""
        from bench_lib.comparison.contrasts import decide

        with ProgressLine() as line:
            found = decide(contrasts, self.store, line.watch(self.executor), line, limits)
        print(until_decided.shown(found))
        return Ended(found.runs, until_decided.exit_code(found))


class Ended(NamedTuple):
    """A part of a plan that ended: number of new runs, and its exit code."""

    new: int
    code: int


def work_off(plan: Plan, work: Work) -> int:
    """Run what the store lacks of a plan, within its limits, and return the exit code."""
    parts: dict[str, Callable[[Limits], Ended]] = {}
    parts |= {name: partial(work.sweep, specs) for name, specs in plan.checked_runs(work.store).items()}
    waits = plan.waits
    for tuned, tuning in plan.tunings.items():
        parts[tuned] = partial(work.tune, tuning)
        ready = [name for name in plan.sweeps if name not in parts and waits[name][-1] == tuned]
        parts |= {name: partial(work.sweep_grid, plan.sweeps[name]) for name in ready}
    if work.retry:
        stored, runs = work.store.ids(), plan.runs(work.store)
        lost = {name: [s for s in runs[name] if s.run_id() in stored] for name in plan.contrasts.keys() & runs.keys()}
        parts |= {f"{name}, stored runs": partial(work.sweep, specs) for name, specs in lost.items()}
    parts |= {name: partial(work.decide, contrasts) for name, contrasts in plan.contrasts.items()}
    since, new, code = time.monotonic(), 0, DONE
    for name, part in parts.items():
        limits = plan.limits.rest(new, time.monotonic() - since)
        if limits is None:
            print(f"stabbench: stopped at a limit before {name}; the same command goes on", file=sys.stderr)
            return code
        print(f"{name}:", flush=True)
        try:
            ended = part(limits)
        except BadPlan as error:
            if name not in plan.waiting:
                raise
            # As where a trial was lost: the other parts go on.
            print(f"stabbench: {name}: {error}", file=sys.stderr)
            ended = Ended(0, USAGE)
        print_damaged_files(work.store)
        new, code = new + ended.new, max(code, ended.code)
    return code


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `status`."""
    add = command.add_argument
    add("plan", type=location, metavar="PLAN.toml", help="a plan file, as `stabbench run` takes it")
    add("--store", default="bench-results", type=store_location, metavar=STORE, help="default: bench-results")
    add("--data", metavar="hub|embedded|DIR", help="default: that of the plan")
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    command.set_defaults(command=_status)


def _status(options: argparse.Namespace) -> int:
    from bench_lib.plans.plan_file import read_plan
    from bench_lib.plans.status import plan_status
    from bench_lib.store import Store

    plan, store = read_plan(options.plan, options.data, str(options.store)), Store(options.store)
    cells = plan.cells(store)
    found = plan_status(cells, store, datetime.now(UTC))
    waiting = [name for name in plan.waiting if name not in cells]
    print_damaged_files(store)
    shown = console.machine(_as_data(plan.title, found, waiting)) if options.json else _text(plan.title, found, waiting)
    print(shown)
    return DONE


def _as_data(title: str, found: PlanStatus, waiting: Sequence[str]) -> dict[str, Any]:
    return {
        "title": title,
        "waiting": waiting,
        "parts": [_part_as_data(part) for part in found.parts],
        "whole": _part_as_data(found.whole),
        "running": found.running,
        "runs_an_hour": found.rate,
        "seconds_left": found.seconds_left,
    }


def _part_as_data(part: PartStatus) -> dict[str, Any]:
    return {**vars(part), "done": part.done, "left": part.left}


def _text(title: str, found: PlanStatus, waiting: Sequence[str]) -> str:
    rows = [_row(part) for part in (*found.parts, found.whole)]
    left = "" if found.seconds_left is None else f"; {duration(found.seconds_left)} left"
    rate = "no run has a date" if found.rate is None else f"{found.rate:.1f} runs an hour over the last 6 hours{left}"
    running = [f"running {text}" for text in found.running] or ["nothing runs"]
    after = [f"{name} waits for a tuning, and counts once that is done" for name in waiting]
    return "\n".join([title, "", *console.columns(HEAD, rows, text_columns=1), "", *after, *running, rate])


def _row(part: PartStatus) -> list[str]:
    other = ", ".join(f"{n} {name}" for name, n in sorted(part.statuses.items()) if name != Status.CONVERGED)
    seconds = [md.DASH if value is None else duration(value) for value in (part.seconds, part.seconds_left)]
    return [part.name, f"{part.runs:,}", f"{part.done:,}", f"{part.left:,}", other or md.DASH, *seconds]
