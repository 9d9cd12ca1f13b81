from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench_lib.core.errors import BadValue, BenchError
from bench_lib.executors import Done, Executor, LocalExecutor
from bench_lib.executors.process import THREADS, Worker

LIMIT = 60.0
"""Seconds after which a job of these tests counts as lost."""


def test_every_job_comes_back_once_in_whatever_order(jobs: ModuleType) -> None:
    executor: Executor = LocalExecutor(2, LIMIT)
    done = list(executor.run(jobs.square, range(20)))
    assert sorted(done, key=lambda one: one.job) == [Done(n, n * n) for n in range(20)]


def test_a_slow_job_does_not_hold_up_the_others(jobs: ModuleType) -> None:
    done = list(LocalExecutor(2, LIMIT).run(jobs.nap, [1.5, 0.0, 0.1]))
    assert done[-1] == Done(1.5, 1.5)


def test_no_jobs_start_no_process(jobs: ModuleType) -> None:
    assert list(LocalExecutor(2).run(jobs.square, [])) == []
    assert multiprocessing.active_children() == []


def test_a_job_is_asked_for_when_a_worker_is_free(jobs: ModuleType) -> None:
    asked: list[int] = []
    results = LocalExecutor(2, LIMIT).run(jobs.square, (asked.append(job) or job for job in range(6)))
    assert asked == []
    seen = 0
    for seen, _ in enumerate(results, 1):
        # Of two that ended together the second one is yet to come.
        assert len(asked) <= seen + 3
    assert (seen, asked) == (6, [*range(6)])


def test_jobs_that_raise_end_the_run_after_what_they_gave(jobs: ModuleType, tmp_path: Path) -> None:
    def few() -> Iterator[Path]:
        yield tmp_path / "marker"
        raise OSError("no more jobs")

    results = LocalExecutor(2, LIMIT).run(jobs.die_once, few())
    assert next(results).attempts == 2
    with pytest.raises(OSError, match="no more jobs"):
        next(results)
    assert multiprocessing.active_children() == []


def test_an_interrupt_while_a_job_is_asked_for_ends_the_run_at_once(jobs: ModuleType) -> None:
    def few() -> Iterator[float]:
        yield 60.0
        raise KeyboardInterrupt

    begin = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        next(LocalExecutor(2).run(jobs.nap, few()))
    assert time.monotonic() - begin < 20
    assert multiprocessing.active_children() == []


def test_a_job_whose_process_dies_is_tried_again_with_one_thread_too(jobs: ModuleType, tmp_path: Path) -> None:
    (done,) = LocalExecutor(1, LIMIT).run(jobs.die_once, [tmp_path / "marker"])
    assert done == Done(tmp_path / "marker", "1", None, attempts=2)


def test_a_job_that_always_dies_fails_alone(jobs: ModuleType) -> None:
    done = {one.job: one for one in LocalExecutor(2, LIMIT, retries=1).run(jobs.die_if_negative, [-1, 1, 2, 3])}
    assert [done[n] for n in (1, 2, 3)] == [Done(1, 1), Done(2, 2), Done(3, 3)]
    assert done[-1].failure is not None
    assert done[-1].failure.kind == "died"
    assert "signal 9 (Killed)" in done[-1].failure.message
    assert done[-1].attempts == 2


def test_a_process_that_leaves_with_a_code_is_a_death(jobs: ModuleType) -> None:
    (done,) = LocalExecutor(1, LIMIT, retries=0).run(jobs.leave, [7])
    assert done.failure is not None
    assert done.failure.kind == "died"
    assert "exit code 7" in done.failure.message


def test_a_process_that_leaves_as_if_all_were_well_is_a_death(jobs: ModuleType) -> None:
    ways = ["at once", "in a thread", "by a signal's handler", "with a child that holds the pipe"]
    codes = dict.fromkeys(ways, "exit code 0") | {"with its pipe closed": "closed its pipe"}
    begin = time.monotonic()
    done = {one.job: one for one in LocalExecutor(2, retries=0).run(jobs.leave_somehow, [*codes, "not", "at all"])}
    assert time.monotonic() - begin < 25
    assert (done.pop("not").result, done.pop("at all").result) == ("not", "at all")
    for how, says in codes.items():
        failure = done[how].failure
        assert failure is not None, how
        assert failure.kind == "died", how
        assert says in failure.message, how


def test_a_job_that_left_is_tried_again_at_once(jobs: ModuleType, tmp_path: Path) -> None:
    (done,) = LocalExecutor(1).run(jobs.leave_once, [tmp_path / "marker"])
    assert done == Done(tmp_path / "marker", True, None, attempts=2)


def test_a_module_that_leaves_when_it_is_imported_is_a_death(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "leaving.py").write_text(LEAVING)
    monkeypatch.syspath_prepend(str(tmp_path))
    (done,) = LocalExecutor(1, retries=1).run(import_module("leaving").double, [2])
    assert done.failure is not None
    assert (done.failure.kind, done.attempts) == ("died", 2)


def test_a_process_that_ends_after_its_result_loses_nothing(jobs: ModuleType) -> None:
    done = list(LocalExecutor(2, LIMIT, retries=0).run(jobs.leave_afterwards, range(4)))
    assert sorted(done, key=lambda one: one.job) == [Done(n, n) for n in range(4)]


def test_the_copy_of_a_worker_that_forks_has_no_say(jobs: ModuleType) -> None:
    assert list(LocalExecutor(1, LIMIT, retries=0).run(jobs.fork, range(4))) == [Done(n, n) for n in range(4)]


def test_a_retired_worker_is_replaced_after_its_result(jobs: ModuleType) -> None:
    done = list(LocalExecutor(1, LIMIT).run(jobs.process, [False, True, False, False]))
    first, second, third, fourth = (one.result for one in done)
    assert first == second != third == fourth
    assert [one.attempts for one in done] == [1, 1, 1, 1]


def test_a_job_over_the_limit_is_stopped_and_not_tried_again(jobs: ModuleType) -> None:
    begin = time.monotonic()
    done = {one.job: one for one in LocalExecutor(2, time_limit=1.0).run(jobs.nap, [30.0, 0.0, 0.01])}
    assert time.monotonic() - begin < 20
    assert (done[0.0].result, done[0.01].result) == (0.0, 0.01)
    failure = done[30.0].failure
    assert failure is not None
    assert (failure.kind, failure.message, done[30.0].attempts) == ("timeout", "no result within 1.0 s", 1)


@pytest.mark.parametrize(
    ("function", "says"),
    [
        ("raise_picky", "PickyError: 3 in the soup"),
        ("system_exit", "SystemExit: 3"),
        ("local_function", "pickle local object"),
        ("unloadable", "not a number"),
    ],
)
def test_what_raises_or_does_not_pickle_fails_alone(jobs: ModuleType, function: str, says: str) -> None:
    (done,) = LocalExecutor(1, LIMIT).run(getattr(jobs, function), [3])
    assert done.failure is not None
    assert done.failure.kind == "raised"
    assert says in done.failure.message
    assert done.attempts == 1


def test_a_job_that_does_not_pickle_fails_alone(jobs: ModuleType) -> None:
    def local() -> None:
        pass

    done = list(LocalExecutor(1, LIMIT).run(jobs.length, [local, "four"]))
    assert [one.result for one in done] == [None, 4]
    assert done[0].failure is not None
    assert "pickle" in done[0].failure.message


def test_a_job_may_be_larger_than_a_pipe(jobs: ModuleType) -> None:
    done = list(LocalExecutor(2, LIMIT).run(jobs.length, ["x" * 1_000_000] * 3))
    assert [one.result for one in done] == [1_000_000] * 3


def test_workers_have_one_thread_before_they_import_anything(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    for done in LocalExecutor(1, LIMIT).run(jobs.environment, list(THREADS)):
        assert done.result == ("1", "1")
    assert os.environ["OMP_NUM_THREADS"] == "7"


def test_the_environment_of_a_worker_is_its_own(jobs: ModuleType) -> None:
    given = {"STABBENCH_TEST": "given", "OMP_NUM_THREADS": "5"}
    (done,) = LocalExecutor(1, LIMIT, environment=given).run(jobs.environment, ["STABBENCH_TEST"])
    assert done.result == ("1", "given")
    assert "STABBENCH_TEST" not in os.environ


def test_the_initializer_runs_in_the_workers(jobs: ModuleType) -> None:
    (done,) = LocalExecutor(1, LIMIT, initializer=jobs.initialise).run(jobs.environment, ["STABBENCH_TEST"])
    assert done.result == ("1", "prepared")
    assert "STABBENCH_TEST" not in os.environ


def test_a_failed_initializer_is_told_by_every_job(jobs: ModuleType) -> None:
    done = list(LocalExecutor(1, LIMIT, initializer=jobs.bad_initialise).run(jobs.square, [1, 2]))
    messages = [one.failure.message for one in done if one.failure]
    assert len(messages) == 2
    assert all("nothing to initialise with" in message for message in messages)


def test_a_worker_that_dies_before_it_is_ready_is_replaced(jobs: ModuleType, tmp_path: Path) -> None:
    initializer = partial(jobs.die_once, tmp_path / "marker")
    done = list(LocalExecutor(1, LIMIT, initializer=initializer).run(jobs.square, [1, 2, 3]))
    assert sorted(one.result or 0 for one in done) == [1, 4, 9]
    assert max(one.attempts for one in done) == 2


def test_workers_that_never_get_ready_fail_their_jobs_in_the_end(jobs: ModuleType) -> None:
    initializer = partial(jobs.die_if_negative, -1)
    (done,) = LocalExecutor(1, LIMIT, retries=1, initializer=initializer).run(jobs.square, [1])
    assert done.failure is not None
    assert (done.failure.kind, done.attempts) == ("died", 2)


def test_a_worker_that_cannot_be_started_is_no_jobs_fault(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Worker] = []

    def start(*settings: Any) -> Worker:
        if started:
            raise OSError("no room for a process")
        started.append(Worker(*settings))
        return started[-1]

    monkeypatch.setattr("bench_lib.executors.local.Worker", start)
    done = list(LocalExecutor(2, LIMIT).run(jobs.square, [1, 2, 3]))
    assert sorted(done, key=lambda one: one.job) == [Done(1, 1), Done(2, 4), Done(3, 9)]
    with pytest.raises(BenchError, match="no worker process can be started: no room for a process"):
        next(LocalExecutor(2, LIMIT).run(jobs.square, [1]))


def test_closing_the_results_stops_the_workers_at_once(jobs: ModuleType) -> None:
    results = LocalExecutor(2).run(jobs.nap, [0.0, 60.0, 60.0, 60.0])
    assert next(results).job == 0.0
    assert len(multiprocessing.active_children()) == 2
    begin = time.monotonic()
    results.close()
    assert time.monotonic() - begin < 10
    assert multiprocessing.active_children() == []


@pytest.mark.exhaustive
def test_what_does_not_end_when_told_is_killed(jobs: ModuleType) -> None:
    (done,) = LocalExecutor(1, time_limit=1.0).run(jobs.ignore_the_end, [60.0])
    assert done.failure is not None
    assert done.failure.kind == "timeout"
    assert multiprocessing.active_children() == []


def test_a_job_that_is_stopped_tidies_up(jobs: ModuleType, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    results = LocalExecutor(2).run(jobs.leave_a_folder, [marker, tmp_path / "none" / "marker"])
    assert next(results).job == tmp_path / "none" / "marker"
    _until(marker.exists)
    results.close()
    assert not Path(marker.read_text()).exists()


def test_an_interrupt_while_waiting_stops_the_workers(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench_lib.executors.local.wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        next(LocalExecutor(2).run(jobs.nap, [60.0, 60.0]))
    assert multiprocessing.active_children() == []


def test_workers_of_a_program_have_one_thread_from_the_start_and_end_with_it(tmp_path: Path) -> None:
    program, notes = tmp_path / "sweep.py", tmp_path / "notes"
    notes.mkdir()
    program.write_text(SWEEP)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "7"}
    parent = subprocess.Popen([sys.executable, program, notes], env=environment)
    _until(lambda: any(notes.iterdir()))
    parent.kill()
    parent.wait()
    ((worker, threads),) = (path.name.split() for path in notes.iterdir())
    assert threads == "1"
    _until(lambda: not _alive(int(worker)))


def test_nothing_of_the_working_directory_is_executed(tmp_path: Path) -> None:
    """As for `stabbench`, whose own folder and not the working directory comes first where modules are looked for."""
    folder, program = tmp_path / "work", tmp_path / "bin" / "program"
    for path in (folder, program.parent):
        path.mkdir()
    for name in ("socket", "pickle", "numpy", "torch", "tempfile", "sitecustomize", "usercustomize", "multiprocessing"):
        (folder / f"{name}.py").write_text("import os; os.mkdir(__file__ + '-executed')")
    program.write_text(PROGRAM)
    paths = [str(Path(path).resolve()) for path in sys.path if path]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    environment.pop("PYTHONSAFEPATH", None)
    done = subprocess.run(
        [sys.executable, program], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout == "True\n"
    assert [path.name for path in folder.iterdir() if path.suffix != ".py"] == []


def test_results_that_nobody_waits_for_do_not_hold_up_the_end_of_a_program(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(ABANDONED)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, program], env=environment, check=True, timeout=LIMIT)


@pytest.mark.parametrize(("field", "value"), [("workers", 0), ("time_limit", 0.0), ("retries", -1)])
def test_settings_out_of_range_are_refused(field: str, value: float) -> None:
    with pytest.raises(BadValue, match=str(value)):
        LocalExecutor(**{"workers": 1, field: value})


LEAVING = """
import multiprocessing, os

if multiprocessing.parent_process():
    os._exit(0)

def double(number):
    return 2 * number
"""

PROGRAM = """
import numpy
from bench_lib.executors import LocalExecutor

def same(origin):
    import importlib.util, socket, tempfile
    import numpy
    return (numpy.__file__, importlib.util.find_spec("torch").origin) == origin

if __name__ == "__main__":
    import importlib.util
    (done,) = LocalExecutor(1).run(same, [(numpy.__file__, importlib.util.find_spec("torch").origin)])
    print(done.result)
"""

ABANDONED = """
import time
from bench_lib.executors import LocalExecutor

if __name__ == "__main__":
    results = LocalExecutor(2).run(time.sleep, [0.0, 300.0])
    next(results)
"""

SWEEP = """
import os, sys, time
from pathlib import Path

from bench_lib.executors import LocalExecutor

SEEN = os.environ.get("OMP_NUM_THREADS")

def note(folder):
    (folder / f"{os.getpid()} {SEEN}").touch()
    time.sleep(300)

if __name__ == "__main__":
    list(LocalExecutor(1).run(note, [Path(sys.argv[1])]))
"""


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LIMIT
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    # An orphan that ended stays a zombie where nobody reaps it.
    return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
