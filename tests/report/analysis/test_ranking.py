from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata

from bench_lib.report.analysis.ranking import RANKS, ranks
from bench_lib.report.analysis.summary import cells
from bench_lib.report.cells import GROUP
from bench_lib.stats.ranks import average_ranks, critical_difference, friedman

GROUPED = dict(zip(GROUP, ("real", "minilm", "desk"), strict=True))
Row = tuple[str, str, float, float]


def table(rows: list[Row], **changes: Any) -> pd.DataFrame:
    """Cells of (task, technique, failure rate, MAD), all judged."""
    frame = pd.DataFrame(rows, columns=["task", "technique", "failure_rate", "mad"])
    return frame.assign(**GROUPED, judged=5).assign(**changes)


def crossed(tasks: int, techniques: int, seed: int = 0) -> list[Row]:
    draws = np.random.default_rng(seed)
    return [(f"t{i}", f"x{j}", 0.0, float(draws.random())) for i in range(tasks) for j in range(techniques)]


def means(found: pd.DataFrame) -> dict[str, float]:
    return dict(zip(found["technique"], found["average_rank"], strict=True))


def test_failures_rank_before_spread_and_ties_share_their_rank() -> None:
    rows = [("a", "calm", 0.0, 0.03), ("a", "wild", 0.0, 0.05), ("a", "sick", 0.2, 0.001), ("a", "dead", 1.0, math.nan)]
    rows += [("b", "calm", 0.1, 0.02), ("b", "wild", 0.1, 0.02), ("b", "sick", 0.1, math.nan), ("b", "dead", 1.0, 0.0)]
    found = ranks(table(rows))
    assert tuple(found.columns) == RANKS
    assert means(found) == {"calm": 1.25, "wild": 1.75, "sick": 3.0, "dead": 4.0}
    assert [*found["technique"]] == ["calm", "wild", "sick", "dead"]
    assert (found["tasks"] == 2).all()
    assert found[["friedman_p", "critical_difference"]].isna().all(axis=None)


def test_spread_alone_is_ranked_as_the_statistics_do() -> None:
    rows = crossed(5, 4)
    scores = np.array([row[3] for row in rows]).reshape(5, 4)
    found = ranks(table(rows)).set_index("technique").loc[["x0", "x1", "x2", "x3"]]
    assert found["average_rank"].tolist() == pytest.approx(rankdata(scores, axis=1).mean(axis=0))
    assert found["average_rank"].tolist() == average_ranks(scores, higher_is_better=False).tolist()
    assert (found["friedman_p"] == friedman(scores).f_p).all()
    assert (found["critical_difference"] == critical_difference(4, 5)).all()


def test_rounding_decides_nothing() -> None:
    rows = [("a", "one", 0.1 + 0.2, 0.1), ("a", "two", 0.3, 0.1 + 1e-17), ("a", "three", 0.3, 0.1 - 1e-16)]
    assert set(means(ranks(table(rows))).values()) == {2.0}


@pytest.mark.parametrize(("tasks", "techniques"), [(2, 5), (5, 2), (1, 1)])
def test_few_tasks_or_techniques_are_ranked_and_not_tested(tasks: int, techniques: int) -> None:
    found = ranks(table(crossed(tasks, techniques)))
    assert len(found) == techniques
    assert found[["friedman_p", "critical_difference"]].isna().all(axis=None)


def test_only_what_every_task_judged_is_ranked() -> None:
    rows = crossed(3, 4)
    lost = table(rows[:-1])
    unjudged = table(rows)
    unjudged.loc[unjudged.index[-1], ["judged", "failure_rate", "mad"]] = [0, np.nan, np.nan]
    for found in (ranks(lost), ranks(unjudged)):
        assert sorted(found["technique"]) == ["x0", "x1", "x2"]
        assert means(found) == means(ranks(table([row for row in rows if row[1] != "x3"])))


def test_a_technique_that_a_task_holds_twice_is_left_out() -> None:
    rows = crossed(3, 4)
    found = ranks(table([*rows, ("t0", "x2", 0.0, 0.5)]))
    assert sorted(found["technique"]) == ["x0", "x1", "x3"]
    assert ranks(table([("t0", "x0", 0.0, 0.1), ("t0", "x0", 0.0, 0.2)])).empty


def test_groups_are_ranked_apart() -> None:
    both = pd.concat([table(crossed(3, 3)), table(crossed(4, 3, seed=1), profile="stress")])
    found = ranks(both)
    assert found.groupby("profile")["tasks"].first().to_dict() == {"desk": 3, "stress": 4}
    assert found[found["profile"] == "desk"].equals(ranks(table(crossed(3, 3))))


def test_the_cells_of_a_sweep_are_ranked(sweep: Any) -> None:
    found = ranks(cells(sweep(10)))
    assert "fgm" not in set(found["technique"])
    assert len(found) == 8
    assert (found["tasks"] == 4).all()
    assert found["average_rank"].mean() == pytest.approx(4.5)
    assert found["friedman_p"].iloc[0] < 0.05
    assert found["technique"].iloc[-1] == "bertadam"


def test_no_cells_have_no_ranks() -> None:
    assert ranks(table([])).empty
    assert tuple(ranks(table([], judged=0)).columns) == RANKS
