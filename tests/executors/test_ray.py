from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from bench_lib.core.errors import BadValue, BenchError, Unavailable
from bench_lib.core.record import Status
from bench_lib.core.spec import canonical_json
from bench_lib.executors import Done, Executor, InlineExecutor, Settings, make_executor
from bench_lib.executors import ray as module
from bench_lib.executors.process import THREADS
from bench_lib.executors.ray import Demand, RayExecutor, Started
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import Progress, run_suite
from bench_lib.store import Store

ray = pytest.importorskip("ray")

pytestmark = [
    # Of Ray's own code, not of what these tests do.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:subprocess .* is still running:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

LIMIT = 120.0
MEMORY = 80 * 2**20
"""Bytes of an object store."""


@pytest.fixture
def cluster(jobs: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Two processors of this machine and a GPU that is only declared; its processes find the jobs."""
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    ray.init(
        address="local",
        num_cpus=2,
        num_gpus=1,
        object_store_memory=MEMORY,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="ERROR",
    )
    try:
        yield
    finally:
        ray.shutdown()


def by_job(executor: Executor, function: Any, jobs: Any) -> dict[Any, Done[Any, Any]]:
    return {done.job: done for done in executor.run(function, jobs)}


# ---- without a cluster -----------------------------------------------------------------------------------------------


def test_it_is_made_of_what_the_user_gives() -> None:
    assert make_executor("ray", Settings()) == RayExecutor(time_limit=24 * 60 * 60)
    asked = Settings(3, 90.0, address="10.0.0.1:6379", cpus_per_run=2.0, gpus_per_run=0.25)
    assert make_executor("ray", asked) == RayExecutor("10.0.0.1:6379", Demand(2.0, 0.25), 3, 90.0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(address="head"), "--address is 'head'; allowed: auto, local, or HOST:PORT"),
        (Settings(address="ray://head:1000"), "--address is 'ray://head:1000'"),
        (Settings(address="head:99999"), "--address is 'head:99999'"),
        (Settings(cpus_per_run=0.0), "--cpus-per-run is 0.0; allowed: above 0"),
        (Settings(cpus_per_run=float("nan")), "--cpus-per-run is nan"),
        (Settings(gpus_per_run=-1.0), "--gpus-per-run is -1.0; allowed: 0, a share below 1, or a whole number"),
        (Settings(gpus_per_run=1.5), "--gpus-per-run is 1.5"),
        (Settings(gpus_per_run=float("inf")), "--gpus-per-run is inf"),
        (Settings(workers=0), "number of workers is 0"),
        (Settings(time_limit=0.0), "time limit is 0.0"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: Settings, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        make_executor("ray", settings)


def test_a_runtime_environment_is_read_from_json_or_yaml(tmp_path: Path) -> None:
    path = tmp_path / "environment"
    for text in ('{"env_vars": {"WHERE": "there"}}', "env_vars:\n  WHERE: there\n"):
        path.write_text(text)
        made = make_executor("ray", Settings(runtime_env=str(path)))
        assert made == RayExecutor(time_limit=24 * 60 * 60, runtime_env={"env_vars": {"WHERE": "there"}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[1]", r"--runtime-env is '.*'; allowed: a file of JSON or YAML with fields such as env_vars"),
        ("", r"--runtime-env is '.*'; allowed"),
        ("{1: 2}", r"--runtime-env is '.*'; allowed"),
        ("env_var: {}", r"unknown field in --runtime-env .*'env_var': did you mean 'env_vars'"),
        ("env_vars: [1]", r"--runtime-env .*: "),
        ("{", r"--runtime-env .* cannot be read: "),
        ("\0", r"--runtime-env .* cannot be read: "),
        (None, r"--runtime-env .* cannot be read: .*No such file"),
    ],
)
def test_a_file_that_is_no_runtime_environment_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "environment"
    if text is not None:
        path.write_text(text)
    with pytest.raises(BenchError, match=message):
        make_executor("ray", Settings(runtime_env=str(path)))


@pytest.mark.exhaustive
def test_processes_have_the_runtime_environment_and_one_thread() -> None:
    given = {"env_vars": {"STABBENCH_WHERE": "there", "OMP_NUM_THREADS": "7"}}
    executor = RayExecutor("local", workers=1, time_limit=LIMIT, runtime_env=given)
    try:
        found = by_job(executor, os.getenv, ["STABBENCH_WHERE", "OMP_NUM_THREADS"])
        assert {name: done.result for name, done in found.items()} == {
            "STABBENCH_WHERE": "there",
            "OMP_NUM_THREADS": "1",
        }
    finally:
        ray.shutdown()


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bench_lib.executors.ray")
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(Unavailable, match=r"ray is not installed: pip install 'stabbench\[ray\]'"):
        make_executor("ray", Settings())


def test_no_cluster_at_the_address_is_told_at_once() -> None:
    begin = time.monotonic()
    with pytest.raises(BenchError, match=r"no Ray cluster answers at 127.0.0.1:1: .*`ray start --head`"):
        list(RayExecutor("127.0.0.1:1").run(str, [1]))
    assert time.monotonic() - begin < 20


@pytest.mark.parametrize(
    ("demand", "resources", "count"),
    [
        (Demand(), {"CPU": 4.0}, 4),
        (Demand(1.0, 0.25), {"CPU": 16.0, "GPU": 2.0}, 8),
        (Demand(1.0, 0.4), {"CPU": 16.0, "GPU": 2.0}, 4),
        (Demand(1.0, 0.25), {"CPU": 3.0, "GPU": 1.0}, 3),
        (Demand(0.5, 2.0), {"CPU": 4.0, "GPU": 3.0}, 1),
        (Demand(1.0, 1.0), {"CPU": 4.0}, 0),
        (Demand(), {}, 0),
    ],
)
def test_a_node_holds_as_many_jobs_as_it_has_room_for(demand: Demand, resources: dict[str, float], count: int) -> None:
    assert demand.fits(resources) == count


def test_a_task_of_another_version_runs_nothing() -> None:
    assert len(list(module.task(b"not even a job", "another"))) == 1


def test_another_version_on_a_node_ends_the_sweep() -> None:
    sweep = object.__new__(module._Sweep)
    with pytest.raises(BenchError, match=r"the node far has stabbench 0\.0\.1, this machine .*; install the same"):
        sweep._start(module._Running("job", 1), Started("0.0.1", "far"))


# ---- on this machine -------------------------------------------------------------------------------------------------


def test_jobs_come_back_once_and_deaths_and_time_outs_cost_their_own(
    cluster: None, jobs: ModuleType, tmp_path: Path
) -> None:
    done = by_job(RayExecutor(time_limit=LIMIT), jobs.square, range(10))
    assert done == {n: Done(n, n * n) for n in range(10)}

    (again,) = RayExecutor(time_limit=LIMIT).run(jobs.die_once, [tmp_path / "marker"])
    assert again == Done(tmp_path / "marker", "1", None, attempts=2)

    done = by_job(RayExecutor(time_limit=1.0), jobs.nap, [60.0, 0.0, 0.1])
    late = done.pop(60.0)
    assert late.failure is not None
    assert (late.failure.kind, late.failure.message, late.attempts) == ("timeout", "no result within 1.0 s", 1)
    assert done == {0.0: Done(0.0, 0.0), 0.1: Done(0.1, 0.1)}


@pytest.mark.exhaustive
def test_it_keeps_the_contract_of_executors(cluster: None, jobs: ModuleType) -> None:
    executor = RayExecutor(time_limit=LIMIT, retries=1)
    done = by_job(executor, jobs.die_if_negative, [-1, 1, 2, 3])
    assert [done[n] for n in (1, 2, 3)] == [Done(1, 1), Done(2, 2), Done(3, 3)]
    assert done[-1].failure is not None
    assert (done[-1].failure.kind, done[-1].attempts) == ("died", 2)

    for function, job, says in (
        (jobs.raise_picky, "salt", "PickyError: salt in the soup"),
        (jobs.system_exit, 3, "SystemExit: 3"),
        (jobs.local_function, 1, "lambda"),
        (jobs.length, lambda: None, "lambda"),
    ):
        (failed,) = executor.run(function, [job])
        assert failed.failure is not None
        assert (failed.failure.kind, failed.attempts) == ("raised", 1)
        assert says in failed.failure.message

    # Processes are kept over jobs, of which Ray may hold two; a job that retires its own gets the next a new one.
    one = RayExecutor(workers=1, time_limit=LIMIT)
    kept = [done.result for done in one.run(jobs.process, [False] * 8)]
    assert len({*kept}) <= 2
    replaced = [done.result for done in one.run(jobs.process, [True, True, False])]
    assert len({*replaced}) == 3

    for name in THREADS:
        assert [done.result for done in executor.run(jobs.environment, [name])] == [("1", "1")]
    assert [done.result for done in executor.run(os.getenv, ["CUDA_VISIBLE_DEVICES"])] == [""]
    assert [done.result for done in executor.run(os.path.abspath, ["data"])] == [str(Path("data").resolve())]


@pytest.mark.exhaustive
def test_a_job_that_ran_out_of_memory_is_tried_again_with_a_whole_gpu(cluster: None, jobs: ModuleType) -> None:
    shared = by_job(RayExecutor(demand=Demand(1.0, 0.5), time_limit=LIMIT), jobs.share, [1, 2])
    assert shared == {n: Done(n, 1.0, None, attempts=2) for n in (1, 2)}
    # Who has it already is not asked twice.
    assert by_job(RayExecutor(demand=Demand(1.0, 1.0), time_limit=LIMIT), jobs.share, [1]) == {1: Done(1, 1.0)}


@pytest.mark.exhaustive
def test_what_cannot_run_or_is_stopped_ends_at_once(cluster: None, jobs: ModuleType) -> None:
    with pytest.raises(BenchError, match=r"no node of the Ray cluster has the 1 CPUs and 2 GPUs of a run; there are"):
        list(RayExecutor(demand=Demand(1.0, 2.0)).run(jobs.square, [1]))

    asked: list[int] = []
    results = RayExecutor(time_limit=LIMIT).run(jobs.square, (asked.append(job) or job for job in range(6)))
    for seen, _ in enumerate(results, 1):
        assert len(asked) <= seen + 2

    def few() -> Iterator[float]:
        yield 0.0
        raise OSError("no more jobs")

    results = RayExecutor(time_limit=LIMIT).run(jobs.nap, few())
    assert next(results).result == 0.0
    with pytest.raises(OSError, match="no more jobs"):
        next(results)

    # Ctrl-C, after which the processors are free.
    signal.setitimer(signal.ITIMER_REAL, 3.0)
    before = signal.signal(signal.SIGALRM, signal.default_int_handler)
    begin = time.monotonic()
    try:
        with pytest.raises(KeyboardInterrupt):
            list(RayExecutor().run(jobs.nap, [60.0, 60.0, 60.0]))
    finally:
        signal.signal(signal.SIGALRM, before)
    (done,) = RayExecutor(time_limit=LIMIT).run(jobs.square, [3])
    assert done.result == 9
    assert time.monotonic() - begin < 30


# ---- on three nodes --------------------------------------------------------------------------------------------------


def contents(store: Store) -> list[str]:
    """All that must not depend on who trained: the results, and the predictions to the bit."""
    found = []
    for record in sorted(store.records(), key=lambda record: record.run_id):
        predictions = store.predictions(record.run_id)
        assert predictions is not None
        found.append(canonical_json([record.result(), predictions.values.tobytes().hex()]))
    return found


def lost_while_at_a_job(cluster: Any, node: Any, jobs: ModuleType, folder: Path) -> None:
    """Two jobs at a time, one of them on a node that is lost: that one alone is tried again."""
    executor, number = RayExecutor(cluster.address, Demand(1.0, 1.0), time_limit=LIMIT), [-1]

    def lose() -> None:
        end = time.monotonic() + LIMIT
        while len(found := [path.name.partition("-") for path in folder.glob("[01]-*")]) < 2:
            assert time.monotonic() < end
            time.sleep(0.05)
        (number[0],) = (int(job) for job, _, where in found if where == node.node_id)
        cluster.remove_node(node, allow_graceful=False)
        (folder / f"lost-{node.node_id}").touch()

    thread = threading.Thread(target=lose)
    thread.start()
    done = {one.job[1]: one for one in executor.run(jobs.hold, [(folder, 0), (folder, 1)])}
    thread.join()
    lost, kept = done.pop(number[0]), *done.values()
    assert (lost.attempts, kept.attempts) == (2, 1)
    assert lost.result == kept.result != node.node_id


@pytest.mark.exhaustive
def test_a_node_that_is_lost_in_the_middle_costs_no_run(
    data_folder: Path, tmp_path: Path, jobs: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]))
    # Runs of seconds, so that the node is lost while one is under way on it.
    grid = Grid(("sst2",), ("adamw", "llrd"), (0, 1, 2), "smoke:epochs=40", "tiny", str(data_folder))
    inline, remote = Store(tmp_path / "inline"), Store(tmp_path / "ray")
    expected = run_suite(grid, inline, InlineExecutor())
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 0, "object_store_memory": MEMORY, "include_dashboard": False},
    )
    try:
        nodes = [cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY) for _ in range(2)]
        cluster.wait_for_nodes()
        (tmp_path / "held").mkdir()
        lost_while_at_a_job(cluster, nodes[0], jobs, tmp_path / "held")
        nodes[0] = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=MEMORY)
        cluster.wait_for_nodes()
        lost: list[int] = []

        def lose_a_node(progress: Progress) -> None:
            if progress.finished == 2 and not lost:
                lost.append(progress.finished)
                cluster.remove_node(nodes[0], allow_graceful=False)

        executor = RayExecutor(cluster.address, Demand(1.0, 1.0), time_limit=LIMIT)
        progress = run_suite(grid, remote, executor, lose_a_node)
    finally:
        ray.shutdown()
        cluster.shutdown()
    assert lost == [2]
    assert (progress.finished, progress.left, progress.statuses) == (6, 0, expected.statuses)
    records = remote.records()
    assert len({record.run_id for record in records}) == len(records) == 6
    assert all(Status(record.status).completed for record in records)
    # The node may have been between two runs; what is lost with one that was not is told above.
    assert {record.attempts for record in records} <= {1, 2}
    assert contents(remote) == contents(inline)
