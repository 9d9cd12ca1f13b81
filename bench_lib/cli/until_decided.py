"""`stabbench run --until-decided`: many techniques against one baseline, with seeds where the verdict is open."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from bench_lib.cli import console
from bench_lib.cli.arguments import chosen_tasks
from bench_lib.cli.console import DONE, INCONCLUSIVE, INFRASTRUCTURE, ProgressLine, print_damaged_files
from bench_lib.core.errors import BadPlan, BenchError, Problems
from bench_lib.report import formatting as md
from bench_lib.runner.limits import Limits
from bench_lib.runner.options import AXES

if TYPE_CHECKING:
    from bench_lib.comparison.contrasts import Contrast, Contrasts, DecidedSweep
    from bench_lib.comparison.result import TaskResult
    from bench_lib.executors.base import Executor

DEFAULTS = {"baseline": "adamw", "alpha": 0.05, "margin": 2.0, "max_seeds": 50}
"""Options that only a sweep until decided has; None where they are not given."""

OTHERS = {
    "plan": "a plan names the contrasts that it decides itself",
    "part": "it is a part of no plan",
    "seeds": "it begins with seed 0 and adds seeds up to --max-seeds",
    "freeze": "its verdicts are on the seeds as they vary by default",
    "vary": "its verdicts are on the seeds as they vary by default",
    "retry": "lost runs are tried again by `stabbench run` without it",
    **dict.fromkeys(AXES, "several budgets are named by --profile, as in desk:per_class=8,desk:per_class=32"),
}
"""Options of `run` that it does not take, and why."""

HEAD = ("technique", "task", "profile", "verdict", "seeds", "MAD ratio [95 %]", "failed", "baseline failed", "missing")
LEGEND = """MAD ratio: spread of the scores, the technique's over the baseline's; below 1 is steadier
missing: seeds that would decide it, estimated from the spread so far
"""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of a sweep until decided."""
    group = command.add_argument_group(
        "until decided",
        "every technique against one baseline, on every task and under every --profile (several, by commas): seeds are "
        "added only where the verdict is open, and one alpha is for all verdicts together",
    )
    add = group.add_argument
    add("--until-decided", action="store_true", help="stop when every verdict is sure, or seeds or limits are spent")
    add("--baseline", metavar="NAME", help=f"what they are compared with (default: {DEFAULTS['baseline']})")
    add("--alpha", type=float, help=f"chance of any false alarm, over all of it (default: {DEFAULTS['alpha']})")
    add("--margin", type=float, metavar="RATIO", help="MAD ratios within it are equivalent (default: 2)")
    add("--max-seeds", type=int, metavar="N", help=f"seeds that a verdict may take (default: {DEFAULTS['max_seeds']})")


def refuse_without(options: argparse.Namespace) -> None:
    """Raise `BadPlan` for options that need `--until-decided`."""
    if given := [name for name in DEFAULTS if getattr(options, name) is not None]:
        raise BadPlan([f"{_flag(name)} goes with --until-decided only" for name in given])


def run(
    usual: Mapping[str, Any], options: argparse.Namespace, executor_of: Callable[[argparse.Namespace], Executor]
) -> int:
    """Run the sweep, print its results, and return the exit code; `usual` are values of options that are not given."""
    from bench_lib.comparison.contrasts import decide, paired
    from bench_lib.store import Store

    problems = Problems()
    given = [name for name in OTHERS if getattr(options, name) not in (None, "")]
    problems.found += [f"{_flag(name)} does not go with --until-decided: {OTHERS[name]}" for name in given]
    for name, value in {**usual, **DEFAULTS}.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    contrasts = problems.of(_contrasts, options)
    limits = problems.of(Limits, options.max_runs, options.max_hours)
    executor = problems.of(executor_of, options)
    if contrasts is None or limits is None or executor is None or problems.found:
        if contrasts is not None:
            problems.of(paired, contrasts)
        raise BadPlan(problems.found)
    store = Store(options.store)
    with ProgressLine() as line:
        sweep = decide(contrasts, store, line.watch(executor), line, limits)
    print_damaged_files(store)
    print(shown(sweep))
    return exit_code(sweep)


def exit_code(sweep: DecidedSweep) -> int:
    """Done if every contrast is decided; otherwise runs were lost, or more seeds are needed."""
    if not sweep.open:
        return DONE
    return INFRASTRUCTURE if any(sweep.results[contrast].lost for contrast in sweep.open) else INCONCLUSIVE


def shown(sweep: DecidedSweep) -> str:
    """The results as a table with one line for each contrast, and what would decide the open ones."""
    from bench_lib.tasks.find import find_task

    # A user's own task is asked for by its path, and shown by its name.
    results = {c._replace(task=find_task(c.task).name): result for c, result in sweep.results.items()}
    rows = [_row(contrast, result) for contrast, result in results.items()]
    declined = {f"{c.technique} on {c.task}: {r.declined}": None for c, r in results.items() if r.declined}
    lines = [*console.columns(HEAD, rows, text_columns=4), "", LEGEND, *(f"declined: {text}" for text in declined)]
    lines.append(
        f"{len(sweep.decided)} of {len(sweep.results)} contrasts with {sweep.contrasts.baseline} are decided, with "
        f"{sweep.runs} new runs; {sweep.stopped}"
    )
    return "\n".join([*lines, *_next_steps(sweep)])


def _row(contrast: Contrast, result: TaskResult) -> tuple[str, ...]:
    if result.declined:
        return (*contrast, "declined", *[md.DASH] * 5)
    verdict = result.verdict
    by = f" ({verdict.decided_by})" if verdict.decided_by in ("failures", "spread") else ""
    stability = "open" if verdict.stability == "underpowered" else f"{verdict.stability}{by}"
    location = f", {verdict.location}" if verdict.location in ("better", "worse") else ""
    ours, theirs = result.failure_rates()
    missing = "unknown" if not math.isfinite(result.missing) else f"{result.missing:.0f}"
    return (
        *contrast,
        stability + location,
        str(verdict.seeds),
        md.estimate(*result.ratio()),
        md.rate(ours[0], 0),
        md.rate(theirs[0], 0),
        md.DASH if verdict.sure else missing,
    )


def _next_steps(sweep: DecidedSweep) -> list[str]:
    """What would decide the open contrasts."""
    from bench_lib.comparison.looks import Stop

    lines = []
    if lost := sum(sweep.results[contrast].lost for contrast in sweep.open):
        lines.append(f"{lost} runs of open contrasts were lost to infrastructure; only seeds with both runs count")
    if sweep.stopped is Stop.LIMIT:
        lines.append("the same command goes on")
    needed = [missing for missing in sweep.open.values() if math.isfinite(missing)]
    if sweep.stopped is Stop.SEEDS and needed:
        wanted = [sweep.contrasts.max_seeds + int(missing) for missing in (min(needed), max(needed))]
        lines.append(
            f"--max-seeds {wanted[0]} would decide the first of the open ones, and {wanted[1]} all that is known"
        )
    return lines


def _contrasts(options: argparse.Namespace) -> Contrasts:
    from bench_lib.comparison.contrasts import Contrasts
    from bench_lib.runner.grid import all_techniques, named
    from bench_lib.stats.design import Margins

    techniques = [name for name in named(options.techniques, all_techniques(())) if name != options.baseline]
    if not techniques:
        raise BenchError(f"--techniques names nothing to compare with the baseline {options.baseline}")
    return Contrasts(
        baseline=options.baseline,
        techniques=tuple(techniques),
        tasks=chosen_tasks(options, options.data),
        profiles=named(options.profile, ()),
        model=options.model,
        data=options.data,
        max_seeds=options.max_seeds,
        alpha=options.alpha,
        margins=Margins(ratio=options.margin),
        tuned_from=str(options.tuned_from or options.store),
    )


def _flag(name: str) -> str:
    return "a plan" if name == "plan" else f"--{name.replace('_', '-')}"
