"""`stabbench check`: is a technique more stable than a baseline, and how sure is that?"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench_lib.cli.calibrate import calibrate
from bench_lib.cli.outcome import DONE, INCONCLUSIVE, REGRESSION, tell_set_aside
from bench_lib.cli.progress import ProgressLine
from bench_lib.cli.run import add_setting, chosen_executor
from bench_lib.cli.verdicts import human, machine
from bench_lib.errors import BenchError

if TYPE_CHECKING:
    from bench_lib.check.answer import Answer
    from bench_lib.check.looks import Question

ORIGINAL = "adamw"
CODES = {"holds": DONE, "regression": REGRESSION, "inconclusive": INCONCLUSIVE}


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    add = command.add_argument
    add("technique", nargs="?", metavar="PATH.py:Class|NAME", help="a file's technique, or a registered one or stack")
    add("--baseline", default=ORIGINAL, metavar="NAME", help=f"what it is compared with (default: {ORIGINAL})")
    add_setting(command)
    add("--max-seeds", type=int, default=30, metavar="N", help="seeds that may be spent (default: 30)")
    add("--alpha", type=float, default=0.05, help="chance of any false alarm, over all tests, looks and tasks")
    add("--margin", type=float, default=2.0, metavar="RATIO", help="MAD ratios within it are equivalent (default: 2)")
    add("--max-cost", type=float, default=math.inf, metavar="RATIO", help="training time over the baseline's")
    add("--against", type=Path, metavar="STORE", help="compare with the runs of an older version in this store instead")
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    add("--calibrate", action="store_true", help="measure the false alarms and the power of the comparison itself")
    add("--repetitions", type=int, default=2000, metavar="N", help="with --calibrate (default: 2000)")
    command.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    if options.calibrate:
        return calibrate(options)
    if options.technique is None:
        raise BenchError("nothing to check: name a technique, or PATH.py:Class, or --calibrate")
    from bench_lib.check.looks import check
    from bench_lib.store import Store

    question = _question(options)
    executor = chosen_executor(options)
    if _broken(options.technique):
        return REGRESSION
    store, against = Store(options.store), Store(options.against) if options.against else None
    with ProgressLine(sys.stderr) as line:
        answer = check(question, store, executor, line, against)
    tell_set_aside(store)
    print(machine(answer) if options.json else human(answer))
    if CODES[answer.outcome] == INCONCLUSIVE:
        print(f"stabbench: {_more(answer, options)}", file=sys.stderr)
    return CODES[answer.outcome]


def _question(options: argparse.Namespace) -> Question:
    from bench_lib.check.looks import Question
    from bench_lib.stats.design import Margins
    from bench_lib.suite import all_tasks, named

    return Question(
        technique=options.technique,
        baseline=options.baseline,
        tasks=named(options.tasks, all_tasks(options.data)),
        profile=options.profile,
        model=options.model,
        data=options.data,
        max_seeds=options.max_seeds,
        alpha=options.alpha,
        margins=Margins(ratio=options.margin),
        max_cost=options.max_cost,
    )


def _broken(technique: str) -> bool:
    """Say which promises of every technique this one does not keep."""
    from bench_lib.check.looks import trained
    from bench_lib.conformance import breaches

    found = breaches(trained(technique))
    for breach in found:
        place = f" on {breach.task}" if breach.task else ""
        print(
            f"stabbench: {technique} does not keep the promise {breach.promise!r}{place}: {breach.what}",
            file=sys.stderr,
        )
    return bool(found)


def _more(answer: Answer, options: argparse.Namespace) -> str:
    """How many seeds are missing, and the command that adds them."""
    if any(task.lost for task in answer.tasks):
        return "runs were lost to the machine; stabbench run with --retry tries them again"
    if not math.isfinite(answer.missing):
        return "no number of seeds that was tried would decide it: too few runs survived, or the spread is nil"
    words = [part for part in sys.argv[1:] if part != "--json"]
    if "--max-seeds" in words:
        place = words.index("--max-seeds")
        del words[place : place + 2]
    wanted = answer.design.seeds + int(answer.missing)
    return f"about {answer.missing:.0f} more seeds: stabbench {shlex.join(words)} --max-seeds {wanted}"
