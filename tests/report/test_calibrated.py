from __future__ import annotations

import dataclasses
import json
import math

from bench_lib.report import calibrated
from bench_lib.report.markdown import DASH
from bench_lib.stats.calibration import SCENARIOS, Calibration
from bench_lib.stats.design import Design, looks_up_to


def made(**changes: object) -> Calibration:
    row = Calibration("a | world", 1, 2.0, 2000, 0.04, 0.03, 0.05, 0.9, 0.1, 21.5)
    return dataclasses.replace(row, **changes)


def today() -> dict[str, object]:
    """The design that the package compares by, as it would stand in the file."""
    design: dict[str, object] = json.loads(calibrated.encoded(Design(looks_up_to(30)), []))["design"]
    return design


def test_what_ships_was_measured_with_todays_design() -> None:
    known = calibrated.measured()
    assert known.design == today(), f"measure again: {calibrated.COMMAND}"
    assert {scenario.name for scenario in SCENARIOS} <= {row.scenario for row in known.rows}
    assert min(row.repetitions for row in known.rows) >= 2000


def test_what_ships_keeps_the_promise_of_the_false_alarms() -> None:
    nulls = [row for row in calibrated.measured().rows if row.ratio == 1]
    assert {row.tasks for row in nulls} == {1, 4}
    assert max(row.claims for row in nulls) <= 0.06


def test_a_calibration_comes_back_from_its_text() -> None:
    rows = [made(), made(ratio=1.0, found=math.nan)]
    text = calibrated.encoded(Design(looks_up_to(12)), rows)
    assert text == calibrated.encoded(Design(looks_up_to(12)), rows)
    value = json.loads(text)
    assert value["design"]["looks"] == [10, 12]
    assert value["rows"][0] == dataclasses.asdict(rows[0])
    assert math.isnan(float(value["rows"][1]["found"]))


def test_the_section_has_a_row_for_each_and_escapes_names(monkeypatch) -> None:
    rows = (made(), made(ratio=1.0, found=math.nan, tasks=4))
    monkeypatch.setattr(calibrated, "measured", lambda: calibrated.Measured(today(), rows))
    text = calibrated.section()
    assert "| a \\| world | 1 | 2.0 | 4.00 [3.00, 5.00] | 90.0 | 10.0 | 21.5 |" in text
    assert f"| a \\| world | 4 | 1.0 | 4.00 [3.00, 5.00] | {DASH} | 10.0 | 21.5 |" in text
    assert "2,000 repetitions" in text
