"""Data from a folder of files, `<folder>/<task>/<split>.parquet` or another kind, in the hub's own columns."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats.rows import Row
from bench_lib.tasks.sources.split_files import files_by_split, files_of
from bench_lib.tasks.sources.tables import READERS, read_rows
from bench_lib.tasks.task import Task

LAYOUT = "<folder>/<task>/<split>.parquet"
"""As messages name it; the other kinds of `READERS` are read as well."""


def split_paths(folder: Path, task: Task, split: str) -> tuple[Path, ...]:
    """The files of one split; where there are none, `BadData` with the contents of the last folder that exists."""
    found = files_of(split, files_by_split(folder / task.name))
    if found:
        return found
    others = ", ".join(suffix for suffix in READERS if suffix != ".parquet")
    path = folder / task.name / f"{split}.parquet"
    for step in (folder, path.parent, path):
        if not step.exists():
            why = f"no {step}, which task {task.name} needs ({LAYOUT}, or {others})"
            raise BadData(f"{why}; {holdings(step.parent)}")
    raise BadData(f"{path} is no regular file; task {task.name} needs one ({LAYOUT})")


def split_names(folder: Path, task: Task) -> list[str]:
    """The splits with a file in the folder."""
    return list(files_by_split(folder / task.name))


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


def read_split(path: Path, task: Task) -> list[Row]:
    """The rows of one file, in the columns `wanted`; a file that cannot be read raises `BadData`.

    A label that is a text, as all values of CSV are, is read by its name or its index.
    """
    try:
        rows = read_rows(path, lambda present: wanted(task, present))
    except BadData as error:
        raise BadData(f"{error}; expected the columns {', '.join(task.columns)}") from error
    target, read, labels = task.columns[-1], task.format.read_target, task.labels
    return [{**row, target: read(row[target], labels)} if isinstance(row.get(target), str) else row for row in rows]
