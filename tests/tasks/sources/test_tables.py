from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadData
from bench_lib.tasks.sources.tables import read_rows

TEXTS = ["plain", 'with, comma and "quotes"', "two\nlines", "an end of a line for some: \u2028, and é", "NA", ""]


def written(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


@pytest.mark.parametrize("mark", ["", "\ufeff"], ids=["plain", "BOM"])
def test_all_kinds_of_files_give_the_same_texts(tmp_path: Path, mark: str) -> None:
    rows = [{"text": text, "label": "good"} for text in TEXTS]
    head = [("text", "label"), *((text, "good") for text in TEXTS)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "a.parquet")
    files = {
        "a.csv": "".join(f"{quoted(text)},{label}\n" for text, label in head),
        "a.tsv": "".join(f"{quoted(text)}\t{label}\r\n" for text, label in head),
        "a.jsonl": "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows) + "\n",
        "a.ndjson": "\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows),
        "a.json": json.dumps(rows),
    }
    for name, content in files.items():
        written(tmp_path / name, mark + content)
    for name in ("a.parquet", *files):
        assert read_rows(tmp_path / name) == rows, name


def test_values_of_csv_are_texts_and_those_of_json_are_what_they_are(tmp_path: Path) -> None:
    assert read_rows(written(tmp_path / "a.csv", "a,b,c\n1,true,2020-01-01\n")) == [
        {"a": "1", "b": "true", "c": "2020-01-01"}
    ]
    row = {"a": 1, "b": True, "c": "2020-01-01", "d": [1.5, None]}
    assert read_rows(written(tmp_path / "a.jsonl", json.dumps(row))) == [row]


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "a.json"])
def test_files_without_rows_have_none(tmp_path: Path, name: str) -> None:
    assert read_rows(written(tmp_path / name, "")) == []
    assert read_rows(written(tmp_path / "head.csv", "text,label\n")) == []
    assert read_rows(written(tmp_path / "list.json", "[]")) == []


def test_only_selected_columns_are_read(tmp_path: Path) -> None:
    def last(present: Any) -> list[str]:
        return [present[-1]]

    pq.write_table(pa.table({"a": [1], "b": [2]}), tmp_path / "a.parquet")
    assert read_rows(tmp_path / "a.parquet", last) == [{"b": 2}]
    assert read_rows(written(tmp_path / "a.csv", "a,b\n1,2\n"), last) == [{"b": "2"}]
    assert read_rows(written(tmp_path / "a.jsonl", '{"a": 1, "b": 2}'), last) == [{"b": 2}]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xlsx", "", r"a.xlsx ends in '.xlsx'; files that can be read end in .parquet, .csv, .tsv, .jsonl"),
        ("a.csv", b"text,label\nfine,1\ncaf\xe9,0\n", r"a.csv is not UTF-8: byte 0xe9 in line 3; save it as UTF-8"),
        ("a.jsonl", b'{"text": "caf\xe9"}', "a.jsonl is not UTF-8: byte 0xe9 in line 1"),
        ("a.csv", "text,label,text\n1,2,3\n", "a.csv has the column 'text' more than once; rename or remove one"),
        ("a.jsonl", '{"a": 1, "a": 2}', "a.jsonl, line 1 has the column 'a' more than once"),
        ("a.csv", "text,label\nfine\n", r"a.csv cannot be read as a table with a head \(.*Expected 2 columns, got 1"),
        ("a.jsonl", '{"a": 1}\n{"a": \n', "a.jsonl, line 2 is no JSON .*; expected an object on each line"),
        ("a.jsonl", '{"a": 1}\n3\n', r"a.jsonl, row 1 \(the first is 0\) is '3'; expected an object of JSON"),
        ("a.json", '[{"a": 1},', "a.json, its list is no JSON"),
        ("a.jsonl", '{"a": "\\ud83d"}', "a.jsonl, line 1 is no JSON .*surrogates not allowed"),
        ("a.json", "[" * 100_000, "a.json, its list is no JSON"),
        ("a.parquet", "text,label\n", "a.parquet cannot be read as Parquet"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    with pytest.raises(BadData, match=message):
        read_rows(written(tmp_path / name, content))


def test_columns_of_parquet_that_are_there_twice_are_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), tmp_path / "a.parquet")
    with pytest.raises(BadData, match="has the column 'a' more than once"):
        read_rows(tmp_path / "a.parquet")
