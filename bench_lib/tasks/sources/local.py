"""Data from a folder of Parquet files, `<folder>/<task>/<split>.parquet`, in the hub's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.core.errors import BadData
from bench_lib.tasks.task import Task

LAYOUT = "<folder>/<task>/<split>.parquet"


def split_path(folder: Path, task: Task, split: str) -> Path:
    """The file of one split; where it is missing, `BadData` with the contents of the last folder that exists."""
    path = folder / task.name / f"{split}.parquet"
    for step in (folder, path.parent, path):
        if not step.exists():
            raise BadData(f"no {step}, which task {task.name} needs ({LAYOUT}); {holdings(step.parent)}")
    if not path.is_file():
        raise BadData(f"{path} is no regular file; task {task.name} needs one ({LAYOUT})")
    return path


def split_names(folder: Path, task: Task) -> list[str]:
    """The splits with a file in the folder."""
    return [path.stem for path in (folder / task.name).glob("*.parquet")]


def holdings(folder: Path, limit: int = 12) -> str:
    """The contents of a folder, for messages."""
    if not folder.is_dir():
        return f"there is no folder {folder} either"
    names = sorted(entry.name for entry in folder.iterdir() if not entry.name.startswith("."))
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return f"{folder} holds {', '.join(names[:limit]) or 'nothing'}{more}"


def wanted(task: Task, present: Sequence[str]) -> list[str]:
    """The columns to read: the task's, or, where one of them is missing, all columns, for the message."""
    return list(task.columns if set(task.columns) <= set(present) else present)


def read_split(path: Path, task: Task) -> list[dict[str, Any]]:
    """The rows of one file, in the columns `wanted`; a file that is not Parquet raises `BadData`."""
    try:
        with pq.ParquetFile(path) as file:
            rows: list[dict[str, Any]] = file.read(columns=wanted(task, file.schema_arrow.names)).to_pylist()
    except (pa.ArrowException, OSError, ValueError) as error:
        expected = f"a Parquet file with the columns {', '.join(task.columns)}"
        raise BadData(f"{path} cannot be read ({error}); expected {expected}") from error
    return rows
