"""Calibration of the comparison: measured false alarms and power, shipped with the package."""

from __future__ import annotations

import dataclasses
import functools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_lib.core.spec import canonical_json
from bench_lib.report import formatting as md
from bench_lib.stats.calibration import Calibration
from bench_lib.stats.design import Design

FILE = Path(__file__).with_name("calibration.json")
COMMAND = "stabbench check --calibrate --json"

HEAD = ("scenario", "tasks", "SD ratio", "claims [95 %]", "found", "called equivalent", "seeds used")

TEXT = """`stabbench check` looks at the runs as they come and stops when it is sure. How often that errs was measured
({repetitions:,} repetitions a row, at most {seeds} seeds, alpha {alpha}), by `{command}`: *claims* is how often any
look of any test on any task claimed a difference, which is a false alarm where the SD ratio is 1 (claims of location
do not count where one sample is higher); *found* how often the difference in spread was found, in the right direction;
*seeds used* the mean for a task, of {seeds}."""


@dataclass(frozen=True)
class Measured:
    """A stored calibration: the design, and one row per scenario, number of tasks and ratio."""

    design: dict[str, Any]
    rows: tuple[Calibration, ...]

    def of(self, tasks: int) -> list[Calibration]:
        return [row for row in self.rows if row.tasks == tasks]


def encoded(design: Design, rows: list[Calibration]) -> str:
    """The JSON text of a calibration, as stored in `FILE`; deterministic."""
    value = {"design": dataclasses.asdict(design), "rows": [dataclasses.asdict(row) for row in rows]}
    return json.dumps(json.loads(canonical_json(value)), indent=1, sort_keys=True) + "\n"


@functools.cache
def measured() -> Measured:
    """The calibration that is shipped with the package."""
    value = json.loads(FILE.read_text(encoding="utf-8"))
    rows = tuple(Calibration(**row | {"found": float(row["found"])}) for row in value["rows"])  # it may be nan
    return Measured(value["design"], rows)


def text() -> str:
    """The note on the calibration."""
    known = measured()
    note = TEXT.format(
        command=COMMAND,
        repetitions=known.rows[0].repetitions,
        seeds=known.design["looks"][-1],
        alpha=known.design["alpha"],
    )
    return " ".join(note.split())


def shown(row: Calibration) -> list[str]:
    """A scenario as a table row under `HEAD`; shares are in percent."""
    return [
        row.scenario,
        str(row.tasks),
        md.number(row.ratio, 1),
        f"{md.percent(row.claims)} {md.interval(row.low, row.high)}",
        md.DASH if row.ratio == 1 else md.percent(row.found, 1),
        md.percent(row.equivalent, 1),
        md.number(row.seeds, 1),
    ]
