"""Sweeps that share a store with others, and what becomes of records that cannot be stored."""

from __future__ import annotations

import dataclasses
import errno
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadStore, Unwritten
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import canonical_json
from bench_lib.executors import Done, InlineExecutor
from bench_lib.runner import sweep
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.limits import Limits
from bench_lib.runner.records import blank_record
from bench_lib.runner.sweep import Group, Progress, run_suite
from bench_lib.store import Address, Claims, Store, compact, files, merge, verify
from tests.buckets import BUSY, DENIED, SKEWED, Fault, Server

Outcomes = Generator[Any, None, None]
Change = Callable[[RunRecord], RunRecord]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture(scope="module")
def small(data_folder: Path) -> Grid:
    """Four runs of one task."""
    return Grid(("sst2",), ("adamw", "mixout"), (0, 1), "smoke", "tiny", str(data_folder))


@dataclass
class Fake:
    """Trains nothing, and changes what would have come of it."""

    change: Change = lambda record: record
    jobs: list[Group] = field(default_factory=list)

    def run(self, function: Any, jobs: Any) -> Outcomes:
        for job in jobs:
            self.jobs.append(job)
            blank = [dataclasses.replace(blank_record(spec, Status.CONVERGED, ""), score=0.75) for spec in job]
            yield Done(job, [self.change(record) for record in blank])

    @property
    def names(self) -> list[tuple[str, int]]:
        return [(spec.technique(), spec.seed) for job in self.jobs for spec in job]


def by_cell(store: Store) -> dict[tuple[str, int], RunRecord]:
    return {(record.technique, record.seed): record for record in store.records()}


def only(seed: int, **changes: Any) -> Change:
    """Change the records of one seed of adamw."""
    return lambda r: r.changed(changes) if (r.technique, r.seed) == ("adamw", seed) else r


# ---- what cannot be stored -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"reported": {"adamw.kind": "text"}}, "field reported cannot be stored"),
        ({"metrics": {"accuracy": None}}, "field metrics is or holds None"),
        ({"steps": 2**64}, "field steps cannot be stored"),
    ],
)
def test_a_record_that_cannot_be_stored_is_a_crashed_run_and_the_rest_goes_on(
    small: Grid, store: Store, changes: dict[str, Any], why: str
) -> None:
    progress = run_suite(small, store, Fake(only(0, **changes)))
    assert (progress.finished, progress.left) == (4, 0)
    assert progress.statuses == Counter({"converged": 3, "crashed": 1})
    crashed = by_cell(store)["adamw", 0]
    assert crashed.status == Status.CRASHED
    assert crashed.reason.startswith("its record cannot be stored: ")
    assert why in crashed.reason
    again = Fake()
    assert run_suite(small, store, again).stored == 4
    assert again.jobs == []
    # It is tried again as any run that was lost.
    assert run_suite(small, store, again, retry=frozenset({Status.CRASHED})).finished == 1
    assert (by_cell(store)["adamw", 0].status, by_cell(store)["adamw", 0].attempts) == ("converged", 2)


def test_half_a_character_in_a_reason_is_no_obstacle(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake(only(1, reason="said \ud83d", status="crashed", score=None)))
    assert by_cell(store)["adamw", 1].reason == "said \ufffd"


def test_memory_that_runs_out_while_storing_loses_one_run(
    small: Grid, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bench_lib.store import append

    to_table = append.to_table

    def short(records: list[RunRecord]) -> Any:
        if records[0].seed == 1 and records[0].status == "converged":
            raise MemoryError
        return to_table(records)

    monkeypatch.setattr(append, "to_table", short)
    progress = run_suite(small, store, Fake())
    assert progress.statuses == Counter({"converged": 2, "crashed": 2})
    assert "memory ran out" in by_cell(store)["adamw", 1].reason


# ---- a store that cannot be written ----------------------------------------------------------------------------------


def test_nothing_is_trained_for_a_store_that_cannot_be_written(small: Grid, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    executor = Fake()
    with pytest.raises(BadStore, match=r"file/below.* (Not a directory|No such)"):
        run_suite(small, Store(tmp_path / "file" / "below"), executor)
    assert executor.jobs == []


def test_a_whole_store_need_not_be_written(small: Grid, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    run_suite(small, store, Fake())

    def refused(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr("bench_lib.store.append.os.fsync", refused)
    assert run_suite(small, store, Fake()).left == 0
    with pytest.raises(BadStore, match="Read-only file system"):
        run_suite(dataclasses.replace(small, seeds=(2,)), store, Fake())


@pytest.mark.parametrize("freed", [True, False])
def test_a_disk_that_fills_loses_no_run(
    small: Grid, store: Store, tmp_path: Path, freed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, full = files._write, [False]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "elsewhere"))

    def written(sink: Any, *rest: Any) -> None:
        if full[0] and str(store.root) in sink.name:
            raise OSError(errno.ENOSPC, "No space left on device")
        write(sink, *rest)

    def report(progress: Progress) -> None:
        full[0] = progress.finished in ((1, 2) if freed else (1, 2, 3, 4))

    monkeypatch.setattr(files, "_write", written)
    if freed:
        assert run_suite(small, store, Fake(), report).finished == 4
    else:
        with pytest.raises(Unwritten, match="3 runs are kept in"):
            run_suite(small, store, Fake(), report)
        assert len(store.ids()) == 1
        full[0] = False
        (kept,) = (tmp_path / "elsewhere").iterdir()
        assert merge(store, Store(kept)).written == 3
    assert len(store.records()) == 4
    assert not (store.root / "claims").exists()


# ---- limits ----------------------------------------------------------------------------------------------------------


def test_a_sweep_ends_between_runs_at_its_limit_and_goes_on(small: Grid, store: Store) -> None:
    grid = dataclasses.replace(small, techniques=("adamw", "ema", "mixout"))
    first, second, last = Fake(), Fake(), Fake()
    progress = run_suite(grid, store, first, limits=Limits(runs=3))
    assert first.names == [("adamw", 0), ("ema", 0), ("mixout", 0)]
    assert (progress.finished, progress.left, progress.at_limit) == (3, 3, True)
    # Runs that share a training are begun together.
    progress = run_suite(grid, store, second, limits=Limits(runs=1))
    assert second.names == [("adamw", 1), ("ema", 1)]
    assert (progress.stored, progress.finished, progress.left, progress.at_limit) == (3, 2, 1, True)
    progress = run_suite(grid, store, last, limits=Limits(runs=1))
    assert (last.names, progress.left, progress.at_limit) == ([("mixout", 1)], 0, False)


def test_hours_end_a_sweep_before_its_next_run(small: Grid, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [time.monotonic()]

    def hour(record: RunRecord) -> RunRecord:
        now[0] += 3_600.0
        return record

    monkeypatch.setattr(sweep.time, "monotonic", lambda: now[0])
    executor = Fake(hour)
    progress = run_suite(small, store, executor, limits=Limits(hours=1.5))
    assert executor.names == [("adamw", 0), ("mixout", 0)]
    assert (progress.finished, progress.at_limit) == (2, True)


def test_seed_ensembles_wait_for_the_next_sweep_at_a_limit(small: Grid, store: Store) -> None:
    grid = dataclasses.replace(small, techniques=("ensemble:members=2",))
    progress = run_suite(grid, store, InlineExecutor(), limits=Limits(runs=2))
    assert (progress.finished, progress.left, progress.at_limit) == (2, 1, True)
    progress = run_suite(grid, store, InlineExecutor())
    assert (progress.finished, progress.left, progress.at_limit) == (1, 0, False)


def test_at_a_limit_nothing_is_waited_for(small: Grid, store: Store) -> None:
    specs = plan(small)
    with Claims(store.root) as other:
        assert other.take(specs[0].training().run_id())
        progress = run_suite(small, store, Fake(), limits=Limits(runs=3))
        assert (progress.finished, progress.left) == (3, 1)
        assert run_suite(small, store, Fake(), limits=Limits(hours=1e-9)).at_limit


# ---- several processes -----------------------------------------------------------------------------------------------


def test_what_another_process_is_at_is_passed_over_and_waited_for(
    small: Grid, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other process stores one of its two runs and dies in the second."""
    monkeypatch.setattr(sweep, "POLL", 0.001)
    specs = {(spec.technique(), spec.seed): spec for spec in plan(small)}
    theirs = [specs["adamw", 0], specs["mixout", 1]]
    executor, seen = Fake(), []
    with Claims(store.root) as other:
        for spec in theirs:
            assert other.take(spec.training().run_id())

        def report(progress: Progress) -> None:
            seen.append(progress)
            if progress.waiting == 2:
                assert executor.names == [("mixout", 0), ("adamw", 1)]
                store.append(dataclasses.replace(blank_record(theirs[0], Status.CONVERGED, ""), score=0.5))
                other.release(theirs[0].training().run_id())
            elif progress.waiting == 1:
                other.release(theirs[1].training().run_id())

        progress = run_suite(small, store, executor, report)
    assert [one.waiting for one in seen if one.waiting] == [2, 1]
    assert executor.names == [("mixout", 0), ("adamw", 1), ("mixout", 1)]
    assert (progress.stored, progress.finished, progress.elsewhere, progress.left) == (0, 3, 1, 0)
    assert by_cell(store)["adamw", 0].score == 0.5
    assert not (store.root / "claims").exists()


def test_what_was_stored_since_the_plan_is_not_trained_again(small: Grid, store: Store) -> None:
    specs = plan(small)

    def report(progress: Progress) -> None:
        if not progress.finished and progress.last is None:
            store.append(dataclasses.replace(blank_record(specs[2], Status.CONVERGED, ""), score=0.5))

    executor = Fake()
    progress = run_suite(small, store, executor, report)
    assert len(executor.jobs) == 3
    assert (progress.finished, progress.elsewhere, progress.left) == (3, 1, 0)


def test_a_sweep_claims_a_group_when_it_is_taken_up_and_no_sooner(small: Grid, store: Store) -> None:
    held: list[int] = []

    def report(progress: Progress) -> None:
        held.append(len(list((store.root / "claims").glob("[0-9a-f]*.json"))) if progress.finished else 0)

    run_suite(small, store, Fake(), report)
    assert held == [0, 1, 1, 1, 1]


def test_a_store_is_not_compacted_under_a_sweep(small: Grid, store: Store) -> None:
    refused: list[str] = []

    def report(progress: Progress) -> None:
        if progress.finished == 2:
            with pytest.raises(BadStore) as caught:
                compact(Store(store.root))
            refused.append(str(caught.value))

    run_suite(small, store, Fake(), report)
    assert "is being filled by a sweep" in refused[0]
    assert compact(store) == 4


def test_what_killed_writers_left_is_removed_by_the_last_that_ends(small: Grid, store: Store) -> None:
    folder = store.root / "runs" / "task=sst2"
    folder.mkdir(parents=True)
    old, new = folder / ".0123.tmp", folder / ".4567.tmp"
    for path in (old, new):
        path.write_bytes(b"half a file")
    os.utime(old, (0, 0))
    with Claims(store.root):
        run_suite(small, store, Fake())
        assert old.exists()
    run_suite(dataclasses.replace(small, seeds=(2,)), store, Fake())
    assert not old.exists()
    assert new.exists()


def test_a_damaged_run_is_made_again(small: Grid, store: Store) -> None:
    run_suite(small, store, Fake())
    one, other = store.files("runs")[:2]
    one.write_bytes(other.read_bytes())
    again = Fake()
    fresh = Store(store.root)
    assert run_suite(small, fresh, again).finished == 1
    assert [spec.run_id() for job in again.jobs for spec in job] == [one.stem]
    assert [file for file, _ in fresh.set_aside] == [one.relative_to(store.root).as_posix()]


SCRIPT = """
import sys, time
from pathlib import Path
from bench_lib.executors import InlineExecutor
from bench_lib.store import Store, located
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import run_suite

root, data, log, go, pause = *map(located, sys.argv[1:5]), float(sys.argv[5])

class Logged:
    def run(self, function, jobs):
        def noted(group):
            with log.open("a") as file:
                file.writelines(f"{spec.run_id()}\\n" for spec in group)
            time.sleep(pause)
            return function(group)
        return InlineExecutor().run(noted, jobs)

grid = Grid(("sst2",), ("adamw", "mixout", "ema"), (0, 1), "smoke", "tiny", str(data))
print("ready", flush=True)
while not go.exists():
    time.sleep(0.01)
progress = run_suite(grid, Store(root), Logged(), lambda progress: print("told", flush=True))
print(progress.finished, progress.elsewhere, progress.left)
"""


def start(store: Store, data_folder: Path, log: Path, pause: float) -> subprocess.Popen[str]:
    """A process that sweeps once it is ready and the file `go` is there, and notes what it trains."""
    given = [str(one) for one in (store.root, data_folder, log, log.parent / "go", pause)]
    return subprocess.Popen([sys.executable, "-c", SCRIPT, *given], stdout=subprocess.PIPE, text=True)


@dataclass
class Noting:
    """Trains in this process, slowly, and notes what."""

    trained: list[str] = field(default_factory=list)

    def run(self, function: Any, jobs: Any) -> Any:
        def noted(group: Group) -> Any:
            self.trained += [spec.run_id() for spec in group]
            time.sleep(0.2)
            return function(group)

        return InlineExecutor().run(noted, jobs)


def contents(store: Store) -> list[str]:
    """All that must not depend on who trained."""
    found = []
    for record in store.records():
        predictions = store.predictions(record.run_id)
        assert predictions is not None
        found.append(canonical_json([record.result(), predictions.values.tobytes().hex()]))
    return found


@pytest.mark.exhaustive
@pytest.mark.parametrize("kind", ["folder", "bucket"])
def test_processes_that_share_a_grid_train_nothing_twice_and_one_that_is_killed_bars_nothing(
    data_folder: Path, tmp_path: Path, kind: str, request: pytest.FixtureRequest
) -> None:
    store = Store(request.getfixturevalue("bucket") if kind == "bucket" else tmp_path / "results")
    grid = Grid(("sst2",), ("adamw", "mixout", "ema"), (0, 1), "smoke", "tiny", str(data_folder))
    logs = [tmp_path / name for name in ("killed", "other")]
    killed, other = (start(store, data_folder, log, pause) for log, pause in zip(logs, (600, 0.2), strict=True))
    mine = Noting()
    try:
        for process in (killed, other):
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        (tmp_path / "go").touch()
        # It holds a group, and dies in it.
        while not logs[0].exists():
            assert killed.poll() is None
        killed.send_signal(signal.SIGKILL)
        progress = run_suite(grid, store, mine)
        counts = list(map(int, other.communicate(timeout=300)[0].split("\n")[-2].split()))
    finally:
        for process in (killed, other):
            process.kill()
            process.communicate()
    theirs = logs[1].read_text().split()
    assert sorted(mine.trained + theirs) == sorted(spec.run_id() for spec in plan(grid))
    assert len(mine.trained) >= 1 <= len(theirs)
    assert counts == [len(theirs), 6 - len(theirs), 0]
    assert (progress.finished, progress.elsewhere + progress.stored, progress.left) == (
        len(mine.trained),
        len(theirs),
        0,
    )
    assert verify(store) == []
    assert not (store.root / "claims").exists()
    alone = Store(tmp_path / "alone")
    run_suite(grid, alone, InlineExecutor())
    assert contents(store) == contents(alone)


def test_two_sweeps_into_one_bucket_neither_lose_nor_double_a_run(data_folder: Path, bucket: Address) -> None:
    grid = Grid(("sst2",), ("adamw", "mixout", "ema"), (0, 1, 2), "smoke", "tiny", str(data_folder))
    both = (Fake(), Fake())
    with ThreadPoolExecutor(2) as pool:
        ended = list(pool.map(lambda fake: run_suite(grid, Store(bucket), fake), both))
    trained = [spec.run_id() for fake in both for job in fake.jobs for spec in job]
    assert sorted(trained) == sorted(spec.run_id() for spec in plan(grid))
    assert [progress.left for progress in ended] == [0, 0]
    store = Store(bucket)
    assert len(store.files("runs")) == len(store.ids()) == 9
    assert not (bucket / "claims").exists()


def test_a_sweep_in_a_bucket_is_equal_to_the_bit_to_one_in_a_folder(
    data_folder: Path, bucket: Address, store: Store
) -> None:
    grid = Grid(("sst2",), ("adamw",), (0, 1), "smoke", "tiny", str(data_folder))
    assert run_suite(dataclasses.replace(grid, seeds=(0,)), Store(bucket), InlineExecutor()).finished == 1
    assert run_suite(grid, Store(bucket), InlineExecutor()).finished == 1
    run_suite(grid, store, InlineExecutor())
    assert contents(Store(bucket)) == contents(store)
    assert verify(Store(bucket)) == []


@pytest.mark.parametrize(
    "faults",
    [
        [Fault("", answer=DENIED)],
        [Fault("PUT", answer=DENIED)],
        [Fault("", answer=SKEWED)],
        [Fault("PUT", "/.", cut="sending")],
    ],
)
def test_nothing_is_trained_for_a_bucket_that_cannot_be_written(
    small: Grid, bucket: Address, s3: Server, faults: list[Fault]
) -> None:
    s3.plan.faults[:] = faults
    executor = Fake()
    with pytest.raises(BadStore, match=r"cannot be (listed|written)"):
        run_suite(small, Store(bucket), executor)
    assert executor.jobs == []


def test_a_server_that_fails_for_a_while_loses_no_run(small: Grid, bucket: Address, s3: Server) -> None:
    class Failing(Fake):
        def run(self, function: Any, jobs: Any) -> Outcomes:
            for number, done in enumerate(super().run(function, jobs)):
                if number == 1:
                    s3.plan.faults.append(Fault("PUT", "/runs/", times=8, answer=BUSY))
                yield done

    executor = Failing()
    assert run_suite(small, Store(bucket), executor).finished == 4
    assert len(Store(bucket).ids()) == 4
    assert s3.plan.faults[0].times == 0
