"""The conformance table, technique x promise, from a JUnit report of the suite.

`pytest tests/test_contracts*.py tests/techniques --junitxml=report.xml; python -m tests.conformance report.xml`
prints how many tests hold each promise of each technique, and the failed ones where there are any. The promises are
those of `bench_lib.validation.conformance`; a test names the ones that it holds by `@pytest.mark.promise`.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from bench_lib.core.errors import UnknownName
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.effects import measured
from bench_lib.validation.conformance import PROMISES


def counts(report: Path) -> dict[str, dict[str, Counter[str]]]:
    """For each technique and promise, the tests by outcome; a promise that is not on the list raises `UnknownName`."""
    found = {name: {promise: Counter[str]() for promise in PROMISES} for name in TECHNIQUES.names()}
    for case in ElementTree.parse(report).iter("testcase"):
        outcome = "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"
        outcome = "skipped" if case.find("skipped") is not None else outcome
        for promise in _said(case, "promise"):
            if promise not in PROMISES:
                raise UnknownName("promise", promise, PROMISES)
            for technique in _techniques(case):
                found[technique][promise][outcome] += 1
    return found


def _said(case: ElementTree.Element, name: str) -> list[str]:
    """What a test's marks say, as `conftest` writes it into the report."""
    return [found.get("value", "") for found in case.iter("property") if found.get("name") == name]


def _techniques(case: ElementTree.Element) -> set[str]:
    """The registered techniques of a test's stacks."""
    parts = [part for stack in _said(case, "technique") for part in stack.split("+")]
    return {part.partition(":")[0] for part in parts} & set(TECHNIQUES.names())


def table(found: dict[str, dict[str, Counter[str]]]) -> str:
    """Markdown, one row a technique; passes a step are as declared, and held to by the promise `passes`."""
    lines = [
        "| technique | " + " | ".join(PROMISES) + " | passes a step | what it changes |",
        "|---" * (len(PROMISES) + 3) + "|",
    ]
    for name, promises in found.items():
        technique = TECHNIQUES.get(name)()
        cells = [_cell(outcomes) for outcomes in promises.values()]
        forward, backward = technique.passes()
        most = "at most " * (len({technique.passes_at(step, 100) for step in range(100)}) > 1)
        passes = f"{most}{forward} + {backward}" if not technique.pools() else "none"
        if any(technique.estimation_passes()):
            passes += ", and {} + {} for each of one epoch before".format(*technique.estimation_passes())
        if any(technique.pretraining_passes(1)):
            passes += ", and at most {} + {} for each of one epoch before".format(*technique.pretraining_passes(1))
        lines.append(f"| {' | '.join([name, *cells, passes, measured().text(name, technique.version)])} |")
    return "\n".join(lines)


def _cell(outcomes: Counter[str]) -> str:
    failed = f", {outcomes['failed']} FAILED" if outcomes["failed"] else ""
    return f"{outcomes['passed'] or '-'}{failed}"


if __name__ == "__main__":
    sys.stdout.write(table(counts(Path(sys.argv[1]))) + "\n")
