from __future__ import annotations

import dataclasses
import json
import math

from bench_lib.report.analysis import calibration
from bench_lib.report.formatting import DASH
from bench_lib.stats.calibration import SCENARIOS, Calibration
from bench_lib.stats.design import Design, looks_up_to, staged


def made(**changes: object) -> Calibration:
    row = Calibration("a | world", 1, 2.0, 2000, 0.04, 0.03, 0.05, 0.9, 0.1, 21.5)
    return dataclasses.replace(row, **changes)


def today() -> dict[str, object]:
    """The design that the package compares by, as it would stand in the file."""
    design: dict[str, object] = json.loads(calibration.encoded(staged((30,)), []))["design"]
    return design


def test_what_ships_was_measured_with_todays_design() -> None:
    known = calibration.measured()
    assert known.design == today(), f"measure again: {calibration.COMMAND}"
    assert {scenario.name for scenario in SCENARIOS} <= {row.scenario for row in known.rows}
    assert min(row.repetitions for row in known.rows) >= 1000


def test_what_ships_keeps_the_promise_of_the_false_alarms() -> None:
    nulls = [row for row in calibration.measured().rows if row.ratio == 1]
    assert {row.tasks for row in nulls} == {1, 4}
    assert max(row.claims for row in nulls) <= 0.06


def test_a_calibration_comes_back_from_its_text() -> None:
    rows = [made(), made(ratio=1.0, found=math.nan)]
    text = calibration.encoded(Design(looks_up_to(12)), rows)
    assert text == calibration.encoded(Design(looks_up_to(12)), rows)
    value = json.loads(text)
    assert value["design"]["looks"] == [10, 12]
    assert value["rows"][0] == dataclasses.asdict(rows[0])
    assert math.isnan(float(value["rows"][1]["found"]))


def test_a_row_is_text_with_shares_in_percent() -> None:
    assert calibration.shown(made()) == ["a | world", "1", "2.0", "4.00 [3.00, 5.00]", "90.0", "10.0", "21.5"]
    null = calibration.shown(made(ratio=1.0, found=math.nan, tasks=4))
    assert null == ["a | world", "4", "1.0", "4.00 [3.00, 5.00]", DASH, "10.0", "21.5"]
    assert len(null) == len(calibration.HEAD)


def test_the_text_says_what_was_measured() -> None:
    assert "1,000 repetitions" in calibration.text()
    assert "{" not in calibration.text()
