from __future__ import annotations

import dataclasses

from bench_lib.report.analysis.declared import DeclaredPlan, PartProgress
from bench_lib.report.analysis.results import Summary
from bench_lib.report.html.opening import context


def test_a_plan_is_folded_under_how_much_of_it_is_done(summary: Summary) -> None:
    parts = [PartProgress("first", 1_200, {"converged": 1_100, "collapsed": 34}), PartProgress("next", 10, {})]
    whole = PartProgress("in all", 1_210, {"converged": 1_100, "collapsed": 34})
    found = context(dataclasses.replace(summary, plan=DeclaredPlan("Many runs", parts, whole, ["next"], [])))
    assert found["plan"].caption == "The plan: Many runs"
    assert [row[0] for row in found["plan"].rows] == ["first", "next", "in all"]
    assert found["plan_done"] == "1,134 of 1,210 runs done"
    assert found["plan_waits"] == '"next" waits for a tuning.'


def test_without_a_plan_nothing_is_said_of_one(summary: Summary) -> None:
    assert context(summary)["plan"] is None
