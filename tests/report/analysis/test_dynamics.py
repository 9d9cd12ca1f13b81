"""How training went, many runs at a time: the same numbers as of one run after another."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.report.analysis.dynamics import COUNTS, DYNAMICS, LISTS, dynamics
from bench_lib.stats.dynamics import drift_summary, fluctuation, gradient_health

Run = dict[str, Any]
NUMBER = st.one_of(st.floats(0, 50), st.sampled_from([math.nan, math.inf, -1.0, 0.0]))
COUNT = st.one_of(st.none(), st.integers(-1, 4))


def rows(runs: list[Run]) -> pa.Table:
    lists = {name: pa.array([run[name] for run in runs], pa.list_(pa.float64())) for name in LISTS}
    counts = {name: pa.array([run[name] for run in runs], pa.int64()) for name in COUNTS}
    return pa.table({**lists, **counts})


def alone(run: Run) -> list[float]:
    """The numbers of one run, straight from `stats`; of lists that contradict one another none."""
    scores = run["eval_score"]
    try:
        health = gradient_health(*(run[name] for name in LISTS[:3]), *(run[name] for name in COUNTS))
        moved = fluctuation(scores) if all(map(math.isfinite, scores)) else math.nan
        drift = drift_summary([run["drift"]]).overall
    except BadValue:
        return [math.nan] * len(DYNAMICS)
    return [moved, health.explosions if health.steps else math.nan, health.clipped, health.vanishing, drift]


@st.composite
def run(draw: st.DrawFn) -> Run:
    """Mostly a run whose lists fit together, of one of two lengths."""
    steps = draw(st.sampled_from([0, 3]))
    lengths = [steps if draw(st.integers(0, 9)) else 2 for _ in LISTS[:3]]
    sizes = [*lengths, draw(st.sampled_from([0, 2])), draw(st.integers(0, 3))]
    found: Run = {n: draw(st.lists(NUMBER, min_size=k, max_size=k)) for n, k in zip(LISTS, sizes, strict=True)}
    return found | {name: draw(COUNT) for name in COUNTS}


@given(st.lists(run(), max_size=8))
def test_many_runs_together_say_what_each_says_alone(runs: list[Run]) -> None:
    found = dynamics(rows(runs))
    assert list(found) == list(DYNAMICS)
    together = np.array([column.to_numpy() for column in found.values()]).T.reshape(-1, len(DYNAMICS))
    expected = np.array([alone(one) for one in runs], dtype=float).reshape(-1, len(DYNAMICS))
    assert np.array_equal(together, expected, equal_nan=True)


def test_a_run_by_hand() -> None:
    norms = [1.0, 1.0, 1.0, 20.0]
    lists: Run = {"curve_grad_norm": norms, "curve_grad_norm_first": [0.0, 1.0, 1.0, 0.0004]}
    lists |= {"curve_grad_norm_last": [1.0] * 4, "drift": [0.1, 0.3], "eval_score": [0.5, 0.75, 0.5]}
    found = dynamics(rows([lists | {"clipped_steps": 3, "nonfinite_steps": 0}]))
    assert {name: column[0].as_py() for name, column in found.items()} == {
        "fluctuation": 0.25,
        "explosions": 1.0,
        "clipped": 0.75,
        "vanishing": 0.5,
        "drift": 0.2,
    }
