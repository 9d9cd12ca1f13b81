from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench_lib.cli.plan_option import declared
from bench_lib.core.errors import BenchError
from bench_lib.store import Store

NOTHING_THAT_TRAINS = """
import sys
from bench_lib.cli import main
main(["recommend", "--task-like", "sst2", "--store", sys.argv[1]])
sys.exit(" ".join({"torch", "transformers"} & sys.modules.keys()) or 0)
"""


def test_without_a_plan_nothing_is_loaded_that_trains(store: Path) -> None:
    done = subprocess.run([sys.executable, "-c", NOTHING_THAT_TRAINS, str(store)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout
    assert declared(None, Store(store)) is None


def test_a_plan_that_is_not_there_is_named(store: Path, tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"missing\.toml"):
        declared(tmp_path / "missing.toml", Store(store))
