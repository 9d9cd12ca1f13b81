"""A digest of what each column of a row group holds, so that what is read is known to be what was written.

Parquet's own checksums cover the pages' data; headers of pages and the footer have none.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

KEY = b"stabbench_digest"
_BYTES = 8


def column_digest(column: pa.ChunkedArray) -> bytes:
    """The first 8 bytes of the SHA-256 of a column: its length, which values are missing, and the others' bytes.

    It depends on the values alone: neither on chunks and offsets nor on what lies where a value is missing.
    """
    content = hashlib.sha256()
    _feed(content, column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays([*column.chunks, _empty(column)]))
    return content.digest()[:_BYTES]


def table_digest(table: pa.Table) -> bytes:
    """The digests of a table's columns, one after another."""
    return b"".join(column_digest(column) for column in table.columns)


def stamp(version: int, groups: Sequence[bytes]) -> dict[bytes, bytes]:
    """The digests of a file's row groups as metadata, with the version of its schema, which is text of its own too."""
    return {KEY: b"%d:%s" % (version, base64.b64encode(b"".join(groups)))}


class Digests(NamedTuple):
    """What the metadata of a file say of its columns, by row group."""

    version: str
    groups: tuple[bytes, ...]
    names: tuple[str, ...]

    @classmethod
    def read(cls, text: bytes, groups: int, names: Sequence[str]) -> Digests:
        """The digests of a file of so many row groups and these columns; `ValueError` unless there are as many."""
        version, _, encoded = text.partition(b":")
        try:
            content = base64.b64decode(encoded, validate=True)
        except binascii.Error as error:
            raise ValueError(f"its digests cannot be read: {error}") from error
        each = _BYTES * len(names)
        if len(content) != groups * each:
            raise ValueError(f"it has {groups} row groups and {len(content)} bytes of digests, {each} for each")
        parts = tuple(content[place : place + each] for place in range(0, len(content), each))
        return cls(version.decode(errors="replace"), parts, tuple(names))

    def check(self, table: pa.Table, group: int) -> None:
        """Raise `ValueError` for a column of a row group that is not what was written."""
        for name, column in zip(table.column_names, table.columns, strict=True):
            place = _BYTES * self.names.index(name)
            if column_digest(column) != self.groups[group][place : place + _BYTES]:
                raise ValueError(f"column {name} is not what was written")


def _empty(column: pa.ChunkedArray) -> pa.Array:
    return pa.array([], column.type)


def _feed(content: Any, array: pa.Array) -> None:
    if array.null_count:
        valid = array.is_valid().to_numpy(zero_copy_only=False)
        content.update(b"%d of %d:" % (array.null_count, len(array)) + np.packbits(valid).tobytes())
        array = array.drop_null()
    content.update(b"%d:" % len(array))
    if not len(array):
        return
    kind, buffers, first, last = array.type, array.buffers(), array.offset, array.offset + len(array)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        width = kind.bit_width // 8
        content.update(memoryview(buffers[1])[first * width : last * width])
        return
    offsets = np.frombuffer(buffers[1], np.int64 if pa.types.is_large_list(kind) else np.int32)[first : last + 1]
    content.update(np.diff(offsets).astype("<i8").tobytes())
    begin, end = int(offsets[0]), int(offsets[-1])
    if pa.types.is_string(kind):
        content.update(memoryview(buffers[2] or b"")[begin:end])
        return
    for part in (array.keys, array.items) if pa.types.is_map(kind) else (array.values,):
        _feed(content, part.slice(begin, end - begin))
