from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE
from bench_lib.core.record import Status
from bench_lib.executors import InlineExecutor, LocalExecutor
from bench_lib.runner.grid import Grid
from bench_lib.runner.limits import Limits
from bench_lib.runner.options import parse_frozen, parse_frozen_configurations, parse_statuses
from bench_lib.runner.sweep import Progress
from bench_lib.store import Store
from bench_lib.tasks import STANDARD
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique

Small = tuple[str, ...]
Written = pytest.CaptureFixture[str]


def test_a_run_tells_each_result_and_the_sum(capsys: Written, tmp_path: Path, small: Small) -> None:
    store = tmp_path / "results"
    assert main(["run", *small, "--seeds", "3,5", "--store", str(store)]) == DONE
    records = Store(store).records()
    first, running, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "2 runs: 0 stored, 2 to do"
    assert running == "running sst2 adamw seed 3"
    assert [line.partition("]")[0].partition(",")[0] for line in lines] == ["[1/2", "[2/2"]
    for line, record in zip(lines, records, strict=True):
        assert f" sst2 adamw seed {record.seed}: {record.status} accuracy {record.score:.4f}" in line
    counts = ", ".join(f"{n} {status}" for status, n in sorted(Counter(r.status for r in records).items()))
    assert last == f"2 runs: 0 were stored, 2 are new ({counts}); in {store}"
    assert [(r.seed, r.profile, r.model, r.data_source) for r in records] == [
        (3, "smoke", "tiny", "embedded"),
        (5, "smoke", "tiny", "embedded"),
    ]


def test_the_same_run_again_has_nothing_to_do(capsys: Written, store: Path, small: Small) -> None:
    before = Store(store).records()
    assert main(["run", *small, "--techniques", "adamw,mixout", "--seeds", "0-1", "--store", str(store)]) == DONE
    first, last = capsys.readouterr().out.splitlines()
    assert first == "4 runs: 4 stored, 0 to do"
    assert last == f"4 runs: 4 were stored, 0 are new (nothing to do); in {store}"
    assert Store(store).records() == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--seeds", "4-1"], "seed range is '4-1'; allowed: numbers and rising ranges, such as 0-29 or 0-4,7,9"),
        (["--tasks", "sst22"], "unknown task 'sst22': did you mean 'sst2'?"),
        (["--techniques", "adamw,mixuot"], "unknown technique 'mixuot': did you mean 'mixout' or"),
        (
            ["--techniques", "ensemble", "--seeds", "0-3"],
            "seeds for ensemble is [0, 1, 2, 3]; allowed: whole groups of",
        ),
        (["--techniques", "ensemble+greedy_soup"], "ensemble and greedy_soup cannot be stacked: a pool is not made of"),
        (["--techniques", "llrd:decay=x"], "llrd:decay is 'x'; allowed: a value of type float, such as 0.95"),
        (["--model", "minlm"], "unknown model 'minlm': did you mean 'minilm'"),
        (["--profile", "quik"], "unknown profile 'quik': did you mean 'quick'"),
        (["--data", "hbu"], "data source 'hbu' is neither 'hub' nor 'embedded' nor a folder that exists; did you mean"),
        (["--tasks", "rte"], "task rte has no embedded corpus; there is one for imdb, sst2, conll2003, squad"),
        (["--freeze", "odrer=1"], "--freeze is 'odrer=1'; allowed: STREAM=SEED once for a stream of init, order,"),
        (["--freeze", "order"], "--freeze is 'order'; allowed: STREAM=SEED"),
        (["--freeze", "order=1,order=2"], "--freeze is 'order=2'; allowed: STREAM=SEED once"),
        (["--vary", "intt"], "unknown stream in --vary 'intt': did you mean 'init'"),
        (["--vary", "init+init"], "--vary is 'init+init'; allowed: init, init+order, initxorder"),
        (
            ["--vary", "init,order", "--freeze", "order=7"],
            "--freeze is 'order=7'; allowed: what --vary init,order does",
        ),
        (["--vary", "init", "--freeze", "none"], "--freeze is 'none'; allowed: STREAM=SEED beside --vary, which"),
        (["--vary", "augment"], "runs of adamw on sst2 would be equal, since no technique of the stack draws"),
        (["--vary", "init", "--techniques", "ensemble"], "ensemble pools several seeds into one record, so no stream"),
        (["--retry", "crahsed"], "unknown status in --retry 'crahsed': did you mean 'crashed' or"),
        (
            ["--workers", "2"],
            "workers of the executor inline is 2; allowed: none; the executors local, ray and slurm take it",
        ),
        (
            ["--time-limit", "9"],
            "time limit of the executor inline is 9.0; allowed: none; the executors local, ray and slurm take it",
        ),
        (["--executor", "locl"], "unknown executor 'locl': did you mean 'local'?"),
        (["--executor", "local", "--address", "auto"], "address of the executor local is 'auto'; allowed: none; the"),
        (["--executor", "ray", "--address", "here"], "--address is 'here'; allowed: auto, local, or HOST:PORT of a"),
        (["--executor", "ray", "--gpus-per-run", "1.5"], "--gpus-per-run is 1.5; allowed: 0, a share below 1, or a"),
        (["--executor", "slurm", "--time", "0"], "--time is 0; allowed: 2 minutes or more"),
        (
            ["--executor", "ray", "--partition", "gpu"],
            "partition of the executor ray is 'gpu'; allowed: none; the exec",
        ),
        (["--executor", "local", "--workers", "0"], "number of workers is 0; allowed: 1 or more"),
        (["--executor", "local", "--time-limit", "0"], "time limit is 0.0; allowed: seconds above 0"),
        (["--max-runs", "0"], "--max-runs is 0; allowed: 1 or more"),
        (["--max-hours", "nan"], "--max-hours is nan; allowed: above 0, such as 0.5 for half an hour"),
    ],
)
def test_bad_input_is_answered_and_nothing_is_run(
    capsys: Written, tmp_path: Path, arguments: list[str], message: str, small: Small
) -> None:
    assert main(["run", *small, "--store", str(tmp_path / "results"), *arguments]) == USAGE
    written = capsys.readouterr()
    assert written.err.startswith(f"stabbench: {message}")
    assert written.out == ""
    assert not (tmp_path / "results").exists()


def test_a_store_that_is_a_file_is_refused(capsys: Written, tmp_path: Path, small: Small) -> None:
    (tmp_path / "results").touch()
    assert main(["run", *small, "--store", str(tmp_path / "results")]) == USAGE
    assert "is a file; allowed: a folder" in capsys.readouterr().err


Sweep = Callable[..., Progress]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What a sweep is asked for: grid, store, executor, progress line and retry; nothing is run."""
    given: list[Any] = []

    def sweep(*arguments: object) -> Progress:
        given.extend(arguments)
        return Progress(0, 0, 0, Counter())

    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", sweep)
    return given


def test_the_defaults_ask_for_the_embedded_tasks(asked: list[Any]) -> None:
    assert main(["run"]) == DONE
    grid, store, executor, _, retry, limits = asked
    assert limits == Limits()
    tasks = ("imdb", "sst2", "conll2003", "squad")
    assert grid == Grid(tasks, ("adamw",), (0, 1, 2, 3, 4), "quick", "minilm", tuned_from="bench-results")
    assert (grid.data, grid.frozen) == ("embedded", ((("subset", 0),),))
    assert (store.root, executor.executor, retry) == (Path("bench-results"), InlineExecutor(), frozenset())


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
    pool += ["--tuned-from", "trials"]
    assert main(["run", *options, *more, *pool, "--max-runs", "4", "--max-hours", "0.5"]) == DONE
    grid, store, executor, _, retry, limits = asked
    assert limits == Limits(4, 0.5)
    assert grid == Grid(
        ("rte", "cola"),
        ("llrd:decay=0.9", "ema"),
        (0, 1, 2, 7),
        "desk",
        "roberta-base",
        "hub",
        ((("init", 1), ("order", 3)),),
        tuned_from="trials",
    )
    assert (store.root, executor.executor, retry) == (
        Path("elsewhere"),
        LocalExecutor(3, 90.0, imports="bench_lib.executors.libraries"),
        {Status.CRASHED, Status.OOM},
    )


def test_all_stands_for_what_is_registered(asked: list[Any]) -> None:
    assert main(["run", "--tasks", "all", "--techniques", "all", "--data", "hub", "--seeds", "0-9"]) == DONE
    assert (asked[0].tasks, asked[0].techniques) == (STANDARD, TECHNIQUES.names())


def test_all_leaves_out_the_pools_that_the_seeds_do_not_make_up(asked: list[Any]) -> None:
    assert main(["run", "--techniques", "all", "--seeds", "1-4"]) == DONE
    left_out = set(TECHNIQUES.names()) - set(asked[0].techniques)
    assert left_out == {"ensemble", "greedy_soup", "uniform_soup", "start_many"}  # seeds 2 and 3 do for model_stock


def test_what_varies_becomes_arms_without_pools(asked: list[Any]) -> None:
    assert main(["run", "--vary", "init,all", "--freeze", "order=7", "--techniques", "all"]) == USAGE
    assert main(["run", "--vary", "init,dropout", "--freeze", "order=7", "--techniques", "all"]) == DONE
    assert [dict(arm) for arm in asked[0].frozen] == [
        {"order": 7, "dropout": 0, "augment": 0, "subset": 0},
        {"order": 7, "init": 0, "augment": 0, "subset": 0},
    ]
    pools = {"ensemble", "greedy_soup", "uniform_soup", "model_stock", "start_many"}
    assert set(TECHNIQUES.names()) - set(asked[0].techniques) == pools


def test_streams_are_varied_in_turn(capsys: Written, tmp_path: Path, small: Small) -> None:
    command = ["run", *small, "--seeds", "0-1", "--store", str(tmp_path / "results")]
    assert main([*command, "--vary", "initxorder"]) == DONE
    assert capsys.readouterr().out.startswith("4 runs: 0 stored, 4 to do")
    assert main([*command, "--vary", "init,order"]) == DONE
    # The first column of the grid is the arm of the initialisation.
    assert capsys.readouterr().out.startswith("4 runs: 2 stored, 2 to do")
    specs = [json.loads(record.spec) for record in Store(tmp_path / "results").records()]
    assert all(len(spec["frozen"]) == 4 for spec in specs)


def test_a_pool_is_run_with_its_members(capsys: Written, tmp_path: Path, small: Small) -> None:
    store = tmp_path / "results"
    command = ["run", *small, "--techniques", "ensemble:members=2", "--seeds", "0-1", "--store", str(store)]
    assert main(command) == DONE
    first, _, *lines, last = capsys.readouterr().out.splitlines()
    assert first == "3 runs: 0 stored, 3 to do"
    made = ("adamw seed 0", "adamw seed 1", "ensemble:members=2 seed 0")
    for number, (line, run) in enumerate(zip(lines, made, strict=True), 1):
        assert line.startswith(f"[{number}/3, ")
        assert f" sst2 {run}: " in line
    assert last.startswith("3 runs: 0 were stored, 3 are new (")
    assert [(r.technique, r.seed) for r in Store(store).records()] == [
        ("adamw", 0),
        ("adamw", 1),
        ("ensemble:members=2", 0),
    ]
    assert main(command) == DONE
    assert capsys.readouterr().out.startswith("3 runs: 3 stored, 0 to do")


def test_what_is_frozen_without_a_stream_to_vary() -> None:
    assert parse_frozen_configurations(None, None, (0, 1)) == ((("subset", 0),),)
    assert parse_frozen_configurations(None, "none", (0, 1)) == ((),)
    assert parse_frozen_configurations(None, "order=3,init=1", (0, 1)) == ((("init", 1), ("order", 3)),)


def test_nothing_need_be_frozen_or_tried_again() -> None:
    assert parse_frozen("none") == ()
    assert parse_statuses("") == frozenset()


def test_a_run_that_is_limited_ends_between_runs_and_goes_on(capsys: Written, tmp_path: Path, small: Small) -> None:
    command = ["run", *small, "--seeds", "0-2", "--store", str(tmp_path / "results"), "--max-runs", "2"]
    assert main(command) == DONE
    written = capsys.readouterr()
    assert written.out.splitlines()[-1].startswith("3 runs: 0 were stored, 2 are new (")
    assert written.err == "stabbench: stopped at a limit with 1 of 3 runs left; the same command goes on\n"
    assert main(command) == DONE
    written = capsys.readouterr()
    assert written.out.splitlines()[-1].startswith("3 runs: 2 were stored, 1 are new (")
    assert written.err == ""


class Raises(Technique):
    """Raises in the middle of the training, if it is told to."""

    name, paper, identity = "raises", "none", None
    broken = True

    def after_update(self, training: Training) -> None:
        if self.broken:
            raise RuntimeError("the wheel came off")


def test_lost_runs_are_told_by_the_exit_code_and_can_be_tried_again(
    capsys: Written, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small: Small
) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "raises", Raises)
    command = ["run", *small, "--techniques", "raises,adamw", "--seeds", "0", "--store", str(tmp_path / "results")]
    assert main(command) == INFRASTRUCTURE
    written = capsys.readouterr()
    assert "[1/2, 1 failed; " in written.out
    assert "] sst2 raises seed 0: crashed RuntimeError: the wheel came off (at test_run.py" in written.out
    assert "2 are new (1 co" in written.out
    assert ", 1 crashed)" in written.out
    assert written.err == "stabbench: the same command with --retry crashed tries the lost runs again\n"
    assert main(command) == DONE
    monkeypatch.setattr(Raises, "broken", False)
    assert main([*command, "--retry", "crashed"]) == DONE
    assert {r.technique: r.attempts for r in Store(tmp_path / "results").records()} == {"adamw": 1, "raises": 2}


def test_pools_that_wait_are_told_of_and_are_no_success(monkeypatch: pytest.MonkeyPatch, capsys: Written) -> None:
    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", lambda *_: Progress(5, 3, 0, Counter()))
    assert main(["run"]) == INFRASTRUCTURE
    told = "2 seed ensembles wait for lost members; --retry oom,timeout,crashed tries those again"
    assert told in capsys.readouterr().err


def test_a_grid_of_which_everything_is_declined_is_bad_input(capsys: Written, tmp_path: Path) -> None:
    words = [
        "run",
        "--profile",
        "smoke",
        "--model",
        "tiny",
        "--tasks",
        "conll2003",
        "--techniques",
        "mixup,back_translation",
    ]
    again = [*words, "--seeds", "0", "--store", str(tmp_path / "results")]
    for _ in range(2):  # as they come, and once they are stored
        assert main(again) == USAGE
        (line,) = capsys.readouterr().err.splitlines()
        told, _, reasons = line.partition("every run was declined: ")
        assert told == "stabbench: "
        named = sorted(reason.partition(" declines tokens tasks: ")[0] for reason in reasons.split("; "))
        assert named == ["back_translation", "mixup"]


def test_what_is_declined_beside_what_ran_is_told(capsys: Written, tmp_path: Path) -> None:
    words = ["--profile", "smoke", "--model", "tiny", "--tasks", "conll2003", "--techniques", "adamw,mixup"]
    assert main(["run", *words, "--seeds", "0", "--store", str(tmp_path / "results")]) == DONE
    written = capsys.readouterr()
    assert "1 unsupported" in written.out.splitlines()[-1]
    assert written.err.startswith("stabbench: of 2 runs 1 were declined: mixup declines tokens tasks: ")
