"""The registry of tasks: every file in `bench_lib/tasks/datasets` defines one, imported when it is asked for."""

from __future__ import annotations

from types import ModuleType

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import Registry
from bench_lib.tasks.task import Task

__all__ = ["STANDARD", "TASKS"]

STANDARD = ("imdb", "sst2", "conll2003", "squad", "rte", "mrpc", "cola")
"""The tasks that `all` stands for with real data; the others, which follow by name, run where they are named."""


def check_task(task: object, where: str) -> None:
    """Raise `BenchError` for what is not a task."""
    if not isinstance(task, Task):
        raise BenchError(f"the task {where} is not a bench_lib.tasks.task.Task")


def tasks_in(module: ModuleType) -> list[Task]:
    """The tasks that a module defines."""
    return [value for value in vars(module).values() if isinstance(value, Task)]


TASKS: Registry[Task] = Registry("task", "stabbench.tasks", check_task)
TASKS.scan(f"{__name__}.datasets", tasks_in, STANDARD)
