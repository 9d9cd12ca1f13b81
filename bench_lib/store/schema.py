"""The declared Arrow schemas of runs and of predictions, and the conversions to and from plain records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa

from bench_lib.core.record import LATENCIES, Predictions, RunRecord
from bench_lib.store.damage import Unstorable

VERSION = 4
"""Raised with what a file holds: `migrate` says what each version added and reads the earlier ones."""

VERSION_KEY = b"stabbench_schema"
METADATA = {VERSION_KEY: str(VERSION).encode()}

_TEXT = ("run_id", "training_id", "task", "technique", "model", "profile", "data_source")
_COUNTS = ("steps", "tokens", "examples", "parameters", "trainable_parameters", "forward_passes", "backward_passes")
_CURVES = (
    "curve_loss",
    "curve_learning_rate",
    "curve_grad_norm",
    "curve_grad_norm_first",
    "curve_grad_norm_last",
)


def _given(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


def _optional(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=True)


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


RUNS = pa.schema(
    [
        *(_given(name, pa.string()) for name in _TEXT),
        _given("seed", pa.int64()),
        *(_given(name, pa.string()) for name in ("spec", "status", "reason")),
        _given("attempts", pa.int64()),
        _given("metric", pa.string()),
        _optional("score", pa.float64()),
        _optional("trivial_score", pa.float64()),
        _given("metrics", pa.map_(pa.string(), pa.float64())),
        *(_given(name, pa.int64()) for name in _COUNTS),
        *(_given(name, _list(pa.float64())) for name in _CURVES),
        _optional("grad_norm_max", pa.float64()),
        *(_optional(name, pa.int64()) for name in ("clipped_steps", "nonfinite_steps")),
        _given("drift", _list(pa.float64())),
        *(_optional(name, pa.float64()) for name in ("robust_score", "adversarial_score")),
        *(_optional(name, pa.int64()) for name in ("saved_bytes", "uncompressed_bytes")),
        _optional("sparsity", pa.float64()),
        _given("reported", pa.map_(pa.string(), pa.float64())),
        _given("eval_step", _list(pa.int64())),
        _given("eval_score", _list(pa.float64())),
        *(_given(name, pa.float64()) for name in ("setup_seconds", "train_seconds", "eval_seconds")),
        *(_optional(name, pa.float64()) for name in ("tokens_per_second", "examples_per_second", *LATENCIES)),
        _optional("peak_memory_bytes", pa.int64()),
        _given("provenance", pa.map_(pa.string(), pa.string())),
    ],
    METADATA,
)
"""One row a run: every field of `RunRecord` but the predictions and the weights, in its order."""

PREDICTIONS = pa.schema(
    [
        _given("run_id", pa.string()),
        _given("attempts", pa.int64()),
        _given("width", pa.int32()),
        _given("values", pa.large_list(_given("element", pa.float32()))),
        _optional("lengths", _list(pa.int64())),
    ],
    METADATA,
)
"""One row a run: `values` holds (rows, width) in row-major order."""


def to_table(records: Sequence[RunRecord]) -> pa.Table:
    """Records as rows; a value that its column cannot hold exactly raises `Unstorable`."""
    columns = [_column(column, [_stored(getattr(r, column.name)) for r in records]) for column in RUNS]
    return pa.Table.from_arrays(columns, schema=RUNS)


def to_records(table: pa.Table) -> list[RunRecord]:
    """Rows of the runs' schema as records, without their predictions and weights."""
    return [RunRecord(**{k: _plain(v) for k, v in row.items()}) for row in table.to_pylist(maps_as_pydicts="strict")]


def predictions_table(record: RunRecord) -> pa.Table:
    """A record's predictions as one row; `Unstorable` unless they are (rows, width) float32 and the lengths fit."""
    found = record.predictions
    if found is None:
        raise Unstorable(f"run {record.run_id} has no predictions to store")
    values = found.values
    if values.dtype != np.float32 or values.ndim != 2 or values.shape[1] < 1:
        what = f"{values.dtype} {values.shape}"
        raise Unstorable(f"predictions of run {record.run_id} are {what}; allowed: float32 (rows, width)")
    if found.lengths is not None and int(found.lengths.sum()) != len(values):
        raise Unstorable(
            f"lengths of run {record.run_id} add up to {found.lengths.sum()}, not to its {len(values)} rows"
        )
    lengths = None if found.lengths is None else found.lengths.tolist()
    row = [record.run_id, record.attempts, values.shape[1], values.ravel(), lengths]
    columns = [_column(column, [value]) for column, value in zip(PREDICTIONS, row, strict=True)]
    return pa.Table.from_arrays(columns, schema=PREDICTIONS)


def to_predictions(table: pa.Table) -> Predictions:
    """The predictions in a table of one row."""
    values = np.array(table["values"][0].values, dtype=np.float32)
    lengths = table["lengths"][0]
    return Predictions(
        values.reshape(-1, table["width"][0].as_py()),
        np.array(lengths.values, dtype=np.int64) if lengths.is_valid else None,
    )


def _column(column: pa.Field, values: list[Any]) -> pa.Array:
    try:
        array = pa.array(values, column.type)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise Unstorable(f"field {column.name} cannot be stored as {column.type}: {error}") from error
    leaves = _leaves(array)
    if (array.null_count and not column.nullable) or (leaves is not array and leaves.null_count):
        raise Unstorable(f"field {column.name} is or holds None; allowed: {column.type}")
    if pa.types.is_integer(leaves.type):
        _refuse_fractions(column, values)
    return array


def _refuse_fractions(column: pa.Field, values: list[Any]) -> None:
    # Arrow would cut them off without a word.
    for value in _flat(values):
        if not isinstance(value, Integral | None):
            raise Unstorable(f"field {column.name} holds {value!r}; allowed: {column.type}")


def _leaves(array: pa.Array) -> pa.Array:
    if pa.types.is_map(array.type):
        return array.items
    return array.flatten() if pa.types.is_nested(array.type) else array


def _flat(values: list[Any]) -> Iterator[Any]:
    for value in values:
        yield from value if isinstance(value, (tuple, list)) else (value,)


def _stored(value: Any) -> Any:
    # Sorted keys, so that the same record is the same bytes however its maps were filled.
    return sorted(value.items()) if hasattr(value, "items") else value


def _plain(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value
