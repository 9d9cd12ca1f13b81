"""Rows of a table from a file: Parquet, CSV, TSV, or JSON lines."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats.rows import Row

LARGEST_BLOCK = 2**30
"""Bytes of CSV that are read at a time; the library counts them in 32 bits."""

Select = Callable[[Sequence[str]], Sequence[str]]
"""The columns to keep, given those of the file."""


def read_rows(path: Path, select: Select = lambda present: present) -> list[Row]:
    """The rows of one file, in the selected columns; what cannot be read raises `BadData`.

    All values of CSV and TSV are texts. A mark of the byte order at the start of a file is left out.
    """
    if path.suffix.lower() not in READERS:
        raise BadData(f"{path} ends in {path.suffix!r}; files that can be read end in {', '.join(READERS)}")
    return READERS[path.suffix.lower()](path, select)


def _parquet(path: Path, select: Select) -> list[Row]:
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            _check_once(path, names)
            columns = list(select(names))
            rows: list[Row] = file.read(columns=columns).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadData(f"{path} cannot be read as Parquet ({error})") from error
    return rows


def _csv(path: Path, select: Select, delimiter: str = ",") -> list[Row]:
    content = _text(path).encode()
    if not content.strip():
        return []
    parse = pyarrow.csv.ParseOptions(delimiter=delimiter, newlines_in_values=True)
    serial = pyarrow.csv.ReadOptions(use_threads=False, block_size=min(len(content) + 1, LARGEST_BLOCK))
    try:
        names = pyarrow.csv.open_csv(pa.BufferReader(content), serial, parse).schema.names
        _check_once(path, names)
        columns = list(select(names))
        texts = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(names, pa.string()), include_columns=columns)
        rows: list[Row] = pyarrow.csv.read_csv(pa.BufferReader(content), serial, parse, texts).to_pylist()
    except pa.ArrowException as error:
        raise BadData(f"{path} cannot be read as a table with a head ({error})") from error
    return rows


def _tsv(path: Path, select: Select) -> list[Row]:
    return _csv(path, select, "\t")


def _json(path: Path, select: Select) -> list[Row]:
    """Objects, one on each line, or all of them in one list."""
    text = _text(path)
    if text.lstrip().startswith("["):
        objects = _parsed(path, text, "its list")
    else:
        # Not `splitlines`: other signs that it takes for ends of lines may stand in a text of JSON.
        lines = enumerate(text.split("\n"), 1)
        objects = [_parsed(path, line, f"line {number}") for number, line in lines if line.strip()]
    for number, row in enumerate(objects):
        if not isinstance(row, Mapping):
            raise BadData(f"{path}, row {number} (the first is 0) is {str(row)[:80]!r}; expected an object of JSON")
    return [{name: row[name] for name in select(list(row))} for row in objects]


def _parsed(path: Path, text: str, where: str) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        _check_once(f"{path}, {where}", [name for name, _ in pairs])
        return dict(pairs)

    try:
        found = json.loads(text, object_pairs_hook=once)
        if "\\ud" in text.lower():  # an escaped half of a surrogate pair, which is no text, would pass
            json.dumps(found, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise BadData(f"{path}, {where} is no JSON ({error}); expected an object on each line") from error
    return found


def _text(path: Path) -> str:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadData(f"{path} cannot be read ({error})") from error
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise BadData(
            f"{path} is not UTF-8: byte 0x{content[error.start]:02x} in line {line}; save it as UTF-8"
        ) from error


def _check_once(where: Path | str, names: Sequence[str]) -> None:
    """Raise `BadData` for columns that are there twice."""
    if twice := [name for name, count in Counter(names).items() if count > 1]:
        raise BadData(f"{where} has the column {twice[0]!r} more than once; rename or remove one")


READERS: Mapping[str, Callable[[Path, Select], list[Row]]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".tsv": _tsv,
    ".jsonl": _json,
    ".ndjson": _json,
    ".json": _json,
}
"""How files are read, by the ends of their names."""
