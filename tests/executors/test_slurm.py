from __future__ import annotations

import os
import pickle
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType

import pytest

from bench_lib.core.errors import BadValue, BenchError, Unavailable
from bench_lib.executors import LocalExecutor, Settings, make_executor
from bench_lib.executors.base import Detached, Failure
from bench_lib.executors.slurm import Allocation, SlurmExecutor, check_cluster, enter

LIMIT = 300.0
QUEUE = """#!/bin/sh
test "$*" = "--noheader --array --format=%i --jobs=12,13" && printf '12_0\\n12_3\\n14\\n'
"""


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes commands of these names the only ones that are found."""
    folder = tmp_path / "commands"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))

    def make(names: Iterable[str], text: str = "#!/bin/sh\n") -> None:
        for name in names:
            (folder / name).write_text(text)
            (folder / name).chmod(0o755)

    return make


def over(executor: SlurmExecutor, folder: Path, jobs: list[str]) -> None:
    end = time.monotonic() + LIMIT
    while executor.living(folder, jobs):
        assert time.monotonic() < end
        time.sleep(0.1)


def test_it_is_made_of_what_the_user_gives() -> None:
    assert make_executor("slurm", Settings(cluster="local")) == SlurmExecutor("local", time_limit=24 * 60 * 60)
    asked = Settings(
        workers=4,
        time_limit=90.0,
        partition="gpu",
        time=60,
        gpus=2,
        runs_per_job=50,
        jobs=8,
        cluster="local",
        submissions="there",
    )
    made = make_executor("slurm", asked)
    assert made == SlurmExecutor("local", Allocation("gpu", 60, 2), 50, 8, 4, 90.0, Path("there"))
    assert isinstance(made, Detached)
    assert made.inside() == LocalExecutor(4, 90.0, imports="bench_lib.executors.libraries")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(cluster="pbs"), "--cluster is 'pbs'; allowed: slurm or local"),
        (Settings(partition=" "), "--partition is ' '; allowed: a name"),
        (Settings(time=1), "--time is 1; allowed: 2 minutes or more"),
        (Settings(gpus=-1), "--gpus is -1; allowed: 0 or more"),
        (Settings(submissions="s3://bucket/jobs"), "--submissions is 's3://bucket/jobs'; allowed: a folder that all"),
        (Settings(submissions=__file__), "--submissions is .*; allowed: a folder that all nodes see"),
        (Settings(submissions="a\0b"), "--submissions"),
        (Settings(runs_per_job=0), "--runs-per-job is 0; allowed: 1 or more"),
        (Settings(jobs=0), "--jobs is 0; allowed: 1 or more, up to 1,000"),
        (Settings(jobs=1001), "--jobs is 1001"),
        (Settings(workers=0), "number of workers is 0"),
        (Settings(time_limit=0.0), "time limit is 0.0"),
        (Settings(address="auto"), "address of the executor slurm is 'auto'; allowed: none; the executor ray takes it"),
    ],
)
def test_settings_that_cannot_be_used_are_refused(settings: Settings, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        make_executor("slurm", settings)


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "bench_lib.executors.slurm")
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(Unavailable, match=r"submitit is not installed: pip install 'stabbench\[slurm\]'"):
        make_executor("slurm", Settings())


def test_what_others_log_to_stays_open() -> None:
    text = """
import logging

closed = []
handler = logging.Handler()
handler.close = lambda: closed.append(True)
import bench_lib.executors.slurm
assert not logging.getLogger("submitit").handlers
assert not closed
"""
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_machine_without_slurm_is_told_so_at_once(commands: Callable[..., None]) -> None:
    with pytest.raises(
        BenchError, match=r"no sbatch and no srun and no squeue is found on this machine: .* login node"
    ):
        make_executor("slurm", Settings())
    commands(["sbatch", "srun"])
    with pytest.raises(BenchError, match="no squeue is found"):
        check_cluster("slurm")
    commands(["squeue"])
    check_cluster("slurm")
    check_cluster("local")


def test_only_runs_of_a_store_are_made() -> None:
    with pytest.raises(BenchError, match="makes the runs of a store, and nothing else"):
        SlurmExecutor().run(abs, [1])


def test_a_cluster_takes_all_jobs_and_this_machine_those_that_run() -> None:
    assert [SlurmExecutor(at_a_time=20).room(living) for living in (0, 19, 20, 30)] == [1000, 1000, 0, 0]
    assert [SlurmExecutor("local", at_a_time=3).room(living) for living in (0, 2, 3, 4)] == [3, 1, 0, 0]


def test_the_queue_says_which_jobs_live(commands: Callable[..., None], tmp_path: Path) -> None:
    jobs = ["12_0", "12_1", "13"]
    # While it does not answer, nobody takes a job for gone.
    assert SlurmExecutor().living(tmp_path, jobs) == {*jobs}
    commands(["squeue"], QUEUE)
    assert SlurmExecutor().living(tmp_path, jobs) == {"12_0"}
    commands(["squeue"], "#!/bin/sh\nexit 1\n")
    assert SlurmExecutor().living(tmp_path, jobs) == {*jobs}
    commands(["squeue"], "#!/bin/sh\necho 'slurm_load_jobs error: Invalid job id specified' >&2\nexit 1\n")
    assert not SlurmExecutor().living(tmp_path, jobs)
    assert SlurmExecutor().how_to_stop(["12_0", "12_1", "13"]) == "scancel 12 13"


def test_what_the_cluster_refuses_is_told(commands: Callable[..., None], tmp_path: Path) -> None:
    commands(["srun"])
    commands(["sbatch"], "#!/bin/sh\necho 'sbatch: error: invalid partition specified: gpu' >&2\nexit 1\n")
    with pytest.raises(
        BenchError, match=r"no job can be submitted to the cluster slurm: .*invalid partition specified"
    ):
        SlurmExecutor(allocation=Allocation("gpu")).submit(tmp_path, print, ["a", "b"], 1)


def test_the_jobs_of_a_cluster_are_an_array_with_a_limit(commands: Callable[..., None], tmp_path: Path) -> None:
    commands(["srun"])
    commands(["sbatch"], '#!/bin/sh\necho "Submitted batch job 77"\n')
    executor = SlurmExecutor(allocation=Allocation("gpu", 90, 1), workers=2)
    assert executor.submit(tmp_path, print, ["a", "b", "c"], 2) == ["77_0", "77_1", "77_2"]
    script = (tmp_path / "77_submission.sh").read_text()
    for flag in (
        "array=0-2%2",
        "partition=gpu",
        "time=90",
        "gpus-per-node=1",
        "cpus-per-task=2",
        "job-name=stabbench",
        "signal=USR2@30",
    ):
        assert f"#SBATCH --{flag}\n" in script


def test_the_end_of_its_time_is_no_error_of_the_job(tmp_path: Path) -> None:
    for message, says in (
        ("Job not requeued because: timed-out and not checkpointable.", "it came to the end of its --time"),
        ("gone", "gone"),
    ):
        trace = f"Traceback ...\nsubmitit.core.utils.UncompletedJobError: {message}\n"
        (tmp_path / "7_0_result.pkl").write_bytes(pickle.dumps(("error", trace)))
        assert SlurmExecutor().raised(tmp_path, "7") == Failure("died", says)


def test_another_version_of_the_suite_is_refused() -> None:
    with pytest.raises(BenchError, match=r"the node .* has stabbench .* in .*, the machine that .* 0\.0\.1; install"):
        enter("0.0.1", b"not even read")


@pytest.mark.exhaustive
# submitit's local cluster lets go of a job's process before it has ended.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_jobs_live_until_they_end_and_say_why(
    jobs: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(Path(__file__).parent), *filter(None, sys.path)]))
    executor = SlurmExecutor("local")
    well, badly = executor.submit(tmp_path, jobs.tell, ["well", "badly"], 2)
    assert executor.living(tmp_path, [well, badly]) == {well, badly}
    # Another process sees the same.
    assert SlurmExecutor("local").living(tmp_path, [well, badly, str(os.getpid()), "999999999"]) == {well, badly}
    over(executor, tmp_path, [well, badly])
    assert SlurmExecutor("local").living(tmp_path, [well, badly]) == frozenset()
    assert executor.raised(tmp_path, well) is None
    assert executor.raised(tmp_path, badly) == Failure("raised", "badly is no word")
    assert executor.raised(tmp_path, "1") == Failure("died", "it left no message")
    assert executor.how_to_stop(["1", "2"]) == "kill 1 2"
