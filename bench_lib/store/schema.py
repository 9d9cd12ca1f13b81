"""The declared Arrow schemas of runs and of predictions, and the conversions to and from plain records."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
import pyarrow as pa

from bench_lib.core.record import COLUMNS, Predictions, RunRecord
from bench_lib.store.damage import Unstorable

VERSION = 5
"""Raised when the columns or the metadata of files change; `migrate` reads the earlier versions."""

VERSION_KEY = b"stabbench_schema"
METADATA = {VERSION_KEY: str(VERSION).encode()}


def _list(kind: pa.DataType) -> pa.DataType:
    return pa.list_(pa.field("element", kind, nullable=False))


_TYPES = {
    str: pa.string(),
    int: pa.int64(),
    float: pa.float64(),
    tuple[int, ...]: _list(pa.int64()),
    tuple[float, ...]: _list(pa.float64()),
    Mapping[str, str]: pa.map_(pa.string(), pa.string()),
    Mapping[str, float]: pa.map_(pa.string(), pa.float64()),
}

RUNS = pa.schema([pa.field(c.name, _TYPES[c.type], nullable=c.optional) for c in COLUMNS], METADATA)
"""One row a run: the columns that `RunRecord` declares."""


def _given(name: str, kind: pa.DataType) -> pa.Field:
    return pa.field(name, kind, nullable=False)


PREDICTIONS = pa.schema(
    [
        _given("run_id", pa.string()),
        _given("attempts", pa.int64()),
        _given("width", pa.int32()),
        _given("values", pa.large_list(_given("element", pa.float32()))),
        pa.field("lengths", _list(pa.int64())),
    ],
    METADATA,
)
"""One row a run: `values` holds (rows, width) in row-major order."""


def to_table(records: Sequence[RunRecord]) -> pa.Table:
    """Records as rows; a value that its column cannot hold exactly raises `Unstorable`."""
    columns = [_column(RUNS.field(c.name), [_stored(c.of(record)) for record in records]) for c in COLUMNS]
    return pa.Table.from_arrays(columns, schema=RUNS)


def to_records(table: pa.Table) -> list[RunRecord]:
    """Rows of the runs' schema as records, without their predictions and weights."""
    rows = table.to_pylist(maps_as_pydicts="strict")
    return [RunRecord.of({k: tuple(v) if isinstance(v, list) else v for k, v in row.items()}) for row in rows]


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
