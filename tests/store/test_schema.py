from __future__ import annotations

import dataclasses
import math
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions, RunRecord, Status
from bench_lib.store.schema import (
    PREDICTIONS,
    RUNS,
    predictions_table,
    to_predictions,
    to_records,
    to_table,
)

Make = Callable[..., RunRecord]

BESIDE = {"predictions", "weights"}
ODD_NAN = struct.unpack("<d", struct.pack("<Q", 0xFFF8_0000_0000_0123))[0]
BARE = RunRecord("a1", "a1", "sst2", "adamw", "tiny", "smoke", "embedded", 0, "{}", "crashed")


def _bits(values: tuple[float, ...]) -> bytes:
    return struct.pack(f"<{len(values)}d", *values)


def test_the_columns_are_those_of_a_record_without_what_has_files_of_its_own() -> None:
    assert RUNS.names == list(BARE.columns())
    assert not BESIDE & set(RUNS.names)


def test_the_schema_is_versioned() -> None:
    assert RUNS.metadata == PREDICTIONS.metadata == {b"stabbench_schema": b"5"}


def test_columns_that_may_be_none_are_those_of_the_record() -> None:
    assert {column.name for column in RUNS if column.nullable} == {n for n, v in BARE.columns().items() if v is None}


def test_a_full_and_a_bare_record_come_back(make: Make) -> None:
    assert to_records(to_table([make(3), BARE])) == [make(3), BARE]


def test_a_status_is_stored_as_its_text() -> None:
    (record,) = to_records(to_table([dataclasses.replace(BARE, status=Status.OOM)]))
    assert record.status == "oom"
    assert type(record.status) is str


def test_maps_do_not_depend_on_the_order_in_which_they_were_filled() -> None:
    one = dataclasses.replace(BARE, metrics={"a": 1.0, "b": 2.0})
    other = dataclasses.replace(BARE, metrics={"b": 2.0, "a": 1.0})
    assert to_table([one]).equals(to_table([other]))


@settings(deadline=None)
@given(st.lists(st.floats(width=64) | st.sampled_from([ODD_NAN, math.inf, -math.inf, -0.0]), max_size=5).map(tuple))
def test_every_float_keeps_its_bits(values: tuple[float, ...]) -> None:
    metrics = {str(place): value for place, value in enumerate(values)}
    (record,) = to_records(to_table([BARE.changed({"curve_loss": values, "metrics": metrics})]))
    assert _bits(record.curve.loss) == _bits(values)
    assert _bits(tuple(record.metrics[name] for name in metrics)) == _bits(values)


def test_a_score_that_is_nan_is_not_none() -> None:
    nan, none = to_records(to_table([dataclasses.replace(BARE, score=math.nan), BARE]))
    assert nan.score is not None
    assert math.isnan(nan.score)
    assert none.score is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("seed", "3"),
        ("seed", 1.5),
        ("eval_step", (1, 1.5)),
        ("seed", 2**63),
        ("task", 7),
        ("task", None),
        ("reason", "\ud800"),
        ("score", "0.5"),
        ("metrics", {"accuracy": "high"}),
        ("metrics", {"accuracy": [0.5]}),
        ("curve_loss", (0.5, None)),
        ("curve_loss", None),
        ("clipped_steps", 1.5),
        ("drift", (0.5, None)),
        ("provenance", {"seed": 1}),
        ("provenance", {"gpu": None}),
    ],
)
def test_a_value_that_does_not_fit_its_column_is_refused_by_name(field: str, value: Any) -> None:
    with pytest.raises(BadStore, match=field):
        to_table([BARE.changed({field: value})])


@pytest.mark.parametrize("lengths", [None, np.array([2, 0, 4])])
def test_predictions_come_back_bit_for_bit(make: Make, lengths: np.ndarray | None) -> None:
    values = np.array([[1, np.nan], [np.inf, -np.inf], [-0.0, 1e-45], [0.1, 2], [3, 4], [5, 6]], np.float32)
    found = to_predictions(predictions_table(make(predictions=Predictions(values, lengths))))
    assert found.values.dtype == np.float32
    assert found.values.shape == (6, 2)
    assert found.values.tobytes() == values.tobytes()
    assert (found.lengths is None) == (lengths is None)
    assert lengths is None or np.array_equal(found.lengths, lengths)


def test_predictions_of_no_rows_keep_their_width(make: Make) -> None:
    found = to_predictions(predictions_table(make(predictions=Predictions(np.zeros((0, 3), np.float32)))))
    assert found.values.shape == (0, 3)


@pytest.mark.parametrize("order", ["F", "strided"])
def test_predictions_in_any_memory_order_are_stored_by_rows(make: Make, order: str) -> None:
    values = np.arange(12, dtype=np.float32).reshape(4, 3)
    given_values = np.asfortranarray(values) if order == "F" else np.repeat(values, 2, axis=0)[::2]
    found = to_predictions(predictions_table(make(predictions=Predictions(given_values))))
    assert np.array_equal(found.values, values)


@pytest.mark.parametrize(
    ("predictions", "says"),
    [
        (None, "no predictions"),
        (Predictions(np.zeros((2, 2))), "float64"),
        (Predictions(np.zeros(2, np.float32)), r"\(2,\)"),
        (Predictions(np.zeros((2, 0), np.float32)), r"\(2, 0\)"),
        (Predictions(np.zeros((3, 2), np.float32), np.array([1, 1])), "add up to 2, not to its 3 rows"),
    ],
)
def test_predictions_of_another_shape_are_refused(make: Make, predictions: Predictions | None, says: str) -> None:
    with pytest.raises(BadStore, match=says):
        predictions_table(make(predictions=predictions))
