"""Parquet files written whole or not at all, and read with every damage noticed."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.errors import BadStore
from bench_lib.store.migrate import check_schema, migrated

_LONGEST = 200


class Damaged(BadStore):
    """A file that is not readable Parquet from end to end."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path} is damaged: {why}")
        self.path = path
        self.why = why


def safe(label: str) -> str:
    """A label as part of a file name: all but letters, digits and `+=.,_-` is encoded; a long one ends in a hash."""
    name = quote(label, safe="+=.,_-").replace("~", "%7E")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(label.encode()).hexdigest()[:12]}"


def stage(folder: Path, tables: Iterable[pa.Table], schema: pa.Schema, compact: bool = False) -> Path:
    """Write tables, one row group each, to a temporary file in the folder, to be renamed by the caller.

    The bytes depend on the tables and the version of pyarrow alone; the content is on the disk on return.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f".{uuid4().hex}.tmp"
    try:
        with path.open("xb") as sink:
            with pq.ParquetWriter(sink, schema, write_page_checksum=True, **_encoding(schema, compact)) as writer:
                for table in tables:
                    writer.write_table(table, row_group_size=max(table.num_rows, 1))
            sink.flush()
            os.fsync(sink.fileno())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return path


def _encoding(schema: pa.Schema, compact: bool) -> dict[str, Any]:
    # A single run reads twice as fast plain; dictionaries pay off for text that many rows share.
    shared = [field.name for field in schema if field.type == pa.string()]
    return {
        "compression": "zstd" if compact else "none",
        "use_dictionary": shared if compact else False,
        "write_statistics": False,
    }


@contextmanager
def opened(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetFile]:
    """A file of the declared schema in any version, opened; damage raises `Damaged`, another schema `BadStore`."""
    with _damage_named(path), pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
        check_schema(file.schema_arrow, schema, str(path))
        yield file


def read(path: Path, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """All rows of a file, or some columns of them, in this version of the schema."""
    wanted = schema if columns is None else pa.schema([schema.field(name) for name in columns])
    with opened(path, schema) as file:
        stored = [name for name in wanted.names if name in file.schema_arrow.names]
        return migrated(file.read(stored, use_threads=False), wanted)


def batches(path: Path, schema: pa.Schema, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Some columns of a file, so many rows at a time, in this version of the schema; at least one table."""
    wanted = schema if tuple(columns) == tuple(schema.names) else pa.schema([schema.field(name) for name in columns])
    yield migrated(wanted.empty_table(), wanted)
    with opened(path, schema) as file:
        stored = [name for name in wanted.names if name in file.schema_arrow.names]
        for batch in file.iter_batches(rows, columns=stored, use_threads=False):
            yield migrated(pa.Table.from_batches([batch]), wanted)


def read_row(path: Path, schema: pa.Schema, row: int) -> pa.Table:
    """One row of a file with one row per row group, in this version of the schema."""
    with opened(path, schema) as file:
        return migrated(file.read_row_group(row, use_threads=False), schema)


@contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except (BadStore, MemoryError):
        raise
    except (pa.ArrowException, OSError) as error:
        # An OSError with a number comes from the system (no permission, no such file): the file itself may be sound.
        if isinstance(error, OSError) and error.errno is not None:
            raise
        raise Damaged(path, _first_line(error)) from error


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
