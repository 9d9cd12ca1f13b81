"""Ways to run jobs: one after another in this process, or in processes of their own."""

from bench_lib.executors.base import Done, Executor, Failure
from bench_lib.executors.inline import InlineExecutor
from bench_lib.executors.local import LocalExecutor

__all__ = ["Done", "Executor", "Failure", "InlineExecutor", "LocalExecutor"]
