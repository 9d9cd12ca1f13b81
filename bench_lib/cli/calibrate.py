"""`stabbench check --calibrate`: measure false alarms and power of the comparison itself."""

from __future__ import annotations

import argparse
import dataclasses
import math
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from bench_lib.cli import console
from bench_lib.cli.console import DONE
from bench_lib.core.errors import BenchError, require
from bench_lib.report import formatting as md
from bench_lib.runner.request import chosen_executor

if TYPE_CHECKING:
    from bench_lib.stats.calibration import Calibration, Scenario
    from bench_lib.stats.design import Design
    from bench_lib.stats.family_calibration import FamilyCalibration, Techniques

    Job: TypeAlias = tuple[Scenario, Design, float, int]
    FamilyJob: TypeAlias = tuple[Scenario, Design, Techniques, int]

J = TypeVar("J")
R = TypeVar("R")

RATIOS = (1.0, 1.5, 2.0, 3.0)
SEVERAL = 4
"""Number of tasks of the calibration with several tasks."""

FEWEST = 10
"""Minimum number of converged runs of a cell to resample from."""

WIDTHS = (34, 5, 8, 20, 5, 17, 10)
"""Widths of the columns in characters; rows are printed before all are known."""

MOST = 1_000_000
"""Maximum number of repetitions, which takes days."""

MANY_HEAD = ("scenario", "contrasts", "stages", "different", "false alarms [95 %]", "found", "decided", "runs used")
MANY_WIDTHS = (34, 9, 6, 9, 20, 6, 7, 9)
MANY_LEGEND = """false alarms: any look at any contrast claimed a difference that is not there
different: so many techniques, at this SD ratio; found: their contrasts, by spread and in the right direction
decided: contrasts with any verdict; runs used: of those that all seeds of all techniques and the baseline would take
stages: 3 where what is open at --max-seeds is continued to twice and to four times as many
shares in percent
"""

LEGEND = """claims: any look of any test on any task claimed a difference; false alarms where the SD ratio is 1
(those of location do not count where one sample is higher); found: how often the spread was found to differ, in the
right direction; seeds: used on average for a task
"""


@dataclass(frozen=True)
class Table(Generic[R]):
    """How the rows of a calibration are printed."""

    legend: str
    head: Sequence[str]
    widths: Sequence[int]
    shown: Callable[[R], Sequence[str]]


def calibrate(options: argparse.Namespace) -> int:
    """Print one row per scenario, number of tasks and ratio as it is measured; with `--json` also all at the end."""
    from bench_lib.report.analysis.calibration import HEAD, encoded, shown
    from bench_lib.stats.calibration import SCENARIOS
    from bench_lib.stats.design import Margins, staged

    allowed = f"1 or more, up to {MOST:,}"
    require(1 <= options.repetitions <= MOST, "--repetitions", options.repetitions, allowed)
    if options.many is not None:
        return calibrate_many(options)
    one = staged((options.max_seeds,), 1, options.alpha, Margins(ratio=options.margin))
    several = dataclasses.replace(one, tasks=SEVERAL)
    jobs = [
        (scenario, design, ratio, options.repetitions)
        for scenario in [*SCENARIOS, *_real(options)]
        for design, ratios in ((one, RATIOS), (several, RATIOS[:1]))
        for ratio in ratios
    ]
    rows = _measured_rows(options, _measured, jobs, Table(LEGEND, HEAD, WIDTHS, shown))
    if options.json:
        print(encoded(one, rows), end="")
    return DONE


def calibrate_many(options: argparse.Namespace) -> int:
    """Print how `run --until-decided` errs, what it finds and how many runs it takes, one row as it is measured."""
    from bench_lib.stats.calibration import SCENARIOS
    from bench_lib.stats.design import Margins, staged
    from bench_lib.stats.family_calibration import Techniques
    from bench_lib.stats.reach import LEAST_CHANCE

    sizes = re.fullmatch(r"([1-9]\d{0,2})x([1-9]\d{0,2})", options.many)
    require(sizes is not None, "--many", options.many, "numbers of techniques and tasks, such as 20x4")
    techniques, tasks = (int(size) for size in re.findall(r"\d+", options.many))
    most, margins = options.max_seeds, Margins(ratio=options.margin)
    planned = staged((most,), techniques * tasks, options.alpha, margins)
    family = dataclasses.replace(planned, least_chance=LEAST_CHANCE)
    continued = staged((most, 2 * most, 4 * most), 1, options.alpha, margins)
    different = math.ceil(techniques / 5)
    cases = [(family, Techniques(techniques)), (continued, Techniques(1))]
    cases += [(family, Techniques(techniques, different, ratio)) for ratio in RATIOS[2:]]
    scenarios = [*SCENARIOS, *_real(options)]
    jobs = [(scenario, *case, options.repetitions) for scenario in scenarios for case in cases]
    rows = _measured_rows(options, _measured_many, jobs, Table(MANY_LEGEND, MANY_HEAD, MANY_WIDTHS, _shown_many))
    if options.json:
        print(console.machine([dataclasses.asdict(row) for row in rows]))
    return DONE


def _measured_rows(
    options: argparse.Namespace, measure: Callable[[J], R], jobs: Sequence[J], table: Table[R]
) -> list[R]:
    """The results of the jobs, each of which is printed when it is there."""
    executor, stream = chosen_executor(options), sys.stderr if options.json else sys.stdout
    print(table.legend, _line(table.head, table.widths), sep="\n", flush=True, file=stream)
    rows: dict[J, R] = {}
    for done in executor.run(measure, jobs):
        if done.result is None:
            why = done.failure.message.splitlines()[-1] if done.failure else "no reason is known"
            raise BenchError(f"a calibration failed: {why}")
        rows[done.job] = done.result
        print(_line(table.shown(done.result), table.widths), flush=True, file=stream)
    return [rows[job] for job in jobs]


def _measured(job: Job) -> Calibration:
    from bench_lib.stats.calibration import calibrate

    return calibrate(*job)


def _measured_many(job: FamilyJob) -> FamilyCalibration:
    from bench_lib.stats.family_calibration import calibrate_family

    return calibrate_family(*job)


def _shown_many(row: FamilyCalibration) -> list[str]:
    return [
        row.scenario,
        f"{row.techniques}x{row.tasks}",
        str(row.stages),
        f"{row.different} at {md.number(row.ratio, 1)}" if row.different else md.DASH,
        f"{md.percent(row.alarms)} {md.interval(row.low, row.high)}",
        md.percent(row.found, 1),
        md.percent(row.decided, 1),
        md.percent(row.runs, 1),
    ]


def _real(options: argparse.Namespace) -> Iterator[Scenario]:
    """One scenario per cell of the baseline with enough converged runs, which are resampled."""
    from bench_lib.report.analysis.variance import ordinary
    from bench_lib.report.cells import group_runs
    from bench_lib.stats.calibration import resampled
    from bench_lib.store import Store, is_there

    if not is_there(options.store):
        return
    for cell in group_runs(ordinary(Store(options.store).frame())):
        named = cell.id_fields()
        if named["technique"] == options.baseline and len(cell.scores()) >= FEWEST:
            name = f"{named['task']} {named['profile']} ({cell.judged()} runs)"
            yield resampled(name, cell.scores(), cell.failed())


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    typed = (console.typed(cell) for cell in cells)
    return "  ".join(cell.ljust(width) for cell, width in zip(typed, widths, strict=True)).rstrip()
