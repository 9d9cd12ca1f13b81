"""Data from the Hugging Face hub, at the task's pinned revision, through `datasets` and its cache."""

from __future__ import annotations

from typing import Any

from bench_lib.errors import Unavailable
from bench_lib.tasks.base import Task
from bench_lib.tasks.local import LAYOUT, wanted


def read_split(task: Task, split: str) -> list[dict[str, Any]]:
    """The rows of one split, in the columns `wanted`; a hub that is not reached raises `Unavailable`."""
    try:
        return _load(task, split)
    # Offline switches, sockets, proxies, gates, renamed data sets, a full disk: every layer below has types of its own.
    except Exception as error:
        raise Unavailable(
            f"{task.hub_id}, split {split}, at {task.revision[:8]} could not be loaded from the hub "
            f"({type(error).__name__}: {error}); ways out: `--data DIR` with a folder of your own ({LAYOUT}, "
            f"columns {', '.join(task.columns)}), or, for the four main tasks, `--data embedded`, without a network"
        ) from error


def _load(task: Task, split: str) -> list[dict[str, Any]]:
    # Most of a second to import, and no other source needs it.
    import datasets

    loaded = datasets.load_dataset(task.hub_id, task.hub_config, split=split, revision=task.revision)
    rows: list[dict[str, Any]] = loaded.select_columns(wanted(task, loaded.column_names)).to_list()
    return rows
