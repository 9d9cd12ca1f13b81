"""Files of earlier schema versions: their columns, and their rows as rows of this version."""

from __future__ import annotations

import pyarrow as pa

from bench_lib.core.errors import BadStore
from bench_lib.core.record import COLUMNS
from bench_lib.store.schema import METADATA, VERSION, VERSION_KEY

SINCE = {column.name: column.since for column in COLUMNS}
"""The version that added a column of runs; predictions have had the same columns in all versions."""

OLDEST = 1
SEALED = 4
"""The version from which on a file carries digests of its columns."""


def version_of(found: pa.Schema) -> int:
    """The version stamped on a file's schema, 0 if there is none."""
    text = _stamped(found)
    return int(text) if text.isdecimal() else 0


def check_schema(found: pa.Schema, declared: pa.Schema, origin: str) -> None:
    """Raise `BadStore` unless a file has the declared schema in a known version; a newer one is named as such."""
    text = _stamped(found)
    if text.isdecimal() and int(text) > VERSION:
        raise BadStore(
            f"{origin} has results schema {text}, this stabbench reads up to {VERSION}: "
            "upgrade stabbench (pip install --upgrade stabbench)"
        )
    if text not in map(str, range(OLDEST, VERSION + 1)):
        known = f"{OLDEST} to {VERSION}"
        raise BadStore(f"{origin} says results schema {text!r}, expected {known}: stabbench did not write this file")
    expected = as_of(int(text), declared)
    if not found.equals(expected, check_metadata=False):
        raise BadStore(f"{origin} has not the columns of results schema {text}: {_difference(found, expected)}")


def as_of(version: int, declared: pa.Schema) -> pa.Schema:
    """The declared schema as it was in a version: without the columns that were added later."""
    known = [field for field in declared if SINCE.get(field.name, OLDEST) <= version]
    return pa.schema(known, {VERSION_KEY: str(version).encode()})


def migrated(table: pa.Table, declared: pa.Schema) -> pa.Table:
    """A table of any version with all columns of the declared schema; columns that it lacks are null or empty.

    Existing columns stay bit-identical; nothing is cast.
    """
    if table.column_names == declared.names:
        return table.replace_schema_metadata(METADATA)
    stored = set(table.column_names)
    for field in declared:
        if field.name not in stored:
            table = table.append_column(field, _unrecorded(field, table.num_rows))
    return table.select(declared.names).replace_schema_metadata(METADATA)


def recorded(name: str, value: object) -> bool:
    """Whether the value of a column is known: None or empty in a column added later may mean that it is not."""
    return value not in (None, (), {}) or SINCE[name] == OLDEST


def _stamped(found: pa.Schema) -> str:
    text: bytes = (found.metadata or {}).get(VERSION_KEY, b"")
    return text.decode(errors="replace")


def _unrecorded(column: pa.Field, rows: int) -> pa.Array:
    return pa.array([None if column.nullable else []] * rows, column.type)


def _difference(found: pa.Schema, declared: pa.Schema) -> str:
    missing = sorted(set(declared.names) - set(found.names))
    unknown = sorted(set(found.names) - set(declared.names))
    shared = (name for name in declared.names if name in found.names)
    retyped = [name for name in shared if not found.field(name).equals(declared.field(name))]
    if not (missing or unknown or retyped):
        return "they stand in another order"
    return f"missing {missing}, unknown {unknown}, of another type {retyped}"
