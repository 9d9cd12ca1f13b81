"""`stabbench check`: is a technique more stable than a baseline, and how sure is that?"""

from __future__ import annotations

import argparse
import math
import shlex
import sys
from collections.abc import Sequence, Set
from typing import TYPE_CHECKING

from bench_lib.cli.arguments import STORE, chosen_tasks, store_location
from bench_lib.cli.calibrate import calibrate
from bench_lib.cli.console import DONE, INCONCLUSIVE, REGRESSION, ProgressLine, print_damaged_files
from bench_lib.cli.run import add_setting
from bench_lib.cli.verdicts import broken, human, machine
from bench_lib.core.errors import BenchError, require
from bench_lib.core.record import Status
from bench_lib.executors.settings import OPTIONS
from bench_lib.runner.request import chosen_executor

if TYPE_CHECKING:
    from bench_lib.comparison.result import ComparisonResult
    from bench_lib.comparison.sequential import Comparison, ComparisonRequest
    from bench_lib.store import Location
    from bench_lib.validation.conformance import Breach

ORIGINAL = "adamw"
CODES = {"holds": DONE, "regression": REGRESSION, "inconclusive": INCONCLUSIVE}
SETTINGS = {"profile", "tasks", "task", "model", "data", "store", "executor", *OPTIONS, "tuned_from"}
"""Options that `run` has too."""

OWN = {"baseline", "alpha", "margin", "max_cost", "against"}
"""Other options that the suggested comparison with more seeds repeats."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `check`."""
    add = command.add_argument
    add("technique", nargs="?", metavar="PATH.py:Class|NAME", help="a file's technique, or a registered one or stack")
    add("--baseline", default=ORIGINAL, metavar="NAME", help=f"what it is compared with (default: {ORIGINAL})")
    add_setting(command)
    add(
        "--tuned-from",
        type=store_location,
        metavar=STORE,
        help="store of the trials of mixout[tuned] (default: --store)",
    )
    add("--max-seeds", type=int, default=30, metavar="N", help="seeds that may be spent (default: 30)")
    add("--alpha", type=float, default=0.05, help="chance of any false alarm, over all tests, looks and tasks")
    add("--margin", type=float, default=2.0, metavar="RATIO", help="MAD ratios within it are equivalent (default: 2)")
    add("--max-cost", type=float, default=math.inf, metavar="RATIO", help="training time over the baseline's")
    add(
        "--against",
        type=store_location,
        metavar=STORE,
        help="compare with the runs of an older version in this store instead",
    )
    add("--json", action="store_true", help="the answer as JSON, and nothing else, on the standard output")
    add("--calibrate", action="store_true", help="measure the false alarms and the power of the comparison itself")
    add("--many", metavar="20x4", help="with --calibrate: of run --until-decided, with so many techniques and tasks")
    add("--repetitions", type=int, default=2000, metavar="N", help="with --calibrate (default: 2000)")
    command.set_defaults(command=_check)


def _check(options: argparse.Namespace) -> int:
    if options.calibrate:
        return calibrate(options)
    comparison = _comparison(options)
    comparison.design()  # bad input fails here, before the promises are tested, which takes seconds
    if found := _breaches(options.technique):
        if options.json:
            print(broken(options.technique, found))
        return REGRESSION
    with ProgressLine(sys.stderr) as line:
        comparison.report, comparison.executor = line, line.watch(comparison.executor)
        result = comparison.result()
    print_damaged_files(comparison.store)
    print(machine(result) if options.json else human(result))
    if CODES[result.outcome] == INCONCLUSIVE:
        print(f"stabbench: {_next_step(result, comparison.seeds, options)}", file=sys.stderr)
    return CODES[result.outcome]


def _comparison(options: argparse.Namespace) -> Comparison:
    """The comparison for the options."""
    if options.technique is None:
        raise BenchError("nothing to check: name a technique, or PATH.py:Class, or --calibrate")
    older: Location | None = options.against
    from bench_lib.store import Store, is_there

    require(older is None or is_there(older), "--against", str(older), "the folder of a store, or its address")
    from bench_lib.comparison.sequential import Comparison

    executor = chosen_executor(options)
    against = None if older is None else Store(older)
    return Comparison(_request(options), Store(options.store), executor, against=against)


def _request(options: argparse.Namespace) -> ComparisonRequest:
    from bench_lib.comparison.sequential import ComparisonRequest
    from bench_lib.stats.design import Margins

    return ComparisonRequest(
        technique=options.technique,
        baseline=options.baseline,
        tasks=chosen_tasks(options, options.data),
        profile=options.profile,
        model=options.model,
        data=options.data,
        max_seeds=options.max_seeds,
        alpha=options.alpha,
        margins=Margins(ratio=options.margin),
        max_cost=options.max_cost,
        tuned_from=str(options.tuned_from or options.store),
    )


def _breaches(technique: str) -> list[Breach]:
    """The general promises of techniques that this one breaks; they are also printed."""
    from bench_lib.comparison.sequential import trainable_stack
    from bench_lib.techniques import TECHNIQUES
    from bench_lib.techniques.interface.stack import is_foreign
    from bench_lib.validation.conformance import breaches

    stack = trainable_stack(technique)
    later = "; then, in a minute or two, whether it does anything" if is_foreign(stack.spec(), TECHNIQUES) else ""
    print(f"trying on the tiny model what {technique} promises, as every technique does{later}", file=sys.stderr)
    found = breaches(stack)
    for breach in found:
        place = f" on {breach.task}" if breach.task else ""
        print(
            f"stabbench: {technique} does not keep the promise {breach.promise!r}{place}: {breach.what}",
            file=sys.stderr,
        )
    return found


def _next_step(result: ComparisonResult, seeds: Sequence[int], options: argparse.Namespace) -> str:
    """How to reach a decision, with the command if there is one."""
    undecided = [task for task in result.tasks if task.outcome == "inconclusive"]
    if not undecided:
        return "every task was declined, so nothing was compared"
    lost = [task.task for task in undecided if task.lost]
    if lost:
        return f"runs were lost to infrastructure; to retry them: {shlex.join(_retry_command(options, lost, seeds))}"
    if not math.isfinite(result.missing):
        return "no number of seeds that was tried would decide it: too few runs survived, or the spread is nil"
    about = f"about {result.missing:.0f} more seeds"
    if result.design.seeds < options.max_seeds:
        return f"{about} would decide it, and {options.against} holds no more"
    wanted = result.design.seeds + int(result.missing)
    words = ["stabbench", "check", options.technique, *_changed_options(options, SETTINGS | OWN)]
    return f"{about}: {shlex.join([*words, '--max-seeds', str(wanted)])}"


def _retry_command(options: argparse.Namespace, tasks: Sequence[str], seeds: Sequence[int]) -> list[str]:
    """The command that retries the lost runs."""
    from bench_lib.tasks.find import find_task

    texts = {find_task(text).name: text for text in chosen_tasks(options, options.data)}
    techniques = [options.technique, *([] if options.against else [options.baseline])]
    numbers = f"0-{len(seeds) - 1}" if list(seeds) == list(range(len(seeds))) else ",".join(map(str, seeds))
    words = [
        "--tasks",
        ",".join(texts[task] for task in tasks),
        "--techniques",
        ",".join(techniques),
        "--seeds",
        numbers,
    ]
    retry = ",".join(status for status in Status if status.lost_to_infrastructure)
    return ["stabbench", "run", *words, *_changed_options(options, SETTINGS - {"tasks", "task"}), "--retry", retry]


def _changed_options(options: argparse.Namespace, names: Set[str]) -> list[str]:
    """The options that differ from their defaults, as words of a command."""
    fresh = argparse.ArgumentParser()
    add_to(fresh)
    usual = vars(fresh.parse_args([]))
    changed = {name: value for name, value in vars(options).items() if name in names and value != usual[name]}
    given = [(name, one) for name, value in changed.items() for one in (value if isinstance(value, list) else [value])]
    return [word for name, value in given for word in (f"--{name.replace('_', '-')}", str(value))]
