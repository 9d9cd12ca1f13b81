"""Tasks by name, or by the file or folder of a user's own."""

from __future__ import annotations

import os
from pathlib import Path

from bench_lib.core.errors import BadData, BadValue, check_path
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.own.reading import own_data
from bench_lib.tasks.task import Task


def find_task(text: str) -> Task:
    """The registered task of a name, or a user's own, whose text is a path: with a slash, or the end `.toml`.

    Raises `UnknownName` for another name, and `BenchError` for what is wrong with a task of one's own.
    """
    if not is_path(text):
        return TASKS.get(text)
    task = own_data(absolute(text)).task
    if task.name in TASKS:
        raise BadValue(f"name of the task in {text}", task.name, "one that no registered task has: name = ...")
    return task


def is_path(text: str) -> bool:
    """Whether a text names the file or folder of a user's own task; no task has a name with these signs."""
    return "/" in text or "\\" in text or text.endswith(".toml")


def absolute(text: str) -> str:
    """The full path of a file or folder, which does not depend on the working directory."""
    check_path("task", text)
    try:
        return os.path.normpath(Path(text).expanduser().absolute())
    except (OSError, RuntimeError) as error:  # a home that nobody has, a working directory that is gone
        raise BadData(f"task {text!r} cannot be followed: {error}") from error
