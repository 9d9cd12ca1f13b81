from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench_lib import __version__, suite
from bench_lib.cli import DONE, INFRASTRUCTURE, USAGE, ProgressLine, main, parse_frozen, parse_statuses
from bench_lib.errors import BenchError
from bench_lib.executors import InlineExecutor, LocalExecutor
from bench_lib.models import MODELS
from bench_lib.profiles import PROFILES
from bench_lib.run import blank_record
from bench_lib.spec import RunRecord, Status
from bench_lib.store import Store
from bench_lib.suite import Grid, Progress, plan
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Training

SMALL = ("--profile", "smoke", "--model", "tiny", "--tasks", "sst2")

Written = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of four runs, made by the command itself."""
    store = tmp_path_factory.mktemp("filled") / "results"
    assert main(["run", *SMALL, "--techniques", "adamw,mixout", "--seeds", "0-1", "--store", str(store)]) == DONE
    return store


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return shutil.copytree(filled, tmp_path / "results")


def damage(store: Path) -> Path:
    """Cut a run's row in half."""
    path = Store(store).files("runs")[0]
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    return path


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_version_is_the_packages(capsys: Written) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == DONE
    assert capsys.readouterr().out == f"stabbench {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["rnu"], ["list", "task"], ["run", "--workers", "two"], ["store", "verify"]])
def test_what_does_not_parse_is_bad_usage(capsys: Written, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE
    assert "usage: stabbench" in capsys.readouterr().err


def test_the_command_starts_and_lists_without_the_heavy_packages() -> None:
    code = """
import sys
from bench_lib.cli import main, parser
parser()
for kind in ("tasks", "models", "profiles"):
    assert main(["list", kind]) == 0
print(sorted({"torch", "transformers", "datasets", "peft", "pandas", "matplotlib"} & sys.modules.keys()))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "bench_lib.cli", "run", "--seeds", "x"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (USAGE, "")
    assert found.stderr.startswith("stabbench: seed range is 'x'")


# ---- list ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "names"),
    [
        ("tasks", TASKS.names()),
        ("techniques", TECHNIQUES.names()),
        ("models", MODELS.names()),
        ("profiles", PROFILES.names()),
    ],
)
def test_a_list_has_a_line_for_each_name(capsys: Written, kind: str, names: tuple[str, ...]) -> None:
    assert main(["list", kind]) == DONE
    title, *lines = capsys.readouterr().out.splitlines()
    assert title == f"{kind}:"
    assert tuple(line.split()[0] for line in lines) == names
    assert all(len(line.split()) > 2 for line in lines)


def test_without_a_kind_all_are_listed(capsys: Written) -> None:
    assert main(["list"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line for line in lines if not line.startswith(" ")] == ["tasks:", "techniques:", "models:", "profiles:"]
    assert len(lines) == 4 + len(TASKS) + len(TECHNIQUES) + len(MODELS) + len(PROFILES)


# ---- run -------------------------------------------------------------------------------------------------------------


def test_a_run_tells_each_result_and_the_sum(capsys: Written, tmp_path: Path) -> None:
    store = tmp_path / "results"
    assert main(["run", *SMALL, "--seeds", "3,5", "--store", str(store)]) == DONE
    records = Store(store).records()
    first, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "2 runs: 0 stored, 2 to do"
    assert [line.partition("]")[0].partition(",")[0] for line in lines] == ["[1/2", "[2/2"]
    for line, record in zip(lines, records, strict=True):
        assert f" sst2 adamw seed {record.seed}: {record.status} accuracy {record.score:.4f}" in line
    counts = ", ".join(f"{n} {status}" for status, n in sorted(Counter(r.status for r in records).items()))
    assert last == f"2 runs: 0 were stored, 2 are new ({counts}); in {store}"
    assert [(r.seed, r.profile, r.model, r.data_source) for r in records] == [
        (3, "smoke", "tiny", "embedded"),
        (5, "smoke", "tiny", "embedded"),
    ]


def test_the_same_run_again_has_nothing_to_do(capsys: Written, store: Path) -> None:
    before = Store(store).records()
    assert main(["run", *SMALL, "--techniques", "adamw,mixout", "--seeds", "0-1", "--store", str(store)]) == DONE
    first, last = capsys.readouterr().out.splitlines()
    assert first == "4 runs: 4 stored, 0 to do"
    assert last == f"4 runs: 4 were stored, 0 are new (nothing to do); in {store}"
    assert Store(store).records() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "4-1"], "seed range is '4-1'; allowed: numbers and rising ranges, such as 0-29 or 0-4,7,9"),
        (["--tasks", "sts2"], "unknown task 'sts2': did you mean 'sst2'?"),
        (["--techniques", "adamw,mixuot"], "unknown technique 'mixuot': did you mean 'mixout'?"),
        (["--techniques", "llrd:decay=x"], "llrd:decay is 'x'; allowed: a value of type float, such as 0.95"),
        (["--model", "minlm"], "unknown model 'minlm': did you mean 'minilm'"),
        (["--profile", "quik"], "unknown profile 'quik': did you mean 'quick'"),
        (["--data", "hbu"], "data source 'hbu' is neither 'hub' nor 'embedded' nor a folder that exists; did you mean"),
        (["--tasks", "rte"], "task rte has no embedded corpus; there is one for imdb, sst2, conll2003, squad"),
        (["--freeze", "odrer=1"], "--freeze is 'odrer=1'; allowed: STREAM=SEED once for a stream of init, order,"),
        (["--freeze", "order"], "--freeze is 'order'; allowed: STREAM=SEED"),
        (["--freeze", "order=1,order=2"], "--freeze is 'order=2'; allowed: STREAM=SEED once"),
        (["--retry", "crahsed"], "unknown status in --retry 'crahsed': did you mean 'crashed' or"),
        (["--workers", "2"], "--workers is 2; allowed: given with --executor local only"),
        (["--time-limit", "9"], "--time-limit is 9.0; allowed: given with --executor local only"),
        (["--executor", "local", "--workers", "0"], "number of workers is 0; allowed: 1 or more"),
        (["--executor", "local", "--time-limit", "0"], "time limit is 0.0; allowed: seconds above 0"),
    ],
)
def test_bad_input_is_answered_and_nothing_is_run(
    capsys: Written, tmp_path: Path, arguments: list[str], message: str
) -> None:
    assert main(["run", *SMALL, "--store", str(tmp_path / "results"), *arguments]) == USAGE
    written = capsys.readouterr()
    assert written.err.startswith(f"stabbench: {message}")
    assert written.out == ""
    assert not (tmp_path / "results").exists()


def test_a_store_that_is_a_file_is_refused(capsys: Written, tmp_path: Path) -> None:
    (tmp_path / "results").touch()
    assert main(["run", *SMALL, "--store", str(tmp_path / "results")]) == USAGE
    assert "is a file; allowed: a folder" in capsys.readouterr().err


Sweep = Callable[..., Progress]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a sweep is asked for: grid, store, executor, progress line and retry; nothing is run."""
    given: list[Any] = []

    def sweep(*arguments: object) -> Progress:
        given.extend(arguments)
        return Progress(0, 0, 0, Counter())

    monkeypatch.setattr(suite, "run_suite", sweep)
    return given


def test_the_defaults_ask_for_the_embedded_tasks(asked: list[Any]) -> None:
    assert main(["run"]) == DONE
    grid, store, executor, _, retry = asked
    assert grid == Grid(("imdb", "sst2", "conll2003", "squad"), ("adamw",), (0, 1, 2, 3, 4), "quick", "minilm")
    assert (grid.data, grid.frozen) == ("embedded", (("subset", 0),))
    assert (store.root, executor, retry) == (Path("bench-results"), InlineExecutor(), frozenset())


def test_every_option_reaches_the_sweep(asked: list[Any]) -> None:
    options = [
        "--tasks",
        "rte, cola",
        "--techniques",
        "llrd:decay=0.9, ema",
        "--seeds",
        "0-2,7",
        "--data",
        "hub",
    ]
    more = ["--freeze", "order=3, init=1", "--retry", "crashed, oom", "--profile", "desk", "--model", "roberta-base"]
    pool = ["--executor", "local", "--workers", "3", "--time-limit", "90", "--store", "elsewhere"]
    assert main(["run", *options, *more, *pool]) == DONE
    grid, store, executor, _, retry = asked
    assert grid == Grid(
        ("rte", "cola"),
        ("llrd:decay=0.9", "ema"),
        (0, 1, 2, 7),
        "desk",
        "roberta-base",
        "hub",
        (("init", 1), ("order", 3)),
    )
    assert (store.root, executor, retry) == (Path("elsewhere"), LocalExecutor(3, 90.0), {Status.CRASHED, Status.OOM})


def test_all_stands_for_what_is_registered(asked: list[Any]) -> None:
    assert main(["run", "--tasks", "all", "--techniques", "all", "--data", "hub"]) == DONE
    assert (asked[0].tasks, asked[0].techniques) == (TASKS.names(), TECHNIQUES.names())


def test_nothing_need_be_frozen_or_tried_again() -> None:
    assert parse_frozen("none") == ()
    assert parse_statuses("") == frozenset()


def test_an_interrupt_is_no_traceback(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise KeyboardInterrupt

    monkeypatch.setattr(suite, "run_suite", sweep)
    assert main(["run"]) == 130
    assert capsys.readouterr().err == "stabbench: stopped; what is stored is kept, the same command goes on\n"


class Raises(Technique):
    """Raises in the middle of the training, if it is told to."""

    name, paper, neutral = "raises", "none", None
    broken = True

    def after_update(self, training: Training) -> None:
        if self.broken:
            raise RuntimeError("the wheel came off")


def test_lost_runs_are_told_by_the_exit_code_and_can_be_tried_again(
    capsys: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "raises", Raises)
    command = ["run", *SMALL, "--techniques", "raises,adamw", "--seeds", "0", "--store", str(tmp_path / "results")]
    assert main(command) == INFRASTRUCTURE
    written = capsys.readouterr()
    assert "[1/2, 1 failed] sst2 raises seed 0: crashed RuntimeError: the wheel came off (at test_cli.py" in written.out
    assert "2 are new (1 co" in written.out
    assert ", 1 crashed)" in written.out
    assert written.err == "stabbench: the same command with --retry crashed tries the lost runs again\n"
    assert main(command) == DONE
    monkeypatch.setattr(Raises, "broken", False)
    assert main([*command, "--retry", "crashed"]) == DONE
    assert {r.technique: r.attempts for r in Store(tmp_path / "results").records()} == {"adamw": 1, "raises": 2}


# ---- report ----------------------------------------------------------------------------------------------------------


def test_a_report_names_the_files_that_it_wrote(capsys: Written, store: Path, tmp_path: Path) -> None:
    out = tmp_path / "reports"
    assert main(["report", "--store", str(store), "--out", str(out)]) == DONE
    written = capsys.readouterr()
    paths = [Path(line) for line in written.out.splitlines()]
    assert {path for path in out.rglob("*") if path.is_file()} == set(paths)
    assert {out / "leaderboard.md", out / "leaderboard.csv"} < set(paths)
    assert "mixout" in (out / "leaderboard.md").read_text()
    assert written.err == ""


def test_there_is_no_report_of_nothing(capsys: Written, tmp_path: Path) -> None:
    assert main(["report", "--store", str(tmp_path / "none"), "--out", str(tmp_path / "out")]) == USAGE
    assert "fill it with `stabbench run --store" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_an_unknown_baseline_is_answered_with_the_nearest(capsys: Written, store: Path, tmp_path: Path) -> None:
    command = ["report", "--store", str(store), "--out", str(tmp_path / "out"), "--baseline", "mixuot"]
    assert main(command) == USAGE
    assert "unknown baseline technique 'mixuot': did you mean 'mixout'?" in capsys.readouterr().err


# ---- store -----------------------------------------------------------------------------------------------------------


def test_a_sound_store_has_no_problems(capsys: Written, store: Path) -> None:
    assert main(["store", "verify", str(store)]) == DONE
    assert capsys.readouterr().out == "0 problems in 4 files of runs\n"


def test_a_truncated_file_is_a_problem_and_stays_where_it_is(capsys: Written, store: Path) -> None:
    path = damage(store)
    assert main(["store", "verify", str(store)]) == USAGE
    *problems, last = capsys.readouterr().out.splitlines()
    assert last == f"{len(problems)} problems in 4 files of runs"
    assert any(str(path) in problem for problem in problems)
    assert path.exists()


def test_a_truncated_file_is_set_aside_by_name_and_its_run_made_again(capsys: Written, store: Path) -> None:
    path = damage(store)
    relative = path.relative_to(store).as_posix()
    assert main(["store", "compact", str(store)]) == DONE
    written = capsys.readouterr()
    assert written.out == f"3 files of runs were merged; 1 are in {store}\n"
    assert written.err.startswith(f"stabbench: set aside the damaged file {relative} in {store / 'quarantine'}: ")
    assert len(written.err.splitlines()) == 1
    assert (store / "quarantine" / relative).exists()
    assert main(["run", *SMALL, "--techniques", "adamw,mixout", "--seeds", "0-1", "--store", str(store)]) == DONE
    assert "4 runs: 3 stored, 1 to do" in capsys.readouterr().out
    assert path.exists()


def test_a_report_tells_of_damaged_files(capsys: Written, store: Path, tmp_path: Path) -> None:
    name = damage(store).name
    assert main(["report", "--store", str(store), "--out", str(tmp_path / "reports")]) == DONE
    assert name in capsys.readouterr().err


def test_a_compacted_store_is_read_as_before(capsys: Written, store: Path) -> None:
    before = Store(store).records()
    assert main(["store", "compact", str(store)]) == DONE
    assert capsys.readouterr().out == f"4 files of runs were merged; 1 are in {store}\n"
    assert Store(store).records() == before
    assert main(["store", "compact", str(store)]) == DONE
    assert capsys.readouterr().out == f"0 files of runs were merged; 1 are in {store}\n"


def test_stores_are_merged(capsys: Written, store: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    for added in (4, 0):
        assert main(["store", "merge", str(tmp_path / "other"), str(store)]) == DONE
        written = capsys.readouterr()
        assert written.out == f"{added} runs of {store} were added; 4 are in {tmp_path / 'other'}\n"
        assert written.err == ""
    assert Store(tmp_path / "other").records() == Store(store).records()


def test_stores_that_disagree_are_told_run_by_run(capsys: Written, store: Path, tmp_path: Path) -> None:
    other = shutil.copytree(store, tmp_path / "other")
    changed = Store(other).records()[1]
    Store(other).append(dataclasses.replace(changed, tokens=changed.tokens + 1))
    assert main(["store", "merge", str(store), str(other)]) == USAGE
    written = capsys.readouterr()
    assert written.err == f"stabbench: run {changed.run_id} disagrees in tokens\n"
    assert written.out == f"0 runs of {other} were added; 4 are in {store}\n"


def test_merging_tells_of_damage_in_either_store(capsys: Written, store: Path, tmp_path: Path) -> None:
    other = shutil.copytree(store, tmp_path / "other")
    path = damage(other)
    assert main(["store", "merge", str(store), str(other)]) == DONE
    error = capsys.readouterr().err
    assert path.name in error
    assert str(other / "quarantine") in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "{store}", "{store}"], "a second store with merge, none with verify and compact"),
        (["merge", "{store}"], "FROM is None; allowed: a second store with merge"),
        (["merge", "{store}", "{none}"], "none'; allowed: a folder that exists"),
        (["compact", "{none}"], "none'; allowed: a folder that exists"),
    ],
)
def test_a_store_that_is_not_there_is_refused(
    capsys: Written, store: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    given = [part.format(store=store, none=tmp_path / "none") for part in arguments]
    assert main(["store", *given]) == USAGE
    assert message in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


# ---- doctor ----------------------------------------------------------------------------------------------------------


def test_the_doctor_has_a_line_for_each_finding(capsys: Written) -> None:
    assert main(["doctor"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "ok  versions",
        "ok  machine",
        "ok  model minilm",
        "ok  a smoke run, stored and read back",
    ]
    assert lines[-1].endswith(": 4 runs")


def test_what_the_doctor_finds_amiss_is_the_exit_code(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench_lib import doctor

    found = [doctor.Finding("wheels", "3"), doctor.Finding("spare wheel", "none", ok=False, optional=True)]
    monkeypatch.setattr(doctor, "examine", lambda data: [dataclasses.replace(f, found=data or f.found) for f in found])
    assert main(["doctor"]) == DONE
    assert capsys.readouterr().out == "ok  wheels: 3\n--  spare wheel: none\n"
    found.append(doctor.Finding("engine", "none", ok=False))
    assert main(["doctor", "--data", "here"]) == USAGE
    assert capsys.readouterr().out == "ok  wheels: here\n--  spare wheel: here\n--  engine: here\n"


# ---- progress --------------------------------------------------------------------------------------------------------


@pytest.fixture
def stages(data_folder: Path) -> list[Progress]:
    """A sweep of three runs, one of them stored, as it is told."""
    specs = plan(Grid(("sst2",), ("adamw",), (0, 1), "smoke", "tiny", str(data_folder)))
    good: RunRecord = dataclasses.replace(blank_record(specs[0], Status.CONVERGED, ""), score=0.875)
    bad = blank_record(specs[1], Status.TIMEOUT, "no result within 5 s " + "x" * 200)
    return [
        Progress(3, 1, 0, Counter()),
        Progress(3, 1, 1, Counter(["converged"]), good),
        Progress(3, 1, 2, Counter(["converged", "timeout"]), bad),
    ]


def test_elsewhere_each_run_is_a_line(capsys: Written, stages: list[Progress]) -> None:
    with ProgressLine() as line:
        for stage in stages:
            line(stage)
    written = capsys.readouterr()
    assert written.out.splitlines() == [
        "3 runs: 1 stored, 2 to do",
        "[2/3, 0 failed] sst2 adamw seed 0: converged accuracy 0.8750",
        f"[3/3, 1 failed] sst2 adamw seed 1: timeout no result within 5 s {'x' * 139}",
    ]
    assert written.err == ""


def test_on_a_terminal_there_is_a_bar_and_lost_runs_are_named(
    capsys: Written, monkeypatch: pytest.MonkeyPatch, stages: list[Progress]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with ProgressLine() as line:
        shown = []
        for stage in stages:
            line(stage)
            shown.append((line.bar.n, line.bar.total, line.bar.postfix))
    assert shown == [(1, 3, "0 failed"), (2, 3, "0 failed"), (3, 3, "1 failed")]
    written = capsys.readouterr()
    assert written.out == ""
    assert "3/3" in written.err
    named = [part for part in written.err.replace("\r", "\n").splitlines() if "sst2" in part]
    assert len(named) == 1
    assert named[0].startswith("[3/3, 1 failed] sst2 adamw seed 1: timeout")


def test_an_error_of_ours_is_a_message(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise BenchError("there is no room")

    monkeypatch.setattr(suite, "run_suite", sweep)
    assert main(["run"]) == USAGE
    assert capsys.readouterr().err == "stabbench: there is no room\n"
