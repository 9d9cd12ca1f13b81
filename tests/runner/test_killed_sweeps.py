"""A sweep as a program of its own, killed or stopped and begun again, until it is done."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from bench_lib.core.record import RunRecord
from bench_lib.executors import InlineExecutor
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Store
from bench_lib.store.compact import compact

GRID = Grid(("sst2", "conll2003"), ("adamw", "ema", "mixout"), (0, 1), "smoke", "tiny")
LIMIT = 120.0

PROGRAM = """
import signal
import sys
from bench_lib.cli import main

if __name__ == "__main__":
    # What a shell starts in the background does not hear Ctrl-C, and hands that on.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
"""


class Sweep:
    """`stabbench run` on the grid, in a session of its own, whose lines are read as they come."""

    def __init__(self, program: Path, data: str, *options: str) -> None:
        names = {"tasks": ",".join(GRID.tasks), "techniques": ",".join(GRID.techniques), "seeds": "0-1"}
        names |= {"profile": GRID.profile, "model": GRID.model, "data": data, "store": "results"}
        asked = [part for name, value in names.items() for part in (f"--{name}", value)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
        self.process = subprocess.Popen(
            [sys.executable, program, "run", *asked, *options],
            cwd=program.parent,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.family: set[psutil.Process] = set()

    def lines(self) -> Iterator[str]:
        """Its lines; who its processes are is noted with each."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.family.update(psutil.Process(self.process.pid).children(recursive=True))
            yield line

    def until(self, runs: int) -> None:
        """Wait for the lines of so many new runs; none means that the first is being run."""
        for line in self.lines():
            runs -= line.startswith("[")
            if runs < 1 and line.startswith(("[", "running")):
                return
        raise AssertionError(f"it ended early: {self.end()}")

    def kill(self) -> None:
        self.process.kill()
        self.process.communicate()

    def interrupt(self) -> None:
        """As Ctrl-C does: every process of the session hears it."""
        os.killpg(self.process.pid, signal.SIGINT)

    def end(self) -> tuple[int, str, str]:
        """Its exit code, and what else it wrote on either stream."""
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, out, err

    def all_gone(self) -> bool:
        _, alive = psutil.wait_procs(self.family, timeout=30)
        return not alive


@pytest.fixture(scope="module")
def grid(data_folder: Path) -> Grid:
    return dataclasses.replace(GRID, data=str(data_folder))


@pytest.fixture(scope="module")
def whole(grid: Grid, tmp_path_factory: pytest.TempPathFactory) -> list[RunRecord]:
    """The records of a sweep that nothing disturbed."""
    store = Store(tmp_path_factory.mktemp("whole"))
    run_suite(grid, store, InlineExecutor())
    return store.records()


@pytest.mark.exhaustive
def test_a_sweep_that_is_killed_and_stopped_is_the_same_in_the_end(
    whole: list[RunRecord], grid: Grid, tmp_path: Path
) -> None:
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    # That workers end with a parent that is killed is tested with the executors.
    killed = Sweep(program, grid.data)
    killed.until(1)
    killed.kill()
    assert killed.all_gone()
    stopped = Sweep(program, grid.data, "--executor", "local", "--workers", "1")
    stopped.until(0)
    stopped.interrupt()
    code, _, told = stopped.end()
    assert (code, told) == (130, "stabbench: stopped; what is stored is kept, the same command goes on\n")
    assert stopped.all_gone()
    store = Store(tmp_path / "results")
    assert 1 <= len(store.ids()) < len(whole)
    run_suite(grid, store, InlineExecutor())
    check(store.root, whole)


def check(root: Path, whole: list[RunRecord]) -> None:
    """Every record is there once, equal to that of a sweep that nothing disturbed; a compaction leaves nothing else."""
    store = Store(root)
    assert [record.result() for record in store.records()] == [record.result() for record in whole]
    assert len(list((root / "runs").rglob("*.parquet"))) == len(whole)
    for record in whole:
        ours = store.predictions(record.run_id)
        assert ours is not None
        assert record.predictions is None or (ours.values == record.predictions.values).all()
    compact(store)
    assert [record.result() for record in store.records()] == [record.result() for record in whole]
    left = [path for path in root.rglob("*") if path.is_file() and path.suffix != ".parquet"]
    assert left == []


def test_the_shape_of_the_grid_has_a_training_that_two_runs_share(whole: list[RunRecord]) -> None:
    assert len(whole) == 12
    assert len({record.training_id for record in whole}) == 8
