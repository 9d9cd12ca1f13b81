"""One executor's sweeps of runs that sleep, as a program: arguments in, a line of JSON out. `test_scale.py` runs it."""

from __future__ import annotations

import functools
import json
import sys
import time

import stubs

from bench_lib.executors import Settings, make_executor
from bench_lib.runner import sweep
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.progress import Progress
from bench_lib.store import Store, located

WORKERS = 2
EXECUTORS = {
    "inline": Settings(),
    "local": Settings(workers=WORKERS),
    "ray": Settings(workers=WORKERS, address="local"),
    "slurm": Settings(workers=WORKERS, cluster="local", runs_per_job=100_000, submissions="jobs"),
}


def measured(name: str, runs: int, seconds: float, root: str) -> dict[str, float]:
    """Seconds of planning, until every worker has made a run, of overhead a run after that, and from the last run on.

    Overhead is what the clock says beyond the sleep of the runs, shared among the workers.
    """
    workers = EXECUTORS[name].workers or 1
    ends: list[float] = []

    def told(progress: Progress) -> None:
        if progress.last is not None:
            ends.append(float(progress.last.provenance["ended"]))

    begin = time.time()
    specs = plan(Grid(("sst2",), ("adamw",), tuple(range(runs)), "smoke", "tiny"))
    planned = time.time()
    # Only what a sweep does for a run is replaced, here and where a job of a cluster is.
    sweep.execute = functools.partial(stubs.execute, seconds=seconds)
    sweep.work_off = functools.partial(stubs.work_off, seconds=seconds)
    done = sweep.sweep(specs, Store(located(root)), make_executor(name, EXECUTORS[name]), told, frozenset())
    over = time.time()
    assert done.statuses == {"converged": runs}, done.last
    ends.sort()
    first, last = ends[workers - 1], ends[-1]
    return {
        "runs": runs,
        "plan": planned - begin,
        "start": first - planned - seconds,
        "overhead": (last - first) / (runs - workers) - seconds / workers,
        "end": over - last,
    }


if __name__ == "__main__":
    print(json.dumps([measured(sys.argv[1], *cell) for cell in json.loads(sys.argv[2])]))
