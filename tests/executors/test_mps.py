"""The daemon of CUDA MPS, of which a script stands in the place: no GPU is used here."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from bench_lib.core.errors import BadValue, BenchError
from bench_lib.executors import LocalExecutor, Settings, make_executor
from bench_lib.executors.devices import VARIABLE
from bench_lib.executors.mps import CONTROL, served

DAEMON = """#!/bin/sh
if test "$1" = -d; then
    echo "started with devices ${CUDA_VISIBLE_DEVICES-none}" >> "$TOLD"
    mkfifo "$CUDA_MPS_PIPE_DIRECTORY/control"
else
    read word && echo "$word" >> "$TOLD" && rm "$CUDA_MPS_PIPE_DIRECTORY/control"
fi
"""
FAILING = """#!/bin/sh
echo "An instance of this daemon is already running" > "$CUDA_MPS_LOG_DIRECTORY/control.log"
exit 1
"""


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Puts a script in the place of the program, and returns the file that it writes to."""
    told = tmp_path / "told"
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    monkeypatch.setenv("TOLD", str(told))
    monkeypatch.setenv(VARIABLE, "2")

    def make(text: str) -> Path:
        (tmp_path / CONTROL).write_text(text)
        (tmp_path / CONTROL).chmod(0o755)
        return told

    return make


def test_it_serves_until_the_end_and_is_shown_all_devices(daemon: Callable[[str], Path]) -> None:
    told = daemon(DAEMON)
    with served() as found:
        pipes = Path(found["CUDA_MPS_PIPE_DIRECTORY"])
        assert (pipes / "control").exists()
        assert told.read_text() == "started with devices none\n"
    assert told.read_text() == "started with devices none\nquit\n"
    assert not pipes.exists()
    assert "CUDA_MPS_PIPE_DIRECTORY" not in os.environ


def test_one_that_does_not_start_is_told_with_its_reason(daemon: Callable[[str], Path]) -> None:
    daemon(FAILING)
    with pytest.raises(BenchError, match=r"MPS cannot be started: .*already running"), served():
        pass
    with pytest.raises(BenchError, match="MPS cannot be started"):
        next(LocalExecutor(2, mps=True).run(str, [1]))


def test_workers_find_it_and_it_ends_after_the_last_job(daemon: Callable[[str], Path], jobs: ModuleType) -> None:
    told = daemon(DAEMON)
    results = LocalExecutor(2, mps=True).run(os.getenv, ["CUDA_MPS_PIPE_DIRECTORY", VARIABLE])
    found = {done.job: done.result for done in results}
    assert found[VARIABLE] == "2"
    assert not Path(found["CUDA_MPS_PIPE_DIRECTORY"]).exists()
    assert told.read_text().endswith("quit\n")


def test_jobs_that_are_left_end_before_it_does(daemon: Callable[[str], Path], jobs: ModuleType) -> None:
    told = daemon(DAEMON)
    results = LocalExecutor(2, mps=True).run(jobs.nap, [0.0, 60.0])
    assert next(results).result == 0.0
    results.close()  # type: ignore[attr-defined]  # a generator
    assert told.read_text().endswith("quit\n")


def test_it_is_an_option_where_there_is_a_gpu_and_the_program(
    daemon: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon(DAEMON)
    made = make_executor("local", Settings(workers_per_gpu=2, mps="on"))
    assert made == LocalExecutor(2, 86_400.0, imports="bench_lib.executors.libraries", mps=True)
    assert make_executor("local", Settings(mps="off")) == make_executor("local", Settings())
    with pytest.raises(BadValue, match="--mps is 'yes'; allowed: on or off"):
        make_executor("local", Settings(mps="yes"))
    with pytest.raises(BadValue, match="mps of the executor inline is 'on'; allowed: none; the executor local takes"):
        make_executor("inline", Settings(mps="on"))
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    with pytest.raises(BenchError, match=f"--mps on: there is no {CONTROL} on this machine"):
        make_executor("local", Settings(mps="on"))
    monkeypatch.setenv(VARIABLE, "")
    with pytest.raises(BadValue, match="--mps is 'on'; allowed: off, since no GPU is visible"):
        make_executor("local", Settings(mps="on"))
