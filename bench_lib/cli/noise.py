"""`stabbench doctor --noise`: how far results of one seed lie apart, beside how far seeds lie apart."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench_lib.cli import console
from bench_lib.cli.arguments import STORE, chosen_tasks, location, store_location
from bench_lib.cli.console import DONE, INFRASTRUCTURE, REGRESSION, ProgressLine, print_damaged_files
from bench_lib.core.errors import BadPlan, Problems, require
from bench_lib.core.record import Status
from bench_lib.core.seeds import parse_seeds
from bench_lib.report import formatting as md
from bench_lib.report.prose import count

if TYPE_CHECKING:
    from bench_lib.core.spec import RunSpec
    from bench_lib.executors.local import LocalExecutor
    from bench_lib.report.cells import Cell
    from bench_lib.stats.noise import Noise
    from bench_lib.store import Store
    from bench_lib.validation.noise import Agreement, Way

DEFAULTS = {
    "store": location("bench-results"),
    "tasks": None,
    "techniques": "adamw",
    "profile": "quick",
    "seeds": "0-2",
    "repeats": 2,
    "model": "minilm",
    "workers": 1,
    "time_limit": None,
}
"""Options that only `--noise` has, with their defaults."""

MOST = 100
HEAD = ("task", "technique", "profile", "seeds", "repeated", "within SD", "between SD [95 %]", "within / between")
LEGEND = """within SD: standard deviation of results of one seed, in percent points of the metric
between SD: standard deviation of seeds without that noise, of all stored seeds of the cell"""
FIELDS = 4
"""Maximum number of fields that are named."""


def add_to(command: argparse.ArgumentParser) -> None:
    """The options of `doctor --noise`; None where they are not given."""
    group = command.add_argument_group(
        "noise floor",
        "every run is made again, in new processes: as this machine computes, which has to give the same bits, and as "
        "lesser processors do; the repeats are kept in the store, apart from the runs",
    )
    add = group.add_argument
    add("--noise", action="store_true", help="measure the noise floor in place of the checks")
    add(
        "--store",
        type=store_location,
        metavar=STORE,
        help=f"where runs and repeats are kept (default: {DEFAULTS['store']})",
    )
    add("--tasks", metavar="A,B", help="tasks, or all (default)")
    add("--techniques", metavar="A,B+C", help="techniques or stacks (default: adamw)")
    add("--profile", help="budget of a run (default: quick)")
    add("--seeds", metavar="0-2,7", help="seeds to repeat (default: 0-2)")
    add("--repeats", type=int, metavar="N", help="results of this machine for each run (default: 2)")
    add("--model", help="a registered name, a hub id or a folder (default: minilm)")
    add("--workers", type=int, metavar="N", help="processes at a time (default: 1)")
    add("--time-limit", type=float, metavar="SECONDS", help="for each run (default: a day)")


def refuse_without(options: argparse.Namespace) -> None:
    """Raise `BadPlan` for options that need `--noise`."""
    if given := [name for name in DEFAULTS if getattr(options, name) is not None]:
        raise BadPlan([f"--{name.replace('_', '-')} goes with --noise only" for name in given])


def run(options: argparse.Namespace) -> int:
    """Make the runs and their repeats, print the noise of each cell, and return the exit code."""
    for name, value in DEFAULTS.items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    specs = _planned(options)
    from bench_lib.runner.sweep import sweep
    from bench_lib.store import Store
    from bench_lib.validation.noise import batches

    store, lost = Store(options.store), 0
    store.check_writable()
    for batch in batches(specs, store, options.repeats):
        print(f"{batch.title}: {count(len(batch.specs), 'run')}, in {batch.store.root}", flush=True)
        with ProgressLine() as line:
            progress = sweep(batch.specs, batch.store, line.watch(_executor(options, batch.way)), line, frozenset())
        lost += sum(progress.statuses[status] for status in Status if status.lost_to_infrastructure)
    print_damaged_files(store)
    if lost:
        print(f"stabbench: {count(lost, 'run')} were lost; `stabbench run --retry` tries those again", file=sys.stderr)
    return max(_print_noise(specs, store), INFRASTRUCTURE if lost else DONE)


def _planned(options: argparse.Namespace) -> list[RunSpec]:
    """The runs that the options ask for; raises `BadPlan` with all problems."""
    problems = Problems()
    problems.of(require, 2 <= options.repeats <= MOST, "--repeats", options.repeats, f"2 to {MOST}")
    seeds = problems.of(parse_seeds, options.seeds)
    from bench_lib.runner.grid import Grid, all_techniques, named, plan
    from bench_lib.validation.noise import Way

    problems.of(_executor, options, Way(""))
    data = options.data or "embedded"
    grid = Grid(
        tasks=chosen_tasks(options, data),
        techniques=named(options.techniques, all_techniques(())),
        seeds=seeds or (0,),
        profile=options.profile,
        model=options.model,
        data=data,
    )
    specs = problems.of(plan, grid)
    pooled = dict.fromkeys(spec.technique() for spec in specs or () if spec.pools())
    problems.found += [
        f"{name} pools the weights of other runs, which repeats do not have; leave it out" for name in pooled
    ]
    if problems.found or specs is None:
        raise BadPlan(problems.found)
    return list(specs)


def _executor(options: argparse.Namespace, way: Way) -> LocalExecutor:
    """New processes in which a way's environment decides the kernels."""
    from bench_lib.executors import make_local

    return dataclasses.replace(make_local(options.workers, options.time_limit), environment=way.environment)


def _print_noise(specs: Sequence[RunSpec], store: Store) -> int:
    from bench_lib.validation.noise import agreements, noise_by_cell

    cells, found = noise_by_cell(specs, store), agreements(specs, store)
    print("", *console.columns(HEAD, [_row(*one) for one in cells], text_columns=3), "", LEGEND, "", sep="\n")
    print(*map(_sentence, found), sep="\n")
    print(_conclusion([noise for _, noise in cells], found))
    return REGRESSION if any(one.unsteady for one in found) else DONE


def _row(cell: Cell, noise: Noise) -> tuple[str, ...]:
    named = cell.id_fields()
    between = f"{md.percent(noise.between, 3)} {md.interval(noise.between_low, noise.between_high, 3)}".strip()
    counts = (str(noise.seeds), str(noise.repeated))
    place = (named["task"], named["label"], named["profile"])
    return (*place, *counts, md.percent(noise.sd, 3), between, md.number(noise.ratio, 3))


def _sentence(one: Agreement) -> str:
    """What was equal and what was not, of one way to compute."""
    parts = [f"{count(one.results, 'result')} of {count(one.runs, 'run')}"]
    if one.unsteady:
        parts.append(f"not deterministic: results of one run differ in {_fields(one.unsteady)}")
    elif one.results > one.runs:
        parts.append("equal to the bit")
    if one.compared and not one.unlike:
        parts.append("equal to the bit to the stored ones")
    elif one.compared:
        shifts = f"{one.shifted} in the score, by {md.percent(one.most, 3)} points at most" if one.shifted else ""
        parts.append(f"{one.unlike} differ from the stored ones, {shifts or 'none of them in the score'}")
    return f"{one.way}: {'; '.join(parts)}"


def _conclusion(noises: Sequence[Noise], found: Sequence[Agreement]) -> str:
    known = [noise for noise in noises if noise.freedom]
    if not any(one.unsteady or one.unlike for one in found):
        return "no noise was found: equal to the bit on this kind of machine"
    if not known:
        return "no cell has a noise floor: no run converged in several ways"
    if not any(noise.sd > 0 for noise in known):
        return "no noise was found in the scores, though results are not equal to the bit"
    worst = max(known, key=lambda noise: noise.sd)
    return f"the largest noise of a cell is an SD of {md.percent(worst.sd, 3)} points"


def _fields(names: Sequence[str]) -> str:
    more = f" and {len(names) - FIELDS} more" if len(names) > FIELDS else ""
    return ", ".join(names[:FIELDS]) + more
