"""Data from the Hugging Face hub, at the task's pinned revision, through `datasets` and its cache."""

from __future__ import annotations

from typing import Any

from bench_lib.core.errors import Unavailable
from bench_lib.core.extras import optional
from bench_lib.tasks.sources.local import LAYOUT, wanted
from bench_lib.tasks.task import Task


def read_split(task: Task, split: str) -> list[dict[str, Any]]:
    """The rows of one split, in the columns `wanted`; `Unavailable` where the hub cannot be reached."""
    check_on_hub(task)
    try:
        return _load(task, split)
    # Offline switches, sockets, proxies, gates, renamed data sets, a full disk: every layer below has types of its own.
    except Exception as error:
        raise _explained(task, f"{task.hub_id}, split {split}", error) from error


def split_names(task: Task) -> list[str]:
    """The names of the splits on the hub; `Unavailable` where it cannot be reached."""
    check_on_hub(task)
    try:
        with optional("datasets"):
            import datasets

        names: list[str] = datasets.get_dataset_split_names(task.hub_id, task.hub_config, revision=task.revision)
    except Exception as error:
        raise _explained(task, f"the splits of {task.hub_id}", error) from error
    return names


def check_on_hub(task: Task) -> None:
    """Raise `Unavailable` for a task that names no data set of the hub."""
    if not task.hub_id:
        raise Unavailable(
            f"task {task.name} names no data set of the hub (its hub_id is empty); use `--data DIR` with a folder of "
            f"your own ({LAYOUT}, columns {', '.join(task.columns)})"
        )


def _explained(task: Task, what: str, error: Exception) -> Unavailable:
    cause = str(error) if isinstance(error, Unavailable) else f"{type(error).__name__}: {error}"
    return Unavailable(
        f"{what}, at {task.revision[:8]} could not be loaded from the hub ({cause}); "
        f"ways out: `--data DIR` with a folder of your own ({LAYOUT}, "
        f"columns {', '.join(task.columns)}), or, where there is a corpus, `--data embedded`, without a network"
    )


def _load(task: Task, split: str) -> list[dict[str, Any]]:
    with optional("datasets"):
        import datasets  # most of a second, and no other source needs it

    loaded = datasets.load_dataset(task.hub_id, task.hub_config, split=split, revision=task.revision)
    rows: list[dict[str, Any]] = loaded.select_columns(wanted(task, loaded.column_names)).to_list()
    return rows
