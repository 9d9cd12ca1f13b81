"""`stabbench check --calibrate`: measure false alarms and power of the comparison itself."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

from bench_lib.cli import console
from bench_lib.cli.console import DONE
from bench_lib.cli.run import chosen_executor
from bench_lib.core.errors import BenchError, require

if TYPE_CHECKING:
    from bench_lib.stats.calibration import Calibration, Scenario
    from bench_lib.stats.design import Design

    Job: TypeAlias = tuple[Scenario, Design, float, int]

RATIOS = (1.0, 1.5, 2.0, 3.0)
SEVERAL = 4
"""Number of tasks of the calibration with several tasks."""

FEWEST = 10
"""Minimum number of converged runs of a cell to resample from."""

WIDTHS = (34, 5, 8, 20, 5, 17, 10)
"""Widths of the columns in characters; rows are printed before all are known."""

MOST = 1_000_000
"""Maximum number of repetitions, which takes days."""

LEGEND = """claims: any look of any test on any task claimed a difference; false alarms where the SD ratio is 1
found: how often the spread was found to differ, in the right direction; seeds: used on average for a task
"""


def calibrate(options: argparse.Namespace) -> int:
    """Print one row per scenario, number of tasks and ratio as it is measured; with `--json` also all at the end."""
    from bench_lib.report.analysis.calibration import HEAD, encoded, shown
    from bench_lib.stats.calibration import SCENARIOS
    from bench_lib.stats.design import Design, Margins, looks_up_to

    allowed = f"1 or more, up to {MOST:,}"
    require(1 <= options.repetitions <= MOST, "--repetitions", options.repetitions, allowed)
    one = Design(looks_up_to(options.max_seeds), 1, options.alpha, margins=Margins(ratio=options.margin))
    several = dataclasses.replace(one, tasks=SEVERAL)
    jobs = [
        (scenario, design, ratio, options.repetitions)
        for scenario in [*SCENARIOS, *_real(options)]
        for design, ratios in ((one, RATIOS), (several, RATIOS[:1]))
        for ratio in ratios
    ]
    executor, stream = chosen_executor(options), sys.stderr if options.json else sys.stdout
    print(LEGEND, _line(HEAD), sep="\n", flush=True, file=stream)
    rows: dict[Job, Calibration] = {}
    for done in executor.run(_measured, jobs):
        if done.result is None:
            why = done.failure.message.splitlines()[-1] if done.failure else "no reason is known"
            raise BenchError(f"the calibration of {done.job[0].name!r} failed: {why}")
        rows[done.job] = done.result
        print(_line(shown(done.result)), flush=True, file=stream)
    if options.json:
        print(encoded(one, [rows[job] for job in jobs]), end="")
    return DONE


def _measured(job: Job) -> Calibration:
    from bench_lib.stats.calibration import calibrate

    return calibrate(*job)


def _real(options: argparse.Namespace) -> Iterator[Scenario]:
    """One scenario per cell of the baseline with enough converged runs, which are resampled."""
    from bench_lib.report.analysis.variance import ordinary
    from bench_lib.report.cells import group_runs
    from bench_lib.stats.calibration import resampled
    from bench_lib.store import Store

    if not options.store.is_dir():
        return
    for cell in group_runs(ordinary(Store(options.store).frame())):
        named = cell.id_fields()
        if named["technique"] == options.baseline and len(cell.scores()) >= FEWEST:
            name = f"{named['task']} {named['profile']} ({cell.judged()} runs)"
            yield resampled(name, cell.scores(), cell.failed())


def _line(cells: Sequence[str]) -> str:
    typed = (console.typed(cell) for cell in cells)
    return "  ".join(cell.ljust(width) for cell, width in zip(typed, WIDTHS, strict=True)).rstrip()
