"""Each component is that of the runs in which its source varied, and every judged run of an arm is counted."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.seeds import STREAMS, parse_vary
from bench_lib.core.spec import canonical_json, digest
from bench_lib.report.analysis.summary import cells
from bench_lib.report.analysis.variance import COMPONENT_COLUMNS, ordinary, variance_components
from bench_lib.report.cells import CELL_ID
from bench_lib.stats.components import crossed
from bench_lib.stats.variance import one_at_a_time

USUAL = {"subset": 0}
MEASURED = ["variance", "low", "high", "share"]


def frozen(record: RunRecord, held: Mapping[str, int]) -> RunRecord:
    """The same run with other streams frozen."""
    spec = {**json.loads(record.spec), "frozen": dict(held)}
    return dataclasses.replace(record, spec=canonical_json(spec), run_id=digest(spec))


@pytest.fixture(scope="session")
def arm(record: Any) -> Any:
    """Runs of seeds 0, 1, ... with these scores, None for one that diverged, under each arm of a text as of --vary."""

    def make(held: Mapping[str, int] | str, scores: Sequence[float | None], **changes: Any) -> list[RunRecord]:
        if isinstance(held, str):
            (only,) = parse_vary(held, tuple(range(len(scores))))
            held = dict(only)
        status = {s: {} if s is not None else {"status": "diverged"} for s in scores}
        return [frozen(record(i, s, **{**status[s], **changes}), held) for i, s in enumerate(scores)]

    return make


def draws(seed: int, count: int = 8) -> list[float]:
    return [float(score) for score in np.random.default_rng(seed).normal(0.8, 0.02, count)]


def grid(arm: Any, table: np.ndarray, pair: tuple[str, str] = ("init", "order"), **held: int) -> list[RunRecord]:
    """A grid with the scores of a table (first stream, second stream)."""
    others = {s: 0 for s in STREAMS if s not in pair} | held
    columns = enumerate(table.T)
    return [run for b, column in columns for run in arm({pair[1]: b, **others}, [float(s) for s in column])]


def only(table: pd.DataFrame, **values: str) -> Any:
    """The only row with these values."""
    found = table[(table[list(values)] == list(values.values())).all(axis=1)]
    assert len(found) == 1
    return found.iloc[0]


def test_streams_in_turn_are_told_from_their_total(arm: Any, frame: Any) -> None:
    scores = {"init": draws(1), "order": draws(2, 5), "dropout": draws(3), "usual": draws(4, 10)}
    runs = [run for name in ("order", "dropout", "init") for run in arm(name, scores[name])]
    runs += arm(USUAL, [*scores["usual"], None, None]) + arm("init", [*scores["init"], None])[8:]
    table = variance_components(frame(runs))
    assert list(table.columns) == list(COMPONENT_COLUMNS)
    assert table["design"].unique().tolist() == ["init+order+dropout+augment"]
    assert table["source"].tolist() == ["init", "order", "dropout", "rest", "total"]
    expected = one_at_a_time({n: scores[n] for n in ("init", "order", "dropout")}, scores["usual"])
    np.testing.assert_array_equal(table[MEASURED], [[getattr(c, name) for name in MEASURED] for c in expected])
    assert table["runs"].tolist() == [8, 5, 8, 31, 10]
    assert table["failed"].tolist() == [1, 0, 0, 3, 2]
    assert (table["note"] == "").all()
    assert table[["data", "model", "profile", "task", "technique", "label"]].drop_duplicates().to_numpy().tolist() == [
        ["real", "minilm", "desk", "sst2", "adamw", "adamw"]
    ]


def test_every_set_of_runs_that_holds_others_is_a_total(arm: Any, frame: Any) -> None:
    names = ("subset", "init", "order", "init+order", "all")
    runs = [run for i, name in enumerate(names) for run in arm(name, draws(i))] + arm(USUAL, draws(9))
    table = variance_components(frame(runs))
    found = {design: rows["source"].tolist() for design, rows in table.groupby("design", sort=False)}
    assert found == {
        "init+order": ["init", "order", "rest", "total"],
        "init+order+dropout+augment": ["init", "order", "rest", "total"],
        "all": ["init", "order", "subset", "rest", "total"],
    }
    assert (table["note"] == "").all()


def test_streams_that_vary_together_are_one_source(arm: Any, frame: Any) -> None:
    runs = arm("init+order", draws(0)) + arm("dropout", draws(1)) + arm("all", draws(2))
    assert variance_components(frame(runs))["source"].tolist() == ["dropout", "init+order", "rest", "total"]


def test_a_stream_in_two_sources_is_told_of(arm: Any, frame: Any) -> None:
    runs = arm("init+order", draws(0)) + arm("order+dropout", draws(1)) + arm(USUAL, draws(2))
    table = variance_components(frame(runs))
    assert table["source"].tolist() == ["init+order", "order+dropout", "rest", "total"]
    assert only(table, source="rest")["note"] == "order counted in several sources"


def test_arms_without_a_total_stand_apart(arm: Any, frame: Any) -> None:
    runs = arm("init", draws(0)) + arm("order", [0.8, None])
    table = variance_components(frame(runs))
    assert table["design"].tolist() == ["apart", "apart"]
    assert table["source"].tolist() == ["init", "order"]
    init, order = table.itertuples()
    assert init.variance == pytest.approx(np.var(draws(0), ddof=1))
    assert (init.note, init.runs, init.failed) == ("no runs vary it together with others", 8, 0)
    assert (order.note, order.runs, order.failed) == ("fewer than two runs; no runs vary it together with others", 1, 1)
    assert table["share"].isna().all()


def test_a_moved_reference_is_told_and_goes_with_totals_that_stand_there(arm: Any, frame: Any) -> None:
    others = {"dropout": 0, "augment": 0}
    runs = arm({"order": 7, "subset": 5, **others}, draws(0)) + arm({"subset": 5}, draws(1)) + arm(USUAL, draws(2))
    table = variance_components(frame(runs))
    assert table["design"].unique().tolist() == ["init+order+dropout+augment, subset=5"]
    assert table["note"].tolist() == ["at order=7", "", ""]
    alone = variance_components(frame(runs[:8]))
    assert alone["note"].tolist() == ["at order=7, subset=5; no runs vary it together with others"]


def test_a_grid_is_crossed(arm: Any, frame: Any) -> None:
    generator = np.random.default_rng(0)
    scores = 0.8 + 0.03 * generator.normal(size=(5, 1)) + 0.01 * generator.normal(size=(5, 4))
    table = variance_components(frame(grid(arm, scores)))
    assert table["source"].tolist() == ["init", "order", "rest", "total"]
    assert (table["design"] == "init x order").all()
    assert (table["runs"] == 20).all()
    levels = [(a, b) for a in range(5) for b in range(4)]
    expected = crossed(levels, scores.reshape(-1), ("init", "order"), generator, resamples=100)
    np.testing.assert_allclose(table["variance"], [c.variance for c in expected], rtol=1e-9)
    np.testing.assert_allclose(table["share"], [c.share for c in expected], rtol=1e-9)
    assert (table["low"] <= table["variance"]).all()
    assert (table["variance"] <= table["high"]).all()
    assert table["note"].tolist() == ["", "", "holds init x order: no cell has two runs", ""]


def test_a_grid_with_failures_is_estimated_from_the_rest(arm: Any, frame: Any) -> None:
    scores = np.array(draws(3, 16)).reshape(4, 4)
    runs = grid(arm, scores)
    runs[5] = dataclasses.replace(runs[5], status="collapsed")
    runs[6] = dataclasses.replace(runs[6], status="oom", score=None)
    table = variance_components(frame(runs))
    assert (table["runs"].unique().tolist(), table["failed"].unique().tolist()) == ([14], [1])
    assert table["variance"].notna().all()


def test_a_grid_that_failed_throughout_has_no_figures_and_says_so(arm: Any, frame: Any) -> None:
    runs = [dataclasses.replace(run, status="collapsed") for run in grid(arm, np.full((3, 3), 0.5))]
    table = variance_components(frame(runs))
    assert table[MEASURED].isna().all(axis=None)
    assert (table["note"] == "fewer than two runs").all()
    assert (table["failed"] == 9).all()


def test_the_first_line_of_a_grid_is_a_source_beside_its_total(arm: Any, frame: Any) -> None:
    scores = np.array(draws(3, 12)).reshape(4, 3)
    table = variance_components(frame(grid(arm, scores) + arm(USUAL, draws(1))))
    row = only(table, design="init+order+dropout+augment", source="init")
    assert row["variance"] == pytest.approx(np.var(scores[:, 0], ddof=1))
    assert row["note"] == "one of 3 references"
    assert set(table["design"]) == {"init+order+dropout+augment", "init x order"}


def test_runs_of_equal_seeds_count_once(arm: Any, frame: Any) -> None:
    scores = np.array(draws(5, 8)).reshape(4, 2)
    # The order at init=0: its first two runs stand in the grid, whose first line has the initialisation at 0 too.
    across = {"init": 0, "dropout": 0, "augment": 0, "subset": 0}
    line = arm(across, [*(float(s) for s in scores[0]), 0.81, 0.79])
    table = variance_components(frame([*grid(arm, scores), *line]))
    (runs,) = table["runs"].unique()
    assert runs == 8 + 4 - 2
    assert not table["note"].str.contains("differently").any()
    levels = [(a, b) for a in range(4) for b in range(2)] + [(0, 2), (0, 3)]
    expected = crossed(
        levels, [*scores.reshape(-1), 0.81, 0.79], ("init", "order"), np.random.default_rng(0), resamples=100
    )
    np.testing.assert_allclose(table["variance"], [c.variance for c in expected], rtol=1e-9)
    line[0] = dataclasses.replace(line[0], score=0.5)
    line[1] = dataclasses.replace(line[1], status="collapsed")
    told = variance_components(frame([*grid(arm, scores), *line]))
    assert told["note"].str.contains("2 runs came out differently when repeated: one of each counts").all()
    assert (told["runs"].unique().tolist(), told["failed"].unique().tolist()) == ([10], [0])


def test_grids_of_other_pairs_and_places_are_apart(arm: Any, frame: Any) -> None:
    scores = np.array(draws(6, 9)).reshape(3, 3)

    def found(runs: Iterable[RunRecord]) -> dict[object, int]:
        return {design: len(rows) for design, rows in variance_components(frame(runs)).groupby("design", sort=False)}

    several = grid(arm, scores) + grid(arm, scores, ("dropout", "subset"), init=2)
    assert found(several) == {"init x order": 4, "dropout x subset, init=2": 4}
    # Two grids that differ in a third stream are a cube: each of its planes is a grid.
    cube = grid(arm, scores[:, :2]) + grid(arm, scores[:, :2], dropout=4)
    planes = ["init x order", "init x order, dropout=4", "init x dropout", "init x dropout, order=1"]
    assert found(cube) == dict.fromkeys(planes, 4)


def test_a_grid_beyond_what_can_be_decomposed_says_so(arm: Any, frame: Any) -> None:
    table = variance_components(frame(grid(arm, np.random.default_rng(0).random((32, 32)))))
    assert (table["note"] == "more than 1000 runs").all()
    assert table[MEASURED].isna().all(axis=None)
    assert (table["runs"] == 1024).all()


def test_the_figures_depend_on_the_cell_alone(arm: Any, frame: Any) -> None:
    scores = np.array(draws(7, 9)).reshape(3, 3)
    runs = grid(arm, scores) + arm(USUAL, draws(1))
    others = arm("init", draws(2), technique="mixout") + arm(USUAL, draws(3), technique="mixout", task="imdb")
    whole = variance_components(frame([*others, *reversed(runs)]))
    part = whole[whole["technique"] == "adamw"].reset_index(drop=True)
    pd.testing.assert_frame_equal(part, variance_components(frame(runs)), check_exact=True)
    assert set(whole["technique"]) == {"adamw", "mixout"}


def test_other_settings_are_other_cells(arm: Any, frame: Any) -> None:
    runs = arm("init", draws(0)) + arm("init", draws(1), rate=1e-4) + arm(USUAL, draws(2), rate=1e-4)
    table = variance_components(frame(runs))
    assert sorted(table.groupby("label")["design"].unique().map(list)) == [["apart"], ["init+order+dropout+augment"]]


@pytest.mark.parametrize("held", [USUAL, {}, {"subset": 3}, dict.fromkeys(STREAMS, 0)])
def test_runs_of_which_nothing_varies_in_turn_give_an_empty_table(arm: Any, frame: Any, held: Any) -> None:
    table = variance_components(frame(arm(held, draws(0))))
    assert table.empty
    assert list(table.columns) == list(COMPONENT_COLUMNS)
    assert list(variance_components(frame([])).columns) == list(COMPONENT_COLUMNS)


def test_ordinary_runs_are_those_of_the_leaderboard(arm: Any, frame: Any) -> None:
    kept = [*arm(USUAL, draws(0)), *arm("all", draws(1)), *arm({"augment": 1, "subset": 0}, draws(2))]
    arms = [run for name in ("init", "order+init", "dropout+init+subset") for run in arm(name, draws(3))]
    found = ordinary(frame([*arms, *kept]))
    assert found["run_id"].tolist() == [run.run_id for run in kept]
    pd.testing.assert_frame_equal(cells(found), cells(frame(kept)))
    assert ordinary(frame(arms)).empty
    assert list(ordinary(frame([])).columns) == list(frame([]).columns)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{", "a run's spec is not a JSON object"),
        ("[]", "a run's spec is not a JSON object"),
        ("{}", "does not say which of init, order, dropout, augment, subset are frozen"),
        ('{"frozen": {"head": 0}}', "does not say which of"),
        ('{"frozen": {"init": "0"}}', "does not say which of"),
    ],
)
def test_a_spec_that_tells_no_frozen_streams_is_refused(record: Any, frame: Any, spec: str, message: str) -> None:
    runs = frame([dataclasses.replace(record(0), spec=spec)])
    for read in (variance_components, ordinary):
        with pytest.raises(BadStore, match=message):
            read(runs)


ARMS = [*(dict(arm) for arm in parse_vary("init,order,init+order,order+dropout,all,initxorder,subset", (0, 1))), USUAL]
OUTCOMES = st.tuples(st.sampled_from([str(s) for s in Status]), st.sampled_from([0.7, 0.75, 0.8]))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(ARMS), st.integers(0, 3), OUTCOMES), min_size=1, max_size=25))
def test_no_mixture_of_arms_and_outcomes_is_left_without_a_figure_or_a_reason(
    record: Any, frame: Any, mixture: Iterable[Any]
) -> None:
    made = [frozen(record(seed, score, status=status), held) for held, seed, (status, score) in mixture]
    runs = frame({run.run_id: run for run in made}.values())
    table = variance_components(runs)
    assert not table.duplicated([*CELL_ID, "design", "source"]).any()
    unknown = table[table["variance"].isna()]
    assert (unknown["note"] != "").all()
    known = table[table["variance"].notna() & (table["source"] != "rest")]
    assert (known["low"].isna() | (known["low"] <= known["high"])).all()
    judged = runs["status"].isin([str(s) for s in Status if s.completed]).sum()
    assert ((table["runs"] + table["failed"]) <= judged).all()
