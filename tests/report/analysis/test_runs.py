"""Runs as a report reads them: nothing that it says is lost, and curves are means of their parts."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.report.analysis import runs
from bench_lib.report.analysis.dynamics import DYNAMICS
from bench_lib.report.analysis.runs import POINTS, alike_maps, read, thinned
from bench_lib.report.cells import add_cell_ids
from bench_lib.store import Store, compact


def stored(root: Path, records: list[Any]) -> Store:
    made = Store(root)
    for record in records:
        made.append(record)
    return made


def test_a_curve_is_cut_down_to_means_of_its_parts() -> None:
    values = np.arange(32.0)
    (found,) = thinned(values, np.array([0, 32]))
    assert found.tolist() == [0.5 + 2 * i for i in range(16)]


def test_short_curves_repeat_and_empty_ones_are_unknown() -> None:
    found = thinned(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 0, 1, 4, 4]), points=6)
    assert found[1].tolist() == [1] * 6
    assert found[2].tolist() == [2, 2, 3, 3, 4, 4]
    assert np.isnan(found[[0, 3]]).all()


@given(st.lists(st.lists(st.floats(-1e3, 1e3), max_size=50), max_size=5))
def test_every_part_lies_within_its_curve(curves: list[list[float]]) -> None:
    offsets = np.cumsum([0, *map(len, curves)])
    found = thinned(np.array([x for curve in curves for x in curve]), offsets)
    assert found.shape == (len(curves), POINTS)
    for row, curve in zip(found, curves, strict=True):
        if curve:
            assert min(curve) - 1e-3 <= row.min() <= row.max() <= max(curve) + 1e-3
        else:
            assert np.isnan(row).all()


def test_a_loss_that_is_not_finite_spoils_its_own_part_alone() -> None:
    (found,) = thinned(np.array([*np.ones(31), math.inf]), np.array([0, 32]))
    assert np.isfinite(found[:-1]).all()
    assert not np.isfinite(found[-1])


def test_what_is_read_is_what_the_store_holds(tmp_path: Path, record: Any) -> None:
    records = [
        record(i, 0.7 + i / 100, t).changed(
            {
                "curve_loss": tuple(float(x) for x in range(20)),
                "curve_grad_norm": (1.0, 2.0, 50.0, 1.0),
                "eval_step": (1, 2),
                "eval_score": (0.5, 0.75),
                "drift": (0.1, 0.3),
                "clipped_steps": 1,
                "nonfinite_steps": 0,
                "provenance": {"torch": "2", "started": f"2026-01-0{i + 1}"},
            }
        )
        for i in range(3)
        for t in ("adamw", "mixout")
    ]
    store = stored(tmp_path / "s", records)
    found = read(store)
    whole = store.frame()
    for name in ("run_id", "seed", "status", "score", "train_seconds", "peak_memory_bytes"):
        assert found.frame[name].tolist() == whole[name].tolist()
    assert found.frame["fluctuation"].tolist() == [0.25] * 6
    assert found.frame["clipped"].tolist() == [0.25] * 6
    assert found.frame["explosions"].tolist() == [1] * 6
    assert found.frame["drift"].tolist() == pytest.approx([0.2] * 6)
    assert found.frame["vanishing"].isna().all()
    assert sorted(set(found.frame["started"])) == ["2026-01-01", "2026-01-02", "2026-01-03"]
    assert set(found.frame["provenance"]) == {'{"torch":"2"}'}
    assert "seed" not in json.loads(found.frame["spec"].iloc[0])
    assert found.frame["spec"].nunique() == 2
    assert found.loss.shape == (6, POINTS)
    labels = add_cell_ids(found.frame)[["label", "variant"]].astype(str)
    assert labels.equals(add_cell_ids(whole)[["label", "variant"]].astype(str))


def test_of_a_run_that_stands_twice_the_later_attempt_counts(tmp_path: Path, record: Any) -> None:
    store = stored(tmp_path / "s", [record(0, 0.5), record(1, 0.6)])
    compact(store)
    store.append(dataclasses.replace(record(1, 0.9), attempts=2))
    found = read(store).frame
    assert dict(zip(found["seed"], found["score"], strict=True)) == {0: 0.5, 1: 0.9}


def test_batches_change_nothing(tmp_path: Path, record: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    store = stored(tmp_path / "s", [record(i, 0.5, t) for i in range(5) for t in ("adamw", "mixout")])
    compact(store)
    before = read(store)
    monkeypatch.setattr("bench_lib.store.parquet.BATCH", 3)
    after = read(store)
    assert before.frame.astype(str).equals(after.frame.astype(str))
    assert np.array_equal(before.loss, after.loss, equal_nan=True)


def test_a_record_whose_curves_contradict_one_another_says_nothing(tmp_path: Path, record: Any) -> None:
    odd = record(0).changed({"curve_grad_norm": (1.0, 2.0), "clipped_steps": 7})
    found = read(stored(tmp_path / "s", [odd])).frame
    assert found[list(DYNAMICS)].isna().all(axis=None)


def test_an_empty_store_has_no_runs(tmp_path: Path) -> None:
    found = read(Store(tmp_path / "none"))
    assert found.frame.empty
    assert found.loss.shape == (0, POINTS)
    assert runs.PLAIN[0] in found.frame


PAIRS = st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from(["1", "2"])), max_size=3, unique_by=lambda p: p[0])


@given(st.lists(st.tuples(PAIRS, st.text("0123456789", max_size=2)), max_size=12), st.integers(0, 3))
def test_maps_are_alike_where_they_differ_in_the_left_out_key_alone(rows: list[Any], begin: int) -> None:
    filled = [[*pairs, ("started", date)] if date else pairs for pairs, date in rows]
    maps = pa.array(filled, pa.map_(pa.string(), pa.string()))[begin:]
    firsts, kinds = alike_maps(maps, "started")
    pairs = [own for own, _ in rows[begin:]]
    assert [pairs[firsts[kind]] for kind in kinds] == pairs
    assert [pairs[first] for first in firsts] == [own for place, own in enumerate(pairs) if own not in pairs[:place]]
