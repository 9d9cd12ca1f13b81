"""A sweep that is begun with one executor, continued with another and finished with a third, into one bucket."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench_lib.core.spec import canonical_json
from bench_lib.executors import InlineExecutor
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Address, Store, verify

LIMIT = 300.0
PROGRAM = """
import sys
from bench_lib.cli import main

if __name__ == "__main__":
    sys.exit(main())
"""


def contents(store: Store) -> list[str]:
    """All that must not depend on who trained: the results, and the predictions to the bit."""
    found = []
    for record in store.records():
        predictions = store.predictions(record.run_id)
        assert predictions is not None
        found.append(canonical_json([record.result(), predictions.values.tobytes().hex()]))
    return found


@pytest.mark.exhaustive
def test_one_sweep_on_three_executors_into_a_bucket_is_that_of_one_process(
    data_folder: Path, bucket: Address, tmp_path: Path
) -> None:
    pytest.importorskip("ray")
    pytest.importorskip("submitit")
    grid = Grid(("sst2",), ("adamw", "llrd"), (0, 1, 2), "smoke", "tiny", str(data_folder))
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}

    def command(*options: str) -> str:
        names = {"tasks": "sst2", "techniques": "adamw,llrd", "seeds": "0-2", "profile": grid.profile}
        names |= {"model": grid.model, "data": grid.data, "store": str(bucket)}
        asked = [part for name, value in names.items() for part in (f"--{name}", value)]
        done = subprocess.run(
            [sys.executable, program, "run", *asked, *options],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=LIMIT,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    store, counts = Store(bucket), []
    for options in (
        ("--executor", "local", "--workers", "2", "--max-runs", "2"),
        ("--executor", "ray", "--address", "local", "--max-runs", "2"),
        ("--executor", "slurm", "--cluster", "local", "--submissions", "jobs"),
    ):
        command(*options)
        counts.append(len(store.ids()))
    assert counts == [2, 4, 6]
    inline = Store(tmp_path / "inline")
    run_suite(grid, inline, InlineExecutor())
    assert contents(store) == contents(inline)
    assert verify(store) == []
    assert {record.attempts for record in store.records()} == {1}
