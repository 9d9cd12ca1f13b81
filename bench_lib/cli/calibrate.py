"""`stabbench check --calibrate`: false alarms and power of the comparison itself, measured."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench_lib.cli.outcome import DONE

if TYPE_CHECKING:
    from bench_lib.stats.calibration import Calibration, Scenario

RATIOS = (1.0, 1.5, 2.0, 3.0)
SEVERAL = 4
"""Tasks of the comparison over several."""

FEWEST = 10
"""Surviving runs that a cell has when arms are drawn from it."""

HEAD = ("scenario", "tasks", "SD ratio", "claims [95 %]", "found", "equivalent", "seeds")


def calibrate(options: argparse.Namespace) -> int:
    """Print a row for each scenario and ratio as it comes."""
    from bench_lib.stats.calibration import SCENARIOS, calibrate
    from bench_lib.stats.design import Design, Margins, looks_up_to

    looks, margins = looks_up_to(options.max_seeds), Margins(ratio=options.margin)
    print(_line(HEAD), flush=True)
    for scenario in [*SCENARIOS, *_real(options)]:
        for tasks, ratios in ((1, RATIOS), (SEVERAL, RATIOS[:1])):
            design = Design(looks, tasks, options.alpha, margins=margins)
            for ratio in ratios:
                print(_line(_row(calibrate(scenario, design, ratio, options.repetitions))), flush=True)
    return DONE


def _real(options: argparse.Namespace) -> Iterator[Scenario]:
    """The baseline's runs of the store, each cell with enough of them as a world of its own."""
    from bench_lib.report.keys import gather
    from bench_lib.stats.calibration import resampled
    from bench_lib.store import Store

    if not options.store.is_dir():
        return
    for cell in gather(Store(options.store).frame()):
        named = cell.named()
        if named["technique"] == options.baseline and len(cell.scores()) >= FEWEST:
            name = f"{named['task']} {named['profile']} ({cell.judged()} runs)"
            yield resampled(name, cell.scores(), cell.failed())


def _row(found: Calibration) -> tuple[str, ...]:
    return (
        found.scenario,
        str(found.tasks),
        f"{found.ratio:g}",
        f"{found.claims:.4f} [{found.low:.4f}, {found.high:.4f}]",
        "-" if found.ratio == 1 else f"{found.found:.3f}",
        f"{found.equivalent:.3f}",
        f"{found.seeds:.1f}",
    )


def _line(cells: tuple[str, ...]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, (34, 5, 8, 25, 6, 10, 5), strict=True)).rstrip()
