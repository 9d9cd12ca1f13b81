"""Parquet files written whole or not at all, and read with every damage noticed."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.core.errors import BadStore
from bench_lib.store.damage import Damaged, Gone, State, damage_named, reading, state, writing
from bench_lib.store.digest import KEY, Digests, stamp, table_digest
from bench_lib.store.migrate import SEALED, check_schema, migrated, version_of
from bench_lib.store.objects import Address, Location
from bench_lib.store.schema import VERSION

GROUP = 4096
"""Rows of a row group at most: a digest is of a row group, so that so many are held to check it."""

_LONGEST = 200
_IN_MEMORY = 2**20
"""Bytes up to which a file is read whole before it is decoded."""
_NAMED_BY_CONTENT = re.compile(r".*-([0-9a-f]{12})\.parquet")


def safe(label: str) -> str:
    """A label as part of a file name: all but letters, digits and `+=.,_-` is encoded; a long one ends in a hash."""
    name = quote(label, safe="+=.,_-").replace("~", "%7E")
    if len(name) <= _LONGEST:
        return name
    return f"{name[:_LONGEST]}-{hashlib.sha256(label.encode()).hexdigest()[:12]}"


def single_file(top: Location, task: str, technique: str, run_id: str) -> Location:
    """Where below `runs` or `predictions` the file of a single run stands."""
    return top / f"task={safe(task)}" / f"technique={safe(technique)}" / f"{run_id}.parquet"


def stage(folder: Location, tables: Iterable[pa.Table], schema: pa.Schema, compact: bool = False) -> Path:
    """Write tables, each as row groups of its own, to a temporary file for `put_in_place` or `put_newer`.

    The bytes depend on the tables and the version of pyarrow alone; in a folder the content is on the disk on return.
    """
    with writing(folder):
        path = temporary(folder)
        try:
            with path.open("xb") as sink:
                _write(sink, tables, schema, compact)
                sink.flush()
                if isinstance(folder, Path):
                    os.fsync(sink.fileno())
        except BaseException:
            path.unlink(missing_ok=True)
            raise
    return path


def temporary(folder: Location, stem: str = "") -> Path:
    """A new name for a file on its way into a folder, which is made; into a bucket it comes from this machine's own."""
    if isinstance(folder, Address):
        return Path(tempfile.gettempdir()) / f"stabbench-{uuid4().hex}.tmp"
    folder.mkdir(parents=True, exist_ok=True)
    return folder / f".{stem}{uuid4().hex}.tmp"


def put_in_place(staged: Path, target: Location) -> None:
    """Give a temporary file its name, in place of what stands there."""
    if isinstance(target, Path):
        staged.replace(target)
        return
    try:
        target.write_bytes(staged.read_bytes())
    finally:
        staged.unlink()


def put_newer(staged: Path, target: Location, schema: pa.Schema, attempts: int) -> bool:
    """Give the temporary file of one run its name; whether it stands there then.

    In a bucket, where several machines may put the same run, the one of an earlier attempt is replaced, and the first
    of several of the same attempt stays. In a folder the last one stays.
    """
    if isinstance(target, Path):
        staged.replace(target)
        return True
    content = staged.read_bytes()
    staged.unlink()
    while True:
        try:
            target.create(content)
        except FileExistsError:
            with suppress(Gone):
                tag = _tag(target)
                if _attempts(target, schema) >= attempts:
                    return False
                if target.swap(content, tag):
                    return True
        else:
            return True


def _tag(target: Address) -> str:
    try:
        return target.stat().tag
    except FileNotFoundError:
        raise Gone(target) from None


def _attempts(target: Address, schema: pa.Schema) -> int:
    """The attempts of the run in a file; 0 where it is damaged."""
    try:
        return max(read(target, schema, ["attempts"])["attempts"].to_pylist(), default=0)
    except Damaged:
        return 0


def _size(file: BinaryIO) -> int:
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    return size


def _write(sink: BinaryIO, tables: Iterable[pa.Table], schema: pa.Schema, compact: bool) -> None:
    digests: list[bytes] = []
    with pq.ParquetWriter(sink, schema, write_page_checksum=True, **_encoding(schema, compact)) as writer:
        for table in tables:
            for part in _parts(table, GROUP):
                writer.write_table(part, row_group_size=max(part.num_rows, 1))
                digests.append(table_digest(part.select(schema.names)))
        writer.add_key_value_metadata(stamp(VERSION, digests))


def _parts(table: pa.Table, rows: int) -> Iterator[pa.Table]:
    return (table.slice(start, rows) for start in range(0, max(table.num_rows, 1), rows))


def _encoding(schema: pa.Schema, compact: bool) -> dict[str, Any]:
    # A single run reads twice as fast plain; dictionaries pay off for text that many rows share.
    shared = [field.name for field in schema if field.type == pa.string()]
    return {
        "compression": "zstd" if compact else "none",
        "use_dictionary": shared if compact else False,
        "write_statistics": False,
    }


class Opened:
    """An open file of the declared schema in any version; whatever is read of it is checked by its digests."""

    def __init__(self, path: Location, file: pq.ParquetFile, schema: pa.Schema) -> None:
        self.path = path
        self.file = file
        self.schema = schema
        with damage_named(path):
            self.names: list[str] = file.schema_arrow.names
            self.groups: int = file.num_row_groups
            self.digests = self._checked_schema()
            self.sizes = [file.metadata.row_group(group).num_rows for group in range(self.groups)]

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """All rows, or some columns of them, as they are stored."""
        with damage_named(self.path):
            table = self.file.read(self._stored(columns), use_threads=False)
            if self.digests is not None:
                start = 0
                for group, rows in enumerate(self.sizes):
                    self.digests.check(table.slice(start, rows), group)
                    start += rows
                if start != table.num_rows:
                    raise ValueError(f"it holds {table.num_rows} rows and names {start}")
            return table

    def group(self, number: int, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows of a row group, or some columns of them, as they are stored."""
        with damage_named(self.path):
            table = self.file.read_row_group(number, self._stored(columns), use_threads=False)
            if self.digests is not None:
                self.digests.check(table, number)
            return table

    def batches(self, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Some columns, so many rows at a time at most; of a file with digests no more than a row group is held."""
        if self.digests is not None:
            for number in range(self.groups):
                yield from _parts(self.group(number, columns), rows)
            return
        with damage_named(self.path):
            parts = self.file.iter_batches(rows, columns=self._stored(columns), use_threads=False)
        while True:
            with damage_named(self.path):
                part = next(parts, None)
            if part is None:
                return
            yield pa.Table.from_batches([part])

    def _stored(self, columns: Sequence[str] | None) -> list[str] | None:
        """The columns that this version of the schema has; None for all, which is read faster than all by name."""
        if columns is None or len(columns) == len(self.schema.names):
            return None
        return [name for name in columns if name in self.names]

    def _checked_schema(self) -> Digests | None:
        metadata = self.file.metadata.metadata or {}
        text = metadata.get(KEY)
        if text is None:
            check_schema(self.file.schema_arrow, self.schema, str(self.path))
            if version_of(self.file.schema_arrow) >= SEALED:
                raise ValueError("it has no digests")
            return None
        digests = Digests.read(text, self.groups, self.names)
        stamped = version_of(self.file.schema_arrow)
        if str(stamped) != digests.version:
            raise ValueError(f"it says results schema {stamped}, and its digests {digests.version}")
        try:
            check_schema(self.file.schema_arrow, self.schema, "it" if stamped <= VERSION else str(self.path))
        except BadStore as error:
            # Digests say that we wrote it: such columns are no other program's.
            if stamped > VERSION:
                raise
            raise ValueError(str(error)) from error
        return digests


@contextmanager
def opened(path: Location, schema: pa.Schema) -> Iterator[Opened]:
    """A file of the declared schema in any version, opened; damage raises `Damaged`, another schema `BadStore`."""
    with reading(path) as file:
        source = pa.BufferReader(file.read()) if _size(file) <= _IN_MEMORY else file
        with damage_named(path):
            parquet = pq.ParquetFile(source, page_checksum_verification=True, pre_buffer=False)
        try:
            one = Opened(path, parquet, schema)
            if one.digests is None:
                check_name(path)
            yield one
        finally:
            parquet.close(force=True)


def check_name(path: Location) -> None:
    """Raise `Damaged` for a compacted file whose content is not that by which it is named."""
    named = _NAMED_BY_CONTENT.fullmatch(path.name)
    if named and not path.parent.name.startswith("technique="):
        found = _content(path, state(path))
        if found != named[1]:
            raise Damaged(path, f"its content is {found} and not what it is named by")


@lru_cache(maxsize=1024)
def _content(path: Location, state: State) -> str:
    # Read once in each state: a file of many runs is opened for each of them.
    with reading(path) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def read(path: Location, schema: pa.Schema, columns: list[str] | None = None) -> pa.Table:
    """All rows of a file, or some columns of them, in this version of the schema."""
    with opened(path, schema) as file:
        return migrated(file.read(columns), _wanted(schema, columns))


def batches(path: Location, schema: pa.Schema, columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Some columns of a file, so many rows at a time, in this version of the schema; at least one table."""
    wanted = _wanted(schema, columns)
    yield migrated(wanted.empty_table(), wanted)
    with opened(path, schema) as file:
        for part in file.batches(columns, rows):
            yield migrated(part, wanted)


def read_row(path: Location, schema: pa.Schema, row: int) -> pa.Table:
    """One row of a file with one row per row group, in this version of the schema."""
    with opened(path, schema) as file:
        return migrated(file.group(row), schema)


def _wanted(schema: pa.Schema, columns: Sequence[str] | None) -> pa.Schema:
    if columns is None or tuple(columns) == tuple(schema.names):
        return schema
    return pa.schema([schema.field(name) for name in columns])
