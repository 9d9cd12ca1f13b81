"""Sweeps whose runs are made and stored by jobs of a cluster, which this process only watches."""

from __future__ import annotations

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from shutil import which
from typing import Any

import psutil
import pytest

from bench_lib.core.errors import BenchError
from bench_lib.core.record import Status
from bench_lib.core.spec import canonical_json
from bench_lib.executors import InlineExecutor
from bench_lib.executors.base import Detached, Done, Failure
from bench_lib.executors.slurm import Allocation, SlurmExecutor
from bench_lib.runner import detached
from bench_lib.runner.grid import Grid
from bench_lib.runner.limits import Limits
from bench_lib.runner.records import blank_record
from bench_lib.runner.shards import Shard
from bench_lib.runner.sweep import Progress, run_suite
from bench_lib.store import Address, Store, located, submissions
from bench_lib.store.submissions import common_folder

LIMIT = 300.0

PROGRAM = """
import signal
import sys
from bench_lib.cli import main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)
    sys.exit(main())
"""


class KilledError(BaseException):
    """What ends a job from outside."""


@dataclass
class Fake:
    """Trains nothing; its job is killed where a run begins whose number is among `deaths`."""

    deaths: set[int]
    begun: list[tuple[str, int]] = field(default_factory=list)

    def run(self, function: Any, jobs: Any) -> Generator[Any, None, None]:
        for job in jobs:
            self.begun += [(spec.technique(), spec.seed) for spec in job]
            if len(self.begun) - 1 in self.deaths:
                raise KilledError
            yield Done(job, [dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=0.75) for spec in job])


@dataclass
class Cluster:
    """Runs a job of its queue whenever it is asked which jobs live, in this process."""

    deaths: set[int] = field(default_factory=set)
    runs_per_job: int = 2
    at_a_time: int = 2
    tick: float = 0.001
    beside: Path | None = None
    before: Callable[[Shard], None] = lambda shard: None
    taken: Callable[[], bool] = lambda: True
    queue: dict[str, tuple[Any, Shard]] = field(default_factory=dict)
    failures: dict[str, Failure] = field(default_factory=dict)
    shards: list[Shard] = field(default_factory=list)
    limits: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.fake = Fake(self.deaths)

    def run(self, function: Any, jobs: Any) -> Any:
        raise AssertionError

    def inside(self) -> Fake:
        return self.fake

    def room(self, living: int) -> int:
        return self.at_a_time - living

    def submit(self, folder: Path, function: Any, calls: Sequence[Any], limit: int) -> list[str]:
        names = [f"{folder.name}-{place}" for place in range(len(calls))]
        self.queue.update({name: (function, call) for name, call in zip(names, calls, strict=True)})
        self.shards += calls
        self.limits.append(limit)
        return names

    def living(self, folder: Path, jobs: Sequence[str]) -> frozenset[str]:
        if self.queue and self.taken():
            name, (function, shard) = next(iter(self.queue.items()))
            try:
                self.before(shard)
                function(shard)
            except KilledError:
                self.failures[name] = Failure("died", "node fell")
            except Exception as error:
                self.failures[name] = Failure("raised", str(error))
            del self.queue[name]
        return frozenset(jobs) & self.queue.keys()

    def raised(self, folder: Path, job: str) -> Failure | None:
        return self.failures.get(job)

    def how_to_stop(self, jobs: Sequence[str]) -> str:
        return f"stop {len(jobs)}"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(scope="module")
def six(data_folder: Path) -> Grid:
    """Six runs of one task."""
    return Grid(("sst2",), ("adamw", "mixout"), (0, 1, 2), "smoke", "tiny", str(data_folder))


def attempts(store: Store) -> Counter[int]:
    return Counter(record.attempts for record in store.records())


def test_a_grid_is_made_in_shards_and_nothing_of_the_jobs_is_left(six: Grid, store: Store) -> None:
    cluster, seen = Cluster(), []
    assert isinstance(cluster, Detached)
    progress = run_suite(six, store, cluster, seen.append)
    assert (progress.finished, progress.left, progress.statuses) == (6, 0, {"converged": 6})
    assert [len(shard.specs) for shard in cluster.shards] == [2, 2, 2]
    assert cluster.limits[0] == 2
    assert [one.finished for one in seen] == [0, 1, 2, 3, 4, 5, 6]
    assert {one.last.run_id for one in seen if one.last} == store.ids()
    assert attempts(store) == {1: 6}
    assert {path.name for path in store.root.iterdir()} == {"runs"}
    assert run_suite(six, store, cluster).stored == 6
    assert len(cluster.shards) == 3


def test_runs_that_share_a_training_share_a_job(six: Grid, store: Store) -> None:
    cluster = Cluster(runs_per_job=3)
    run_suite(dataclasses.replace(six, techniques=("adamw", "ema", "mixout"), seeds=(0, 1)), store, cluster)
    shards = [Counter((spec.seed, spec.training().run_id()) for spec in shard.specs) for shard in cluster.shards]
    assert [sum(one.values()) for one in shards] == [3, 3]
    assert not shards[0].keys() & shards[1].keys()


def test_a_job_that_dies_costs_only_what_it_had_begun(six: Grid, store: Store) -> None:
    cluster = Cluster(deaths={1}, runs_per_job=3)
    progress = run_suite(six, store, cluster)
    assert (progress.finished, progress.statuses) == (6, {"converged": 6})
    assert attempts(store) == {1: 5, 2: 1}
    assert Counter(cluster.fake.begun).most_common(2)[0][1] == 2
    assert sum(Counter(cluster.fake.begun).values()) == 7
    assert not submissions(store.root)


def test_a_run_that_takes_its_job_with_it_is_given_up_and_the_rest_is_made(six: Grid, store: Store) -> None:
    one = dataclasses.replace(six, techniques=("adamw",), seeds=(0, 1))
    # The first run of whichever job: with one at a time that is always the same.
    cluster = Cluster(deaths={0, 1, 2}, runs_per_job=1, at_a_time=1)
    progress = run_suite(one, store, cluster)
    assert progress.statuses == {"crashed": 1, "converged": 1}
    lost = next(record for record in store.records() if record.status == "crashed")
    assert lost.attempts == 3
    assert lost.reason.startswith("its job on the cluster ended while it ran, 3 times; job ")
    assert lost.reason.endswith(": node fell")
    # Tried again it has all its attempts, and these are counted.
    progress = run_suite(one, store, Cluster(deaths={0}), retry=frozenset({Status.CRASHED}))
    assert progress.statuses == {"converged": 1}
    assert attempts(store) == {1: 1, 5: 1}


def test_a_job_that_the_cluster_begins_again_goes_on(six: Grid, store: Store) -> None:
    cluster = Cluster(runs_per_job=6)
    submit = cluster.submit

    def twice(folder: Path, function: Any, calls: Sequence[Any], limit: int) -> list[str]:
        def again(shard: Shard) -> None:
            try:
                function(shard)
            except KilledError:
                function(shard)

        return submit(folder, again, calls, limit)

    cluster.submit, cluster.fake.deaths = twice, {2}
    assert run_suite(six, store, cluster).statuses == {"converged": 6}
    assert len(cluster.shards) == 1
    assert attempts(store) == {1: 5, 2: 1}


def test_what_a_job_raises_is_told_at_once(six: Grid, store: Store) -> None:
    def other_version(shard: Shard) -> None:
        raise BenchError("the node far has stabbench 0.0.1")

    cluster = Cluster(before=other_version)
    with pytest.raises(BenchError, match=r"job .*-0: the node far has stabbench 0\.0\.1"):
        run_suite(six, store, cluster)
    # It is of that day: the same command tries again.
    assert run_suite(six, store, Cluster()).finished == 6


def test_jobs_that_never_begin_a_run_are_not_submitted_for_ever(six: Grid, store: Store) -> None:
    def cannot_begin(shard: Shard) -> None:
        raise KilledError

    cluster = Cluster(before=cannot_begin)
    with pytest.raises(BenchError, match=r"3 jobs in a row ended before .*node fell; is .*results the same folder"):
        run_suite(six, store, cluster)
    assert len(cluster.shards) <= 6


def test_jobs_go_on_when_the_watching_process_leaves(six: Grid, store: Store) -> None:
    calls: list[int] = []

    def leave(progress: Progress) -> None:
        if progress.finished == 1:
            raise KeyboardInterrupt

    cluster = Cluster(at_a_time=3)
    with pytest.raises(KeyboardInterrupt, match=r"left 2 jobs that go on .* the same command .* `stop 2` ends them"):
        run_suite(six, store, cluster, leave)
    assert len(submissions(store.root)) == 1
    # Come back, it recognises the jobs that live, and gives what they have to no others.
    cluster.taken = lambda: calls.append(1) is None and len(calls) > 3
    progress = run_suite(six, Store(store.root), cluster)
    assert (progress.stored, progress.finished, progress.left) == (2, 4, 0)
    assert len(cluster.shards) == 3
    assert sorted(cluster.fake.begun) == sorted({*cluster.fake.begun})
    assert attempts(store) == {1: 6}
    assert not submissions(store.root)


def test_jobs_that_died_meanwhile_are_found_dead(six: Grid, store: Store) -> None:
    def leave(progress: Progress) -> None:
        if progress.finished == 1:
            raise KeyboardInterrupt

    cluster = Cluster(at_a_time=3)
    with pytest.raises(KeyboardInterrupt):
        run_suite(six, store, cluster, leave)
    first = cluster.shards[1]
    first.journal.begun([first.specs[0].run_id()])
    cluster.queue.clear()
    progress = run_suite(six, Store(store.root), cluster)
    assert (progress.stored, progress.finished) == (2, 4)
    assert attempts(store) == {1: 5, 2: 1}


def test_limits_hold(six: Grid, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    progress = run_suite(six, store, Cluster(), limits=Limits(runs=3))
    assert (progress.finished, progress.left, progress.at_limit) == (3, 3, True)
    # The time is over when the job begins.
    now = time.time()
    later = Cluster(before=lambda shard: monkeypatch.setattr(detached.time, "time", lambda: now + 7200))
    progress = run_suite(six, store, later, limits=Limits(hours=1))
    assert (progress.finished, progress.left, progress.at_limit) == (0, 3, True)
    monkeypatch.undo()
    progress = run_suite(six, store, Cluster())
    assert (progress.stored, progress.finished, progress.at_limit) == (3, 3, False)


def test_what_is_stored_by_others_meanwhile_is_not_made_again(six: Grid, store: Store) -> None:
    def another(shard: Shard) -> None:
        if not store.ids():
            run_suite(dataclasses.replace(six, seeds=(0,)), Store(store.root), Fake(set()))

    cluster = Cluster(before=another, at_a_time=3)
    progress = run_suite(six, store, cluster)
    assert progress.left == 0
    assert len(cluster.fake.begun) == 4
    assert attempts(store) == {1: 6}


def test_seed_ensembles_are_built_by_jobs_after_those_of_their_members(six: Grid, store: Store, tmp_path: Path) -> None:
    grid = dataclasses.replace(six, techniques=("adamw", "ensemble:members=2"), seeds=(0, 1))
    cluster = Cluster()
    cluster.inside = InlineExecutor
    assert run_suite(grid, store, cluster).left == 0
    assert [shard.are_ensembles for shard in cluster.shards] == [False, True]
    inline = Store(tmp_path / "inline")
    run_suite(grid, inline, InlineExecutor())
    assert contents(store) == contents(inline)
    assert not (store.root / "weights").exists() or not [*(store.root / "weights").iterdir()]


def test_a_store_that_other_machines_do_not_share_is_told(
    six: Grid, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detached, "VISIBLE", 0.05)
    cluster = Cluster()
    submit = cluster.submit

    def elsewhere(folder: Path, function: Any, calls: Sequence[Shard], limit: int) -> list[str]:
        return submit(folder, lambda shard: shard.journal.stored(shard.specs[0].run_id()), calls, limit)

    cluster.submit = elsewhere
    with pytest.raises(BenchError, match=r"a job stored run \w+, which .*results does not show on this machine"):
        run_suite(six, store, cluster)


def test_jobs_store_in_a_bucket_and_tell_in_a_folder_of_their_own(
    six: Grid, bucket: Address, store: Store, tmp_path: Path
) -> None:
    cluster, remote = Cluster(deaths={1}, beside=tmp_path / "jobs"), Store(bucket)
    assert run_suite(six, remote, cluster).statuses == {"converged": 6}
    assert attempts(remote) == {1: 5, 2: 1}
    assert {shard.root for shard in cluster.shards} == {bucket}
    assert cluster.shards[0].journal.path.is_relative_to(tmp_path / "jobs")
    # Nothing is left, and another store that shares the folder sees nothing of these jobs.
    assert not [*(tmp_path / "jobs").glob("*/*")]
    assert common_folder(bucket, tmp_path) != common_folder(store.root, tmp_path)
    assert run_suite(six, remote, cluster).stored == 6


def test_a_store_in_a_bucket_is_refused_where_jobs_have_no_folder_to_tell_in(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "root", located("s3://bucket/results"))
    claims: Any = None
    with pytest.raises(BenchError, match=r"s3://bucket/results is in a bucket; give a folder that all nodes"):
        detached.Watch(store, Cluster(), claims, {}, print, Limits())


# ---- with processes --------------------------------------------------------------------------------------------------


def contents(store: Store) -> list[str]:
    """All that must not depend on who trained: the results, and the predictions to the bit."""
    found = []
    for record in sorted(store.records(), key=lambda record: record.run_id):
        predictions = store.predictions(record.run_id)
        assert predictions is not None
        found.append(canonical_json([record.result(), predictions.values.tobytes().hex()]))
    return found


@pytest.mark.exhaustive
def test_on_a_real_cluster_it_is_the_same_to_the_bit(
    six: Grid, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = [which("sinfo") or "", "--noheader", "--states=idle,mixed"]
    if not asked[0] or not subprocess.run(asked, capture_output=True, check=False).stdout:
        pytest.skip("no SLURM cluster with a node to spare answers on this machine")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(path for path in sys.path if path))
    executor = SlurmExecutor(allocation=Allocation(minutes=10), runs_per_job=3, at_a_time=2)
    assert run_suite(six, store, executor).left == 0
    inline = Store(tmp_path / "inline")
    run_suite(six, inline, InlineExecutor())
    assert contents(store) == contents(inline)
    assert not submissions(tmp_path / "results")


class Command:
    """`stabbench run --executor slurm --cluster local`, in a session of its own."""

    def __init__(self, folder: Path, grid: Grid, *options: str) -> None:
        (folder / "program.py").write_text(PROGRAM)
        names = {"tasks": "sst2", "techniques": ",".join(grid.techniques), "seeds": "0-2", "profile": grid.profile}
        names |= {"model": grid.model, "data": grid.data, "store": "results", "cluster": "local"}
        names |= {"runs-per-job": "3", "jobs": "1"}
        asked = [part for name, value in names.items() for part in (f"--{name}", value)]
        self.store = Store(folder / "results")
        self.process = subprocess.Popen(
            [sys.executable, "program.py", "run", "--executor", "slurm", *asked, *options],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def until(self, runs: int) -> None:
        """Wait for the lines of so many new runs."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            runs -= line.startswith("[")
            if runs < 1:
                return
        raise AssertionError(f"it ended early: {self.end()}")

    def busy(self) -> list[psutil.Process]:
        """The processes of the jobs that are at a run."""
        at = [one for one in submissions(self.store.root) if one.journal(0).read().lost()]
        return [psutil.Process(int(one.jobs[0])) for one in at if psutil.pid_exists(int(one.jobs[0]))]

    def end(self) -> tuple[int, str, str]:
        out, err = self.process.communicate(timeout=LIMIT)
        return self.process.returncode, out, err


@pytest.mark.exhaustive
def test_left_killed_and_continued_it_is_the_same_to_the_bit(data_folder: Path, tmp_path: Path) -> None:
    grid = Grid(("sst2",), ("adamw", "llrd"), (0, 1, 2), "smoke:epochs=40", "tiny", str(data_folder))
    inline = Store(tmp_path / "inline")
    run_suite(grid, inline, InlineExecutor())
    left = Command(tmp_path, grid)
    left.until(1)
    os.killpg(left.process.pid, signal.SIGINT)
    code, _, told = left.end()
    assert code == 130
    assert "left 1 jobs that go on and store their runs; the same command watches them again" in told
    assert all(job.is_running() for job in left.busy())
    before = {
        run_id: path.stat().st_mtime_ns for run_id in left.store.ids() for path in left.store.files("runs", run_id)
    }
    # Then a job and all its processes are killed in the middle of a run, while the command watches again.
    again = Command(tmp_path, grid)
    again.until(0)
    end = time.monotonic() + LIMIT
    while not (busy := again.busy()):
        assert time.monotonic() < end
        time.sleep(0.01)
    for process in [*busy, *(child for job in busy for child in job.children(recursive=True))]:
        process.kill()
    code, out, told = again.end()
    assert (code, told) == (0, "")
    assert "are new" in out
    after = {
        run_id: path.stat().st_mtime_ns for run_id in left.store.ids() for path in left.store.files("runs", run_id)
    }
    assert before.items() <= after.items()
    records = again.store.records()
    assert len(records) == 6
    assert {record.attempts for record in records} == {1, 2}
    assert contents(again.store) == contents(inline)
    assert {path.name for path in again.store.root.iterdir()} == {"runs", "predictions"}
