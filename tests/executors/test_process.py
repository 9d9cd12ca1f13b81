from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest

from bench_lib.executors import process


def test_starting_a_process_leaves_the_environment_as_it_was(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.delenv("MKL_NUM_THREADS", raising=False)
    before = dict(os.environ)
    started = process.start(jobs.square, (2,))
    assert dict(os.environ) == before
    started.join()
    assert started.exitcode == 0


def test_a_process_that_starts_does_not_hear_an_interrupt(jobs: ModuleType) -> None:
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    started = process.start(jobs.nap, (0.0,))
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
    os.kill(started.pid or 0, signal.SIGINT)
    started.join()
    assert started.exitcode == 0


def test_a_worker_ignores_an_interrupt_and_its_own_processes_do_not(jobs: ModuleType) -> None:
    worker = process.Worker(None)
    worker.give(pickle.dumps((jobs.interrupted, 0)), None)
    while (outcome := worker.outcome()) is None:
        time.sleep(0.01)
    assert outcome == (set(), None, False)
    worker.dismiss()
    assert worker.end_by(time.monotonic() + 30) == 0
    assert worker.gone()


FORKED = """
import os, sys
from bench_lib.executors import LocalExecutor
import forked_jobs

if __name__ == "__main__":
    # No second attempt: it would end a worker that is to leave its marks.
    executor = LocalExecutor(2, 60.0, retries=0, imports="slow_to_import")
    done = {one.job: one for one in executor.run(forked_jobs.loaded, ["one", "die", "two", "retire", "three"])}
    assert done["die"].failure.kind == "died" and "signal 9" in done["die"].failure.message, done["die"]
    assert all(done[name].result == "1 thread, loaded" for name in ("one", "two", "retire", "three")), done
    os.environ["HF_HOME"] = "elsewhere"
    (other,) = executor.run(forked_jobs.loaded, ["other"])
    assert other.result == "1 thread, not loaded", other
"""
FORKED_JOBS = """
import atexit, os, signal, sys
from pathlib import Path
from bench_lib.executors.worker import retire

def loaded(job):
    if job == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if job == "retire":
        retire()
    atexit.register(Path(f"left {job}").touch)
    return os.environ["OMP_NUM_THREADS"] + " thread, " + ("" if "slow_to_import" in sys.modules else "not ") + "loaded"
"""


@pytest.mark.skipif(not process.FORKS, reason="workers are forked on Linux without a GPU only")
def test_workers_are_forked_with_a_module_loaded_once_and_otherwise_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "slow_to_import.py").write_text("open('imports', 'a').write('once')")
    (tmp_path / "forked_jobs.py").write_text(FORKED_JOBS)
    (tmp_path / "program.py").write_text(FORKED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), str(Path.cwd())])}
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment, check=True, timeout=120)
    assert (tmp_path / "imports").read_text() == "once"
    assert {path.name for path in tmp_path.glob("left *")} == {
        f"left {n}" for n in ("one", "two", "retire", "three", "other")
    }


@pytest.mark.skipif(not process.FORKS, reason="workers are forked on Linux without a GPU only")
def test_a_process_that_cannot_be_forked_is_spawned(
    jobs: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fails(*_: object) -> None:
        raise OSError("AF_UNIX path too long")

    monkeypatch.setattr(process, "_imported", [])
    monkeypatch.setattr("multiprocessing.popen_forkserver.Popen._launch", fails)
    started = process.start(jobs.square, (2,), imports="json")
    started.join()
    assert started.exitcode == 0


@pytest.mark.exhaustive
@pytest.mark.skipif(not process.FORKS, reason="workers are forked on Linux without a GPU only")
def test_what_is_imported_for_all_workers_starts_no_thread() -> None:
    code = "import os, sys, bench_lib.executors.libraries; print(len(os.listdir('/proc/self/task')), *sys.modules)"
    environment = {**os.environ, **process.ENVIRONMENT}
    found = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    threads, *modules = found.stdout.split()
    assert threads == "1"
    assert {"torch", "peft", "transformers.modeling_utils"} <= {*modules}


@pytest.mark.skipif(sys.platform != "linux", reason="signals are blocked by thread")
@pytest.mark.parametrize("imports", ["noted", None])
@pytest.mark.parametrize("blocked", [set(), {int(signal.SIGINT)}])
def test_interrupts_are_blocked_while_the_first_process_starts_and_as_before_afterwards(
    tmp_path: Path, imports: str | None, blocked: set[int]
) -> None:
    (tmp_path / "noted.py").write_text(
        "import os, signal\n"
        "with open('told', 'a') as file:\n"
        "    print(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()), file=file)\n"
        "def nothing(): pass\n"
    )
    (tmp_path / "program.py").write_text(
        "import signal, sys\n"
        "from bench_lib.executors.process import start\n"
        "if __name__ == '__main__':\n"
        "    nothing = __import__('noted').nothing\n"
        f"    before = signal.pthread_sigmask(signal.SIG_BLOCK, {blocked!r})\n"
        f"    before |= {blocked!r}\n"
        f"    process = start(nothing, (), imports={imports!r})\n"
        "    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before\n"
        "    process.join()\n"
        "    sys.exit(process.exitcode)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *filter(None, sys.path)])}
    subprocess.run([sys.executable, "program.py"], cwd=tmp_path, env=environment, check=True, timeout=120)
    # First that of the program itself, which imports the function.
    told = (tmp_path / "told").read_text().split()
    assert told[0] == "False"
    assert {*told[1:]} == {"True"}
