from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from bench_lib import api
from bench_lib.api import ScoreSettings
from bench_lib.core.errors import BadValue
from bench_lib.report.analysis.scores import HEAD

DRAWS = np.random.default_rng(0).normal(size=(2, 30))
SEEDS = pd.Index(range(30), name="seed")


def test_plain_numbers_are_compared_unpaired() -> None:
    found = api.compare([*DRAWS[0]], DRAWS[1] * 4)
    (one,) = found.tasks
    assert (one.paired, one.verdict.sizes, str(one.verdict.stability)) == (False, (30, 30), "more stable")
    assert str(found).startswith("A against B: all runs: more stable (spread), scores ")


def test_seeds_pair_runs() -> None:
    one, other = pd.Series(DRAWS[0], SEEDS, name="sam"), pd.Series(DRAWS[1], SEEDS[::-1], name="adamw")
    found = api.compare(one, other)
    assert (found.technique, found.baseline, found.tasks[0].paired) == ("sam", "adamw", True)
    by_seed = api.compare(one.to_dict(), other.to_dict())
    assert by_seed.tasks == found.tasks
    assert not api.compare(one.reset_index(drop=True), other).tasks[0].paired
    in_order = api.compare(DRAWS[0], DRAWS[1][::-1], ScoreSettings(paired=True))
    assert in_order.tasks[0].verdict == found.tasks[0].verdict


def test_tasks_are_columns_or_names() -> None:
    one = pd.DataFrame({"rte": DRAWS[0], "cola": DRAWS[1]}, SEEDS)
    other = {"cola": DRAWS[0], "rte": [*DRAWS[1], None]}
    found = api.compare(one, other)
    assert [task.task for task in found.tasks] == ["rte", "cola"]
    assert found.tasks[0].verdict.failures == (0, 1)
    frame = found.frame()
    assert list(frame["task"]) == ["rte", "cola"]
    assert frame.loc[0, "baseline_failed"] == 1
    assert frame.loc[0, "mad_ratio"] == found.tasks[0].ratio()[0]


def test_runs_that_seem_to_have_collapsed_are_remarked() -> None:
    steady = 88 + DRAWS[0] / 10
    some_failed = np.where(np.arange(30) % 10 == 3, 52.7, 88 + DRAWS[1])
    found = api.compare(steady, some_failed)
    (said,) = [remark for remark in found.remarks() if "constant" in remark]
    assert said.startswith(
        "all runs: 3 runs of B have the same score, far from the rest: 52.7; if a constant predictor"
    )
    known = api.compare(steady, some_failed, ScoreSettings(constant_baseline=52.7))
    assert not [remark for remark in known.remarks() if "constant" in remark]
    for ordinary in (88 + DRAWS[1].round(), np.full(30, 88.0), np.append(88 + DRAWS[1], 52.7)):
        assert not [remark for remark in api.compare(steady, ordinary).remarks() if "constant" in remark]
    losses = api.compare(DRAWS[0], -some_failed, ScoreSettings(higher_is_better=False))
    assert losses.tasks[0].sides[1].alike == 3


def test_a_notebook_shows_a_table() -> None:
    found = api.compare({"<b>": DRAWS[0]}, {"<b>": DRAWS[1]})
    page = found._repr_html_()
    assert page.count("<tr") == 3
    assert "&lt;b&gt;" in page
    assert "<b>" not in page
    assert all(len(row) == len(HEAD) for row in found.rows())
    assert "nothing was tested" in api.compare([0.1, 0.2], [0.1, 0.2])._repr_html_()


@pytest.mark.parametrize(
    ("one", "other", "said"),
    [
        (["a"], [1.0], "scores is"),
        ([], [1.0], "shape of the scores"),
        ([[1.0]], [1.0], "shape of the scores"),
        ({1.5: 0.3}, [1.0], "seed is 1.5"),
        ({"a": [1.0]}, {"b": [1.0]}, "tasks of the first scores"),
        ([1.0], "adamw", "runs to compare with a baseline's name"),
        (pd.Series([1.0, 2.0], pd.Index([1, 1], name="seed")), [1.0], "a seed that stands twice"),
    ],
)
def test_bad_input_is_named(one: object, other: object, said: str) -> None:
    with pytest.raises(BadValue, match=said):
        api.compare(one, other)


def test_pairing_by_order_takes_as_many_scores() -> None:
    with pytest.raises(BadValue, match="number of scores to pair by their order is 2; allowed: 3"):
        api.compare([1.0, 2.0, math.nan], [1.0, 2.0], ScoreSettings(paired=True))
