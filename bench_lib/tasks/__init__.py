"""The tasks, by name."""

from __future__ import annotations

from bench_lib.errors import BenchError
from bench_lib.registry import Registry
from bench_lib.tasks.base import Task
from bench_lib.tasks.cola import COLA
from bench_lib.tasks.conll2003 import CONLL2003
from bench_lib.tasks.imdb import IMDB
from bench_lib.tasks.mrpc import MRPC
from bench_lib.tasks.rte import RTE
from bench_lib.tasks.squad import SQUAD
from bench_lib.tasks.sst2 import SST2

__all__ = ["TASKS"]


def check_task(task: object, where: str) -> None:
    """Raise `BenchError` for what is not a task."""
    if not isinstance(task, Task):
        raise BenchError(f"the task {where} is not a bench_lib.tasks.base.Task")


TASKS: Registry[Task] = Registry("task", "stabbench.tasks", check_task)

TASKS.add(IMDB.name, IMDB)
TASKS.add(SST2.name, SST2)
TASKS.add(CONLL2003.name, CONLL2003)
TASKS.add(SQUAD.name, SQUAD)
TASKS.add(RTE.name, RTE)
TASKS.add(MRPC.name, MRPC)
TASKS.add(COLA.name, COLA)
