from __future__ import annotations

import dataclasses
import json
import math
from typing import Any

import pytest

from bench_lib.cli.verdicts import HEAD, broken, human, machine
from bench_lib.comparison.paired_runs import Cost
from bench_lib.comparison.result import ComparisonResult, TaskResult
from bench_lib.stats.design import Design
from bench_lib.stats.equivalence import Effect
from bench_lib.stats.verdict import Location, Stability, Verdict
from bench_lib.validation.conformance import Breach

NAN = math.nan
NOTHING = Verdict(
    seeds=0,
    stability=Stability.UNDERPOWERED,
    location=Location.OPEN,
    decided_by="",
    failures=(0, 0),
    lone_failures=(0, 0),
    p_failure=1.0,
    p_spread=NAN,
    p_location=NAN,
    log_ratio=Effect(NAN, NAN, NAN),
    superiority=Effect(NAN, NAN, NAN),
)
STEADIER = dataclasses.replace(
    NOTHING,
    seeds=12,
    stability=Stability.MORE,
    location=Location.BETTER,
    decided_by="spread",
    failures=(0, 3),
    p_spread=0.0012,
    p_location=0.01,
    log_ratio=Effect(math.log(0.25), 0.3, 8),
    superiority=Effect(0.97, 0.05, 8),
)
FLAT = dataclasses.replace(STEADIER, log_ratio=Effect(-math.inf, NAN, NAN))


def task(verdict: Verdict = STEADIER, **changes: object) -> TaskResult:
    whole = TaskResult("sst2", verdict, Cost(1.25, 0.5), 0, "", 2.5, 0.0)
    return dataclasses.replace(whole, **changes)


def answer(*tasks: TaskResult) -> ComparisonResult:
    return ComparisonResult("mixout", "adamw", Design((10, 20, 30), tasks=len(tasks)), tasks)


def rows(*tasks: TaskResult) -> list[dict[str, str]]:
    """The table as it stands there, by its columns."""
    head, *lines = human(answer(*tasks)).splitlines()
    starts = [head.index(name) for name in HEAD]
    ends = [*starts[1:], None]
    return [
        {name: line[a:b].strip() for name, a, b in zip(HEAD, starts, ends, strict=True)} for line in lines[: len(tasks)]
    ]


def test_a_row_says_what_was_found() -> None:
    assert rows(task()) == [
        {
            "task": "sst2",
            "verdict": "more stable (spread)",
            "seeds": "12",
            "failed": "0 %",
            "baseline failed": "25 %",
            "MAD ratio [95 %]": "0.25 [0.13, 0.50]",
            "p (spread)": "0.0012",
            "P(better) [95 %]": "0.97 [0.85, 1.00]",
            "scores": "better",
            "time": "1.25x",
            "memory": "0.50x",
        }
    ]


def test_what_is_not_known_is_a_dash() -> None:
    (row,) = rows(task(NOTHING, cost=Cost(NAN, NAN)))
    assert (row["verdict"], row["seeds"], row["scores"]) == ("underpowered", "0", "undecided")
    assert {value for name, value in row.items() if name not in ("task", "verdict", "seeds", "scores")} == {"-"}
    (flat,) = rows(task(FLAT))
    assert flat["MAD ratio [95 %]"] == "0.00"


def test_a_declined_task_is_a_row_and_a_reason() -> None:
    declined = task(NOTHING, declined="no spans", detectable=NAN)
    assert rows(task(), declined)[1]["verdict"] == "declined"
    lines = human(answer(task(), declined)).splitlines()
    assert "sst2: declined: no spans" in lines
    assert lines[-1] == "mixout against adamw: holds; 12 of 30 seeds used"


UNDERPOWERED = dataclasses.replace(STEADIER, stability=Stability.UNDERPOWERED, location=Location.OPEN, decided_by="")


@pytest.mark.parametrize(
    ("detectable", "missing", "note"),
    [
        (2.5, 8.0, "12 seeds detect a MAD ratio of 2.50 or more, or of 0.40 or less (power 0.8); about 8 more would"),
        (2.5, NAN, "12 seeds detect a MAD ratio of 2.50 or more, or of 0.40 or less (power 0.8)"),
        (math.inf, math.inf, "12 seeds detect none of the MAD ratios tried (power 0.8)"),
        (NAN, NAN, "the MAD ratio that 12 seeds detect is unknown: too few baseline runs converged, or no spread"),
    ],
)
def test_what_is_undecided_says_what_could_have_been_seen(detectable: float, missing: float, note: str) -> None:
    lines = human(answer(task(UNDERPOWERED, detectable=detectable, missing=missing))).splitlines()
    (found,) = [line for line in lines if line.startswith("sst2: ")]
    assert found.startswith(f"sst2: {note}")
    assert ("more would decide" in found) == (missing == 8)


def test_what_is_sure_needs_no_such_note() -> None:
    assert not [line for line in human(answer(task())).splitlines() if line.startswith("sst2: ")]


@pytest.mark.parametrize(("lost", "said"), [(1, "1 run was lost"), (3, "3 runs were lost")])
def test_lost_runs_are_told(lost: int, said: str) -> None:
    assert f"sst2: {said} to infrastructure" in human(answer(task(lost=lost)))


def test_a_regression_says_why() -> None:
    worse = dataclasses.replace(STEADIER, location=Location.WORSE)
    text = human(answer(task(worse, max_cost=1.2), task(dataclasses.replace(STEADIER, stability=Stability.LESS))))
    last = "mixout against adamw: regression (worse, too dear on sst2; less stable on sst2); 24 of 60 seeds used"
    assert text.splitlines()[-1] == last
    assert "1.25x too dear" in text


def loaded(text: str) -> Any:
    def refuse(name: str) -> float:
        raise AssertionError(f"{name} is no JSON")

    return json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize("verdict", [STEADIER, NOTHING, FLAT, UNDERPOWERED], ids=["more", "nothing", "flat", "open"])
def test_json_holds_all_of_it_and_no_nan(verdict: Verdict) -> None:
    one = task(verdict, detectable=math.inf, missing=NAN, cost=Cost(NAN, 1.0))
    text = machine(answer(one, task()))
    found = loaded(text)
    assert text == machine(answer(one, task()))
    assert found["tasks"][1]["verdict"]["p_spread"] == 0.0012
    assert found["tasks"][1]["mad_ratio"][0] == pytest.approx(0.25)
    assert found["tasks"][1]["faults"] == []
    assert found["tasks"][0]["cost"] == {"memory": 1.0, "time": None}
    assert (found["tasks"][0]["detectable"], found["tasks"][0]["missing"]) == ("inf", None)
    assert found["tasks"][0]["verdict"]["stability"] == str(verdict.stability)
    assert found["outcome"] == ("holds" if verdict.sure else "inconclusive")
    assert found["design"]["looks"] == [10, 20, 30]


def test_broken_promises_are_json_too() -> None:
    found = loaded(broken("mine.py:Mine", [Breach("repeats", "sst2", "differs in score")]))
    assert found["outcome"] == "broken"
    assert found["breaches"] == [{"promise": "repeats", "task": "sst2", "what": "differs in score"}]


def test_different_kinds_of_machine_are_said_with_their_seeds() -> None:
    said = "sst2: on 4 of {} seeds technique and baseline ran on different kinds of machine"
    assert said.format(STEADIER.seeds) in human(answer(task(unlike_machines=4)))
    assert "kinds of machine" not in human(answer(task()))
