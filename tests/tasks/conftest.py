from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.tasks.sources import load

ROWS: dict[str, list[dict[str, Any]]] = {
    "imdb": [{"text": "A bore.<br />", "label": 0}, {"text": "A joy — truly.", "label": 1}],
    "conll2003": [{"tokens": ["EU", "rejects", "Peter", "Blackburn"], "ner_tags": ["B-ORG", "O", "B-PER", "I-PER"]}],
    "squad": [
        {
            "id": "a1",
            "title": "Notre_Dame",
            "context": "It was built in 1879 by the Fathers.",
            "question": "When was it built?",
            "answers": {"text": ["1879", "in 1879"], "answer_start": [16, 13]},
        }
    ],
    "rte": [{"sentence1": "It rained.", "sentence2": "It was wet.", "label": 0, "idx": 0}],
}


@pytest.fixture
def nothing_remembered() -> Iterator[None]:
    """Data that other tests loaded is forgotten, before and after."""
    load._load.cache_clear()
    yield
    load._load.cache_clear()


@pytest.fixture
def rows() -> dict[str, list[dict[str, Any]]]:
    """A few good rows for a task of each kind, in the hub's columns."""
    return {name: [dict(row) for row in rows] for name, rows in ROWS.items()}


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str, str, list[dict[str, Any]]], Path]:
    """Write rows as `<tmp_path>/<task>/<split>.parquet`."""

    def write_rows(task: str, split: str, rows: list[dict[str, Any]]) -> Path:
        path = tmp_path / task / f"{split}.parquet"
        path.parent.mkdir(exist_ok=True)
        pq.write_table(pa.Table.from_pylist(rows), path)
        return path

    return write_rows
