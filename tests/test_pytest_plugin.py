from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest

import bench_lib
from bench_lib.cli import until_decided
from bench_lib.cli.run import add_to
from bench_lib.core import extras
from bench_lib.core.errors import BadPlan
from bench_lib.core.record import Predictions, RunRecord, Status
from bench_lib.executors import InlineExecutor, LocalExecutor
from bench_lib.pytest_plugin import grid_of, pytest_addoption, request_of
from bench_lib.pytest_plugin.session import Lines, Session
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.records import blank_record
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Address, Store
from bench_lib.tasks import STANDARD
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique

pytest_plugins = ["pytester"]

BENCHMARKS = Path(bench_lib.__file__).parents[1] / "benchmarks" / "test_stability.py"


class Bench:
    """`pytest --benchmark-only` in a folder of its own, on two seeds of one small task unless told otherwise."""

    def __init__(self, pytester: pytest.Pytester, data: Path) -> None:
        self.pytester = pytester
        self.store = Store(pytester.path / "results")
        self.report = pytester.path / "report.json"
        self.grid = Grid(("sst2",), ("adamw", "mixout"), (0, 1), "smoke", "tiny", str(data))
        pytester.makepyfile(test_stability=BENCHMARKS.read_text())

    def __call__(self, *arguments: str, **names: str) -> pytest.RunResult:
        asked = {
            "profile": self.grid.profile,
            "model": self.grid.model,
            "data": self.grid.data,
            "tasks": ",".join(self.grid.tasks),
            "techniques": ",".join(self.grid.techniques),
            "seeds": "0-1",
            "store": str(self.store.root),
            **names,
        }
        options = [part for name, value in asked.items() for part in (f"--bench-{name}", value)]
        always = ("-W", "error", "-p", "no:cacheprovider", "--benchmark-only", "-rs")
        return self.pytester.runpytest_inprocess(*always, *options, *arguments)

    def rows(self) -> dict[str, dict[str, Any]]:
        """The rows of pytest-benchmark's report by the name of the cell."""
        return {row["param"]: row for row in json.loads(self.report.read_text())["benchmarks"]}


@pytest.fixture(scope="module", autouse=True)
def loaded(data_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """All that a run imports on its way: an inner pytest takes away what it has imported when it ends."""
    grid = Grid(("sst2",), ("adamw", "mixout"), (0,), "smoke", "tiny", str(data_folder))
    run_suite(grid, Store(tmp_path_factory.mktemp("loaded")), InlineExecutor())


@pytest.fixture
def bench(pytester: pytest.Pytester, data_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the inner one is not distributed
    return Bench(pytester, data_folder)


def fill(bench: Bench, **changes: Any) -> list[RunRecord]:
    """Store the runs of the grid without pytest."""
    run_suite(dataclasses.replace(bench.grid, **changes), bench.store, InlineExecutor())
    return bench.store.records()


def test_a_cell_is_a_row_and_a_seed_a_round(bench: Bench) -> None:
    result = bench(f"--benchmark-json={bench.report}")
    result.assert_outcomes(passed=2)
    rows = bench.rows()
    assert set(rows) == {"sst2-adamw", "sst2-mixout"}
    assert all((row["stats"]["rounds"], row["stats"]["iterations"]) == (2, 1) for row in rows.values())
    stored = {(r.technique, r.seed): r for r in bench.store.records()}
    assert set(stored) == {(technique, seed) for technique in ("adamw", "mixout") for seed in (0, 1)}
    for technique in ("adamw", "mixout"):
        facts = rows[f"sst2-{technique}"]["extra_info"]
        runs = [stored[technique, seed] for seed in (0, 1)]
        assert facts["seed"] == [0, 1]
        assert facts["metric"] == ["accuracy", "accuracy"]
        assert all(score is not None for score in facts["score"])
        for name in ("status", "score", "train_seconds", "eval_seconds", "tokens_per_second", "peak_memory_bytes"):
            assert facts[name] == [run.columns()[name] for run in runs], name


def test_without_pytest_benchmark_it_is_said_what_to_install(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    # pytest looks at all modules of its plugins, so that none can be taken away.
    monkeypatch.setattr(extras, "is_installed", lambda package: package != "pytest_benchmark")
    found = bench()
    found.stdout.fnmatch_lines(
        ["*the benchmarks: the package pytest_benchmark is not installed: pip install *benchmarks*"]
    )
    assert found.ret == pytest.ExitCode.INTERRUPTED


def test_the_runs_are_those_of_the_suite(bench: Bench) -> None:
    bench().assert_outcomes(passed=2)
    assert bench.store.ids() == {spec.run_id() for spec in plan(bench.grid)}
    assert all(isinstance(bench.store.predictions(run_id), Predictions) for run_id in bench.store.ids())


def test_what_is_stored_is_skipped_with_the_reason(bench: Bench) -> None:
    before = fill(bench)
    result = bench()
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*all 2 seeds are stored in *results; --bench-rerun trains them again*"])
    assert bench.store.records() == before


def test_only_missing_seeds_are_trained(bench: Bench) -> None:
    fill(bench, techniques=("adamw",), seeds=(1,))
    bench(f"--benchmark-json={bench.report}", techniques="adamw", seeds="0-2").assert_outcomes(passed=1)
    (row,) = bench.rows().values()
    assert row["stats"]["rounds"] == 2
    assert row["extra_info"]["seed"] == [0, 2]
    assert [record.seed for record in bench.store.records()] == [0, 1, 2]


def test_a_rerun_trains_again_and_changes_nothing(bench: Bench) -> None:
    before = fill(bench)
    bench("--bench-rerun", f"--benchmark-json={bench.report}").assert_outcomes(passed=2)
    assert {row["stats"]["rounds"] for row in bench.rows().values()} == {2}
    assert bench.store.records() == before


def test_a_rerun_keeps_seeds_that_were_missing(bench: Bench) -> None:
    fill(bench, techniques=("adamw",), seeds=(0,))
    bench("--bench-rerun", techniques="adamw").assert_outcomes(passed=1)
    assert [record.seed for record in bench.store.records()] == [0, 1]


def test_a_rerun_names_the_fields_that_differ(bench: Bench) -> None:
    first, second = fill(bench, techniques=("adamw",))
    bench.store.append(second.changed({"tokens": second.cost.tokens + 1, "train_seconds": 99.0}))
    result = bench("--bench-rerun", techniques="adamw")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*seed 1 differs from the stored run in tokens"])
    assert bench.store.records()[0] == first


def test_a_rerun_tries_a_lost_run_again(bench: Bench) -> None:
    (good,) = fill(bench, techniques=("adamw",), seeds=(0,))
    bench.store.append(dataclasses.replace(good, status="crashed", reason="gone", score=None, attempts=2))
    bench("--bench-rerun", techniques="adamw", seeds="0").assert_outcomes(passed=1)
    (stored,) = bench.store.records()
    assert (stored.status, stored.attempts, stored.score) == (good.status, 3, good.score)


def test_what_is_run_is_told_before_and_each_run_as_it_ends(bench: Bench) -> None:
    fill(bench, techniques=("mixout",), seeds=(1,))
    quiet = bench("-q")
    quiet.assert_outcomes(passed=2)
    quiet.stdout.re_match_lines(
        [
            r"4 runs \(1 task x 2 techniques x 2 seeds, profile smoke, model tiny\) into .*results; 1 stored, 3 to do, "
            r"about .* on this machine",
            r"running sst2 adamw seed 0",
            r"\[2/4, \d failed; .* s a run, 2 left in about .* s\] sst2 adamw seed 0: \w+ accuracy 0\.\d{4}.*",
            r"\[3/4, \d failed; .* s a run, 1 left in about .* s\] sst2 adamw seed 1: .*",
            r"running sst2 mixout seed 0",
            r"\[4/4, \d failed; .* s a run\] sst2 mixout seed 0: .*",
        ]
    )


def test_only_what_is_selected_is_told_of(bench: Bench) -> None:
    looked = bench("--collect-only")
    assert looked.ret == pytest.ExitCode.OK
    looked.stdout.no_fnmatch_line("*to do*")
    fill(bench, techniques=("mixout",))
    bench("-k", "mixout").stdout.fnmatch_lines(["2 runs (1 task x 1 technique x 2 seeds, *; 2 stored, 0 to do"])


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ({"techniques": "adamw,mixuot"}, "unknown technique 'mixuot': did you mean 'mixout' or *"),
        ({"seeds": "3-1"}, "seed range is '3-1'; allowed: numbers and rising ranges, *"),
    ],
)
def test_bad_options_are_answered_with_what_is_allowed(bench: Bench, names: dict[str, str], message: str) -> None:
    result = bench(**names)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ERROR collecting*", message])
    result.stdout.no_fnmatch_line("*.py:*")
    assert not bench.store.root.exists()


class Raises(Technique):
    """Raises in the middle of the training."""

    name, paper, identity = "raises", "none", None

    def after_update(self, training: Training) -> None:
        raise RuntimeError("the wheel came off")


def test_a_run_that_crashed_fails_its_cell_but_is_stored(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "raises", Raises)
    result = bench(techniques="raises,adamw")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["*seed 0 crashed: RuntimeError: the wheel came off*seed 1 crashed: *"])
    stored = {(r.technique, r.seed): r.status for r in bench.store.records()}
    assert (stored["raises", 0], stored["raises", 1]) == ("crashed", "crashed")
    assert len(stored) == 4


class Interrupts(Technique):
    """Interrupts the second training that it takes part in."""

    name, paper, identity = "interrupts", "none", None
    seen: list[int] = []  # noqa: RUF012 (shared on purpose: each run makes its own instance)

    def prepare(self, training: Training) -> None:
        self.seen.append(1)
        if len(self.seen) == 2:
            raise KeyboardInterrupt


def test_an_interrupt_keeps_the_rounds_before_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "interrupts", Interrupts)
    Interrupts.seen.clear()
    with pytest.raises(KeyboardInterrupt):
        bench(techniques="interrupts")
    assert [record.seed for record in bench.store.records()] == [0]


class Declines(Technique):
    """Takes no task."""

    name, paper, identity = "declines", "none", None

    def declines(self, task_format: object) -> str:
        return "there is nothing it can do"


def test_a_cell_that_is_declined_is_skipped_with_the_reason_and_stored(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "declines", Declines)
    result = bench(techniques="declines")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*declines declines sequence tasks: there is nothing it can do*"])
    assert {record.status for record in bench.store.records()} == {"unsupported"}
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["stabbench: every run was declined; -rs tells why"])


def test_a_session_of_which_a_part_is_declined_is_a_success(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(TECHNIQUES._entries, "declines", Declines)
    result = bench(techniques="declines,adamw", seeds="0")
    result.assert_outcomes(skipped=1, passed=1)
    assert result.ret == pytest.ExitCode.OK
    result.stdout.no_fnmatch_line("*every run was declined*")


SOUP = "greedy_soup:members=2"


@pytest.mark.exhaustive
def test_a_pool_is_a_cell_after_those_of_its_members(bench: Bench) -> None:
    asked = dataclasses.replace(bench.grid, techniques=(SOUP, "ensemble:members=2", "llrd+ensemble:members=1"))
    bench(f"--benchmark-json={bench.report}", techniques=",".join(asked.techniques)).assert_outcomes(passed=5)
    rows = {name: row["stats"]["rounds"] for name, row in bench.rows().items()}
    assert list(rows)[:2] == ["sst2-adamw", "sst2-llrd"]
    assert rows == {
        "sst2-adamw": 2,
        "sst2-llrd": 2,
        f"sst2-{SOUP}": 1,
        "sst2-ensemble:members=2": 1,
        "sst2-llrd+ensemble:members=1": 2,
    }
    assert bench.store.ids() == {spec.run_id() for spec in plan(asked)}
    made = {(r.technique, r.seed): r for r in bench.store.records()}
    assert made[SOUP, 0].cost.steps == 2 * made["adamw", 0].cost.steps
    assert not [*(bench.store.root / "weights").iterdir()], "the weights have served"
    other = Store(bench.pytester.path / "other")
    run_suite(asked, other, InlineExecutor())
    assert [r.result() for r in bench.store.records()] == [r.result() for r in other.records()]


@pytest.mark.exhaustive
def test_a_pool_whose_members_cannot_be_pooled_is_skipped_with_the_reason(bench: Bench) -> None:
    fill(bench, techniques=("adamw",), seeds=(1,))
    result = bench("-k", "soup or ensemble", techniques=f"{SOUP},ensemble:members=2")
    result.assert_outcomes(skipped=2, deselected=1)
    result.stdout.fnmatch_lines(["*sst2 adamw seed 0, which it pools, is not stored or was lost*"])
    result = bench(techniques=f"{SOUP},ensemble:members=2")
    result.assert_outcomes(passed=2, skipped=1)
    result.stdout.fnmatch_lines(["*the weights of sst2 adamw seed 1, which it pools, are not stored*"])


def test_a_pool_waits_for_a_lost_member(bench: Bench) -> None:
    first, _ = fill(bench, techniques=("adamw",))
    bench.store.append(dataclasses.replace(first, status="crashed", reason="gone", score=None, attempts=2))
    result = bench(techniques="ensemble:members=2")
    result.assert_outcomes(skipped=2)
    result.stdout.fnmatch_lines(["*sst2 adamw seed 0, which it pools, is not stored or was lost*"])


@pytest.mark.exhaustive
def test_a_rerun_makes_a_pool_again_and_changes_nothing(bench: Bench) -> None:
    fill(bench, techniques=("adamw", "ensemble:members=2"))
    before = bench.store.records()
    bench("--bench-rerun", techniques="adamw,ensemble:members=2").assert_outcomes(passed=2)
    assert bench.store.records() == before


def test_the_options_have_the_command_lines_meanings(pytester: pytest.Pytester) -> None:
    names = ("--bench-techniques", "all", "--bench-seeds", "0-9,17", "--bench-profile", "desk")
    assert grid_of(pytester.parseconfig(*names)) == Grid(
        ("sst2", "conll2003"), TECHNIQUES.names(), (*range(10), 17), "desk", tuned_from="bench-results"
    )
    assert grid_of(pytester.parseconfig("--bench-tasks", "all")).tasks == ("imdb", "sst2", "conll2003", "squad")
    few = grid_of(pytester.parseconfig("--bench-techniques", "all", "--bench-seeds", "0-3"))
    assert set(TECHNIQUES.names()) - set(few.techniques) == {"ensemble", "greedy_soup", "uniform_soup", "start_many"}
    assert grid_of(pytester.parseconfig("--bench-data", "hub", "--bench-tasks", "all")).tasks == STANDARD
    assert grid_of(pytester.parseconfig("--bench-tasks", "rte, cola")).tasks == ("rte", "cola")


def test_streams_axes_and_statuses_are_asked_for_as_on_the_command_line(pytester: pytest.Pytester) -> None:
    streams = grid_of(pytester.parseconfig("--bench-vary", "init,order", "--bench-freeze", "dropout=7"))
    assert [dict(arm) for arm in streams.frozen] == [
        {"order": 0, "dropout": 7, "augment": 0, "subset": 0},
        {"init": 0, "dropout": 7, "augment": 0, "subset": 0},
    ]
    assert grid_of(pytester.parseconfig("--bench-freeze", "none")).frozen == ((),)
    names = ("--bench-per-class", "2,4", "--bench-label-noise", "0.1")
    assert grid_of(pytester.parseconfig(*names)).axes == (("per_class", (2, 4)), ("label_noise", (0.1,)))
    with pytest.raises(BadPlan, match=r"--bench-attack is 'x'; allowed: a value of type"):
        grid_of(pytester.parseconfig("--bench-attack", "x"))


def test_every_option_of_run_is_one_of_pytest_too() -> None:
    command = argparse.ArgumentParser()
    add_to(command)
    parser = pytest.Parser(_ispytest=True)
    pytest_addoption(parser)
    names = {name for group in parser._groups for option in group.options for name in option.names()}
    # pytest has its own help; plans and verdicts are no benchmarks.
    elsewhere = {"help", "plan", "part", "until_decided", *until_decided.DEFAULTS}
    found = {f"--bench-{action.dest.replace('_', '-')}" for action in command._actions if action.dest not in elsewhere}
    assert names == found | {"--bench-rerun", "--bench-overhead"}


def test_the_executor_and_the_limits_are_those_of_run(pytester: pytest.Pytester) -> None:
    small = ("--bench-model", "tiny", "--bench-profile", "smoke", "--bench-tasks", "sst2")
    asked = request_of(pytester.parseconfig(*small))
    assert asked.executor == InlineExecutor()
    assert (asked.limits.runs, asked.limits.hours) == (None, None)
    given = ("--bench-executor", "local", "--bench-workers", "2", "--bench-time-limit", "60", "--bench-max-runs", "7")
    asked = request_of(pytester.parseconfig(*small, *given))
    assert isinstance(asked.executor, LocalExecutor)
    assert (asked.executor.workers, asked.executor.time_limit, asked.limits.runs) == (2, 60.0, 7)
    for wrong, message in (
        (("--bench-workers", "2"), "workers of the executor inline is 2; allowed: none; the executors local, ray and"),
        (("--bench-executor", "locl"), "unknown executor 'locl': did you mean 'local'"),
        (("--bench-executor", "slurm", "--bench-cluster", "local"), "--bench-executor is slurm: its jobs store their"),
        (("--bench-max-runs", "0"), "--max-runs is 0; allowed: 1 or more"),
    ):
        with pytest.raises(BadPlan, match=message):
            request_of(pytester.parseconfig(*small, *wrong))


def test_the_rounds_are_made_by_the_executor(bench: Bench) -> None:
    result = bench("--bench-executor", "local", "--bench-workers", "2", techniques="adamw")
    result.assert_outcomes(passed=1)
    inline = Store(bench.pytester.path / "inline")
    run_suite(dataclasses.replace(bench.grid, techniques=("adamw",)), inline, InlineExecutor())
    assert [r.result() for r in bench.store.records()] == [r.result() for r in inline.records()]


def test_a_limit_ends_the_session_with_the_reason_and_the_same_command_goes_on(bench: Bench) -> None:
    first = bench("--bench-max-runs", "3")
    first.assert_outcomes(passed=2)
    assert len(bench.store.ids()) == 3
    second = bench("--bench-max-runs", "1", techniques="mixout,adamw,llrd")
    second.assert_outcomes(passed=1, skipped=2)
    second.stdout.fnmatch_lines(["*a limit is reached with 2 of 2 seeds left*"])
    assert len(bench.store.ids()) == 4


def test_a_task_of_ones_own_is_named_by_its_path(bench: Bench, tmp_path: Path) -> None:
    rows = [f"story {number},{'ab'[number % 2]}" for number in range(60)]
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "train.csv").write_text("\n".join(["text,label", *rows]))
    listed = bench("--bench-tasks", str(tmp_path / "own"), "--collect-only", "-q", techniques="adamw")
    assert [line for line in listed.outlines if "[own-adamw]" in line]
    names = ("--bench-task", str(tmp_path / "own"))
    assert grid_of(bench.pytester.parseconfig(*names)).tasks == (str(tmp_path / "own"),)


def test_each_arm_and_each_value_of_an_axis_is_a_cell(bench: Bench) -> None:
    asked = ("--bench-per-class", "2,4", "--bench-vary", "init,order", "--collect-only", "-q")
    listed = bench(*asked, techniques="adamw")
    frozen = ("order=0,dropout=0,augment=0,subset=0", "init=0,dropout=0,augment=0,subset=0")
    ids = {f"sst2-adamw-smoke:per_class={n}-{','.join(sorted(arm.split(',')))}" for n in (2, 4) for arm in frozen}
    assert {line.partition("[")[2].rstrip("]") for line in listed.outlines if "::" in line} == ids


@pytest.mark.exhaustive
def test_stored_runs_of_a_status_are_tried_again(bench: Bench) -> None:
    first, second = fill(bench, techniques=("adamw",))
    bench.store.append(dataclasses.replace(second, status="crashed", reason="gone", score=None, attempts=2))
    bench(techniques="adamw").assert_outcomes(skipped=1)
    bench("--bench-retry", "crashed,oom", techniques="adamw").assert_outcomes(passed=1)
    assert [(r.status, r.attempts) for r in bench.store.records()] == [(first.status, 1), (second.status, 3)]


def test_without_a_benchmark_the_options_are_not_looked_at(pytester: pytest.Pytester) -> None:
    pytester.makepyfile("def test_nothing(): pass")
    pytester.runpytest_inprocess("-p", "no:cacheprovider", "--bench-tasks", "sts2").assert_outcomes(passed=1)


class Reporter:
    """What is used of pytest's reporter, on a terminal or not; keeps what is written."""

    def __init__(self, isatty: bool) -> None:
        self.isatty = isatty
        self.written: list[str] = []

    def ensure_newline(self) -> None:
        pass

    def write_line(self, text: str) -> None:
        self.written.append(f"{text}\n")

    def rewrite(self, text: str, erase: bool = False) -> None:
        self.written.append(f"\r{text}")


class Config:
    """What is used of pytest's configuration: its reporter, nothing that captures, and a width."""

    def __init__(self, reporter: Reporter | None) -> None:
        self.pluginmanager = self
        self.plugins = {"terminalreporter": reporter}
        self.fullwidth, self.width_of_current_line = 60, 0

    def get_plugin(self, name: str) -> Reporter | None:
        return self.plugins.get(name)

    def get_terminal_writer(self) -> Config:
        return self


def _session(reporter: Reporter | None, **fields: Any) -> Session:
    return Session(Lines(Config(reporter)), **fields)


def test_on_a_terminal_one_line_lives_and_lost_runs_stay(bench: Bench) -> None:
    specs = [spec for spec in plan(bench.grid) if spec.seed == 0]
    reporter = Reporter(isatty=True)
    session = _session(reporter)
    session.begin(specs, specs, "results")
    for spec, status in zip(specs, (Status.CONVERGED, Status.CRASHED), strict=True):
        group = (spec,)
        session.start(group)
        session.end(group, blank_record(spec, status, "gone"))
    lasting = [text for text in reporter.written if text.endswith("\n")]
    assert [text.partition("]")[0] for text in lasting[1:]] == ["[2/2, 1 failed; 0.0 s a run"]
    assert lasting[1].endswith("sst2 mixout seed 0: crashed gone\n")
    live = [text for text in reporter.written if text.startswith("\r[")]
    assert live[0] == "\r[0/2, 0 failed] running sst2 adamw seed 0"
    assert live[1].startswith("\r[1/2, 0 failed; 0.0 s a run, 1 left in about 0.0 s] sst2 ")
    assert max(map(len, live)) == 60  # the carriage return and a column less than there are


def test_what_can_be_foretold_is_told_beforehand(bench: Bench) -> None:
    specs = plan(bench.grid)
    reporter = Reporter(isatty=False)
    _session(reporter, forecast=lambda todo: 60.0 * len(todo)).begin(specs, specs[1:], "results")
    assert reporter.written[0].endswith("into results; 1 stored, 3 to do, about 3 min on this machine\n")


def test_without_a_reporter_nothing_is_told(bench: Bench) -> None:
    session = _session(None)
    specs = plan(bench.grid)
    session.begin(specs, specs, "results")
    session.start((specs[0],))
    session.lines.clear()
    assert not session.lines.live


def test_a_bucket_takes_the_runs_and_one_that_cannot_be_read_ends_the_session(bench: Bench, bucket: Address) -> None:
    assert bench(store=str(bucket)).parseoutcomes() == {"passed": 2}
    assert len(Store(bucket).ids()) == 4
    assert bench(store=str(bucket)).parseoutcomes() == {"skipped": 2}
    found = bench(store="s3://no-such-bucket/results")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["ERROR: s3://no-such-bucket/results/runs cannot be listed: NoSuchBucket*"])
    found = bench(store="s3://")
    assert found.ret == pytest.ExitCode.USAGE_ERROR
    found.stderr.fnmatch_lines(["*store is 's3://'; allowed: a folder, or s3://BUCKET/FOLDER*"])
