"""The tasks, by name."""

from __future__ import annotations

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import Registry
from bench_lib.tasks.datasets.cola import COLA
from bench_lib.tasks.datasets.conll2003 import CONLL2003
from bench_lib.tasks.datasets.imdb import IMDB
from bench_lib.tasks.datasets.mrpc import MRPC
from bench_lib.tasks.datasets.rte import RTE
from bench_lib.tasks.datasets.squad import SQUAD
from bench_lib.tasks.datasets.sst2 import SST2
from bench_lib.tasks.task import Task

__all__ = ["TASKS"]


def check_task(task: object, where: str) -> None:
    """Raise `BenchError` for what is not a task."""
    if not isinstance(task, Task):
        raise BenchError(f"the task {where} is not a bench_lib.tasks.task.Task")


TASKS: Registry[Task] = Registry("task", "stabbench.tasks", check_task)

TASKS.add(IMDB.name, IMDB)
TASKS.add(SST2.name, SST2)
TASKS.add(CONLL2003.name, CONLL2003)
TASKS.add(SQUAD.name, SQUAD)
TASKS.add(RTE.name, RTE)
TASKS.add(MRPC.name, MRPC)
TASKS.add(COLA.name, COLA)
