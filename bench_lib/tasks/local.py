"""Data from a folder of Parquet files, `<folder>/<task>/<split>.parquet`, in the hub's own columns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.errors import BadData
from bench_lib.tasks.base import Task

LAYOUT = "<folder>/<task>/<split>.parquet"


def split_path(folder: Path, task: Task, split: str) -> Path:
    """The file of one split; where there is none, `BadData` says what stands there instead."""
    path = folder / task.name / f"{split}.parquet"
    for step in (folder, path.parent, path):
        if not step.exists():
            raise BadData(f"no {step}, which task {task.name} needs ({LAYOUT}); {holdings(step.parent)}")
    return path


def holdings(folder: Path, limit: int = 12) -> str:
    """What a folder holds, in words."""
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{folder} holds {', '.join(names[:limit]) or 'nothing'}{more}"


def read_split(path: Path, task: Task) -> list[dict[str, Any]]:
    """The rows of one file, in those of the task's columns that it has; a file that is not Parquet raises `BadData`."""
    try:
        with pq.ParquetFile(path) as file:
            present = [column for column in task.columns if column in file.schema_arrow.names]
            rows: list[dict[str, Any]] = file.read(columns=present).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        expected = f"a Parquet file with the columns {', '.join(task.columns)}"
        raise BadData(f"{path} cannot be read ({error}); expected {expected}") from error
    return rows
