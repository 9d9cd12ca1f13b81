"""The conformance table counts what tests say that they hold, and the tests hold every promise and no other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench_lib.core.errors import UnknownName
from bench_lib.validation.conformance import PROMISES
from tests.conformance import counts, table

CASE = """<testcase classname="tests.some" name="test_it[x]"><properties>{}</properties>{}</testcase>"""


def case(promises: tuple[str, ...], stacks: tuple[str, ...], outcome: str = "") -> str:
    said = [("promise", promise) for promise in promises] + [("technique", stack) for stack in stacks]
    return CASE.format("".join(f'<property name="{name}" value="{value}" />' for name, value in said), outcome)


def report(folder: Path, *cases: str) -> Path:
    path = folder / "report.xml"
    path.write_text(f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>")
    return path


def test_tests_are_counted_for_each_promise_and_technique_that_they_name(tmp_path: Path) -> None:
    cases = [
        case(("runs", "repeats"), ("llrd:decay=0.9+reinit",)),
        case(("runs",), ("llrd", "reinit"), "<failure />"),
        case(("runs",), ("reinit",), "<error />"),
        case(("runs",), ("reinit",), "<skipped />"),
        case((), ("llrd",)),
        case(("runs",), ("peft_injection",)),
    ]
    found = counts(report(tmp_path, *cases))
    assert found["llrd"]["runs"] == {"passed": 1, "failed": 1}
    assert found["llrd"]["repeats"] == {"passed": 1}
    assert found["reinit"]["runs"] == {"passed": 1, "failed": 2, "skipped": 1}
    head, _, *rows = table(found).splitlines()
    assert all(f"| {promise} |" in head for promise in PROMISES)
    (row,) = (row for row in rows if row.startswith("| llrd |"))
    assert "| 1, 1 FAILED |" in row


def test_a_promise_that_is_not_on_the_list_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnknownName, match="unknown promise 'repeat': did you mean 'repeats'"):
        counts(report(tmp_path, case(("repeat",), ("llrd",))))


def test_every_promise_is_held_by_a_contract_and_no_other_is_named() -> None:
    contracts = Path(__file__).parent.glob("test_contracts*.py")
    marks = [mark for path in contracts for mark in re.findall(r"mark\.promise\((.*)\)", path.read_text())]
    named = {name for mark in marks for name in re.findall(r'"([^"]+)"', mark.partition("of=")[0])}
    assert named == {*PROMISES} - {"formula"}, "and that one by the test of each technique's own"


@pytest.mark.promise("formula", of=("stack",))
@pytest.mark.parametrize("stack", ["none+such"])
def test_marks_reach_the_report(request: pytest.FixtureRequest, stack: str) -> None:
    assert request.node.user_properties == [("promise", "formula"), ("technique", stack)]
