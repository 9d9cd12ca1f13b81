"""`stabbench tune`: search the settings of techniques, each with the same budget, for runs on fresh seeds."""

from __future__ import annotations

import argparse
import shlex
import sys
from typing import TYPE_CHECKING

from bench_lib.cli import console
from bench_lib.cli.arguments import chosen_tasks
from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE, ProgressLine, print_damaged_files
from bench_lib.cli.run import add_setting
from bench_lib.core.errors import Problems
from bench_lib.report import formatting as md
from bench_lib.runner.request import chosen_executor

if TYPE_CHECKING:
    from bench_lib.runner.grid import Grid
    from bench_lib.runner.trials import Tuning
    from bench_lib.runner.tuning import TuningPlan

BASELINE = "adamw"
HEAD = ("task", "technique", "points", "best settings", "default", "tuned", "failed [95 %]", "passes", "train s")
SEEDS = "0-19"
KEPT = ("profile", "model", "data", "store")
"""Seeds of the suggested runs, and options that they share with the trials."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `tune`."""
    add_setting(command)
    add = command.add_argument
    add("--techniques", default=BASELINE, metavar="A,B+C", help=f"techniques or stacks, or all (default: {BASELINE})")
    add(
        "--budget",
        type=int,
        default=16,
        metavar="N",
        help="trainings of the baseline, with each of two seeds, that the points of an arm may cost (default: 16)",
    )
    command.set_defaults(command=_tune)


def _tune(options: argparse.Namespace) -> int:
    problems = Problems()
    executor = problems.of(chosen_executor, options)
    from bench_lib.runner.tuning import plan_tuning
    from bench_lib.store import Store

    planned = problems.of(plan_tuning, _grid(options), options.budget)
    problems.refuse()
    assert executor is not None
    assert planned is not None
    store = Store(options.store)
    for (task, technique), reason in planned.declined.items():
        print(f"stabbench: {technique} is not tuned on {task}: {reason}", file=sys.stderr)
    if not planned.arms:
        return USAGE
    with ProgressLine() as line:
        planned.run(store, line.watch(executor), line)
    print_damaged_files(store)
    tunings = planned.tunings(store)
    print("\n".join(console.columns(HEAD, [_row(tuning) for tuning in tunings], text_columns=2)))
    lost = sum(tuning.missing for tuning in tunings)
    if lost:
        print(f"stabbench: {lost} trials were lost; the same command tries them again", file=sys.stderr)
        return INFRASTRUCTURE
    if BASELINE not in options.techniques.split(","):
        print(f"stabbench: {BASELINE} is not among these; tune it too, so that all are compared alike", file=sys.stderr)
    print(f"on fresh seeds: {shlex.join(_command(planned, options))}")
    return DONE


def _grid(options: argparse.Namespace) -> Grid:
    from bench_lib.runner.grid import Grid, all_techniques, named
    from bench_lib.runner.trials import SCALE

    tasks = chosen_tasks(options, options.data)
    techniques = named(options.techniques, tuple(name for name in all_techniques(()) if name != SCALE))
    return Grid(tasks, techniques, (0,), options.profile, options.model, options.data)


def _row(tuning: Tuning) -> list[str]:
    """What is known of an arm on a task; without a choice while trials are missing."""
    from bench_lib.stats.failure import wilson

    outcomes, scores = tuning.finished, tuning.scores()
    failed = sum(outcome.status.failed for outcome in outcomes)
    judged = sum(outcome.status.completed for outcome in outcomes)
    rate = f"{failed}/{judged} {md.interval(*wilson(failed, judged), 1)}" if judged else md.DASH
    best, settings = None, md.DASH
    if not tuning.missing:
        best = tuning.best()
        settings = "+".join(part.label for part in tuning.trials[best][0].stack) if best else "the default"
    return [
        tuning.trials[0][0].task,
        tuning.arm.name,
        str(len(tuning.trials)),
        settings,
        md.percent(scores[0]),
        md.DASH if best is None else md.percent(scores[best]),
        rate,
        f"{sum(outcome.passes for outcome in outcomes):,}",
        md.number(sum(outcome.seconds for outcome in outcomes), 0),
    ]


def _command(planned: TuningPlan, options: argparse.Namespace) -> list[str]:
    """The command that runs the default and the tuned arms on seeds by which nothing was chosen."""
    arms = {arm.text: f"{arm.text}[tuned@{arm.budget}]" for arm, _ in planned.arms}
    techniques = [text for pair in arms.items() for text in pair]
    tasks = dict.fromkeys(cell.task_path or cell.task for _, cell in planned.arms)
    words = ["stabbench", "run", "--tasks", ",".join(tasks), "--techniques", ",".join(techniques), "--seeds", SEEDS]
    return [*words, *(word for name in KEPT for word in (f"--{name}", str(getattr(options, name))))]
