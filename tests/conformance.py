"""The conformance table, technique x promise, from a JUnit report of the suite.

`pytest tests/test_contracts*.py tests/techniques --junitxml=report.xml; python -m tests.conformance report.xml`
prints how many tests hold each promise of each technique, and the failed ones where there are any.
"""

from __future__ import annotations

import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.effects import measured

PROMISES = {
    "neutral = baseline": r"strength_zero|one_member_is",
    "formula": r"techniques\.(\w+\.)?test_",
    "evaluation clean": r"evaluating_twice",
    "state restored": r"leaves_no_trace|left_as_it_was",
    "same record": r"same_spec|same_bits|another_seed",
    "tasks, shapes": r"every_task|every_shape|lower_precision",
    "stacks": r"pair|compose|stack",
    "passes": r"passes",
    "declarations": r"declar|out_of_range|its_formula",
}


def counts(report: Path) -> dict[str, dict[str, Counter[str]]]:
    """For each technique and promise, the tests by outcome."""
    found = {name: {promise: Counter[str]() for promise in PROMISES} for name in TECHNIQUES.names()}
    for case in ElementTree.parse(report).iter("testcase"):
        where, name = case.get("classname", ""), case.get("name", "")
        outcome = "failed" if case.find("failure") is not None or case.find("error") is not None else "passed"
        for technique in _techniques(where, name):
            for promise, pattern in PROMISES.items():
                if re.search(pattern, f"{where}.{name.partition('[')[0]}"):
                    found[technique][promise][outcome] += 1
                    break
    return found


def _techniques(where: str, name: str) -> set[str]:
    """The techniques that a test is of: those named in its parameters, or by its file."""
    own = where.rpartition(".test_")[2]
    if own in TECHNIQUES.names():
        return {own}
    parts = re.split(r"[-+:\[\]]", name.partition("[")[2])
    return set(parts) & set(TECHNIQUES.names())


def table(found: dict[str, dict[str, Counter[str]]]) -> str:
    """Markdown, one row a technique; the last column is declared, and counted by the tests of `passes`."""
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
        if any(technique.survey_passes()):
            passes += ", and {} + {} for each of one epoch before".format(*technique.survey_passes())
        if any(technique.prelude_passes(1)):
            passes += ", and at most {} + {} for each of one epoch before".format(*technique.prelude_passes(1))
        lines.append(f"| {' | '.join([name, *cells, passes, measured().text(name, technique.version)])} |")
    return "\n".join(lines)


def _cell(outcomes: Counter[str]) -> str:
    failed = f", {outcomes['failed']} FAILED" if outcomes["failed"] else ""
    return f"{outcomes['passed'] or '-'}{failed}"


if __name__ == "__main__":
    sys.stdout.write(table(counts(Path(sys.argv[1]))) + "\n")
