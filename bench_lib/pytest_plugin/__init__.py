"""Benchmarks under pytest: `pytest benchmarks/ --benchmark-only`, one row a cell, one round a seed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import pytest

from bench_lib.core.errors import BadPlan
from bench_lib.executors.base import Detached
from bench_lib.pytest_plugin.cells import BenchCell, Benchmark
from bench_lib.pytest_plugin.session import Lines, Session
from bench_lib.runner.request import GRID, WORK, Request, RunOption, axes, requested, setting

if TYPE_CHECKING:
    from bench_lib.core.spec import RunSpec
    from bench_lib.runner.grid import Grid

__all__ = ["BenchCell", "Benchmark", "grid_of"]

SESSION = pytest.StashKey[Session]()
DEFAULTS = {"tasks": "sst2,conll2003", "techniques": "adamw,bertadam,llrd+reinit", "seeds": "0-2"}
"""Defaults that are others than those of `stabbench run`: what takes minutes."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--bench-...` options."""
    group = parser.getgroup("stabbench", "stability benchmarks")
    for name, option in _options().items():
        default = DEFAULTS.get(name, option.default)
        flag, text = f"--bench-{name.replace('_', '-')}", option.text(default)
        if option.several:
            group.addoption(flag, action="append", metavar=option.metavar, help=text)
        else:
            # None where tasks of one's own may take the place of the default ones.
            given = None if name == "tasks" else default
            group.addoption(flag, type=option.type, default=given, metavar=option.metavar, help=text)
    group.addoption("--bench-rerun", action="store_true", help="train stored cells again and compare bit for bit")
    group.addoption(
        "--bench-overhead", action="store_true", help="also measure the harness against a bare loop and Trainer"
    )


def request_of(config: pytest.Config) -> Request:
    """What the command line asks for; raises `BadPlan` with all problems."""
    names = [*_options()]
    options = argparse.Namespace(**{name: config.getoption(f"--bench-{name.replace('_', '-')}") for name in names})
    if options.tasks is None and not options.task:
        options.tasks = DEFAULTS["tasks"]
    asked = requested(options, "--bench-")
    if isinstance(asked.executor, Detached):
        why = "its jobs store their runs by themselves, so that nothing here could time them; take `stabbench run`"
        raise BadPlan([f"--bench-executor is {options.executor}: {why}"])
    return asked


def grid_of(config: pytest.Config) -> Grid:
    """The grid that the command line asks for."""
    return request_of(config).grid


def _options() -> dict[str, RunOption]:
    tasks = RunOption("tasks, or all the standard ones; of no effect on what --bench-task names", "A,B")
    return {**setting(), "tasks": tasks, **GRID, **axes(), **WORK}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `bench_cell` one parameter for each task x technique."""
    if "bench_cell" not in metafunc.fixturenames:
        return
    from bench_lib.core.errors import BenchError
    from bench_lib.core.extras import check_installed
    from bench_lib.runner.grid import plan
    from bench_lib.store import Store

    config = metafunc.config
    try:
        check_installed(("pytest_benchmark",), "the benchmarks")
        asked = request_of(config)
        specs, store = plan(asked.grid), Store(config.getoption("--bench-store"))
    except BenchError as error:
        # The one error of which pytest shows the message alone here; it ends the session with exit code 2.
        raise pytest.Collector.CollectError(str(error)) from error
    session = _session(config)
    rerun = bool(config.getoption("--bench-rerun"))
    pools = tuple(spec for spec in specs if spec.pools())
    cells = _cells(specs)
    found = [BenchCell(tuple(cell), store, rerun, session, asked, pools) for cell in cells.values()]
    metafunc.parametrize("bench_cell", found, ids=list(cells))


def _cells(specs: Sequence[RunSpec]) -> dict[str, list[RunSpec]]:
    """Runs that differ in their seeds alone, by what tells them apart from the others."""
    profiles = {spec.profile_name for spec in specs}
    configurations = {spec.frozen for spec in specs if not spec.pools()}
    cells: dict[str, list[RunSpec]] = {}
    for spec in specs:
        parts = [spec.task, spec.technique()]
        if len(profiles) > 1:
            parts.append(spec.profile_name)
        if len(configurations) > 1:
            parts.append(",".join(f"{stream}={seed}" for stream, seed in spec.frozen))
        cells.setdefault("-".join(parts), []).append(spec)
    return cells


def pytest_collection_finish(session: pytest.Session) -> None:
    """Tell what the selected benchmarks are about to run."""
    if session.config.option.collectonly or hasattr(session.config, "workerinput"):
        return
    cells = [item.callspec.params.get("bench_cell") for item in session.items if hasattr(item, "callspec")]
    found = [cell for cell in cells if isinstance(cell, BenchCell)]
    if found:
        store = found[0].store
        specs = [spec for cell in found for spec in cell.specs]
        todo = _todo(found)
        _session(session.config).begin(specs, todo, store.root)


def _todo(cells: Sequence[BenchCell]) -> list[RunSpec]:
    from bench_lib.core.errors import BadStore

    try:
        return [spec for cell in cells for spec in cell.todo()]
    except BadStore as error:
        raise pytest.UsageError(str(error)) from error


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """A session in which every run was declined is no success."""
    found = session.config.stash.get(SESSION, None)
    if exitstatus == pytest.ExitCode.OK and found is not None and found.declined():
        session.exitstatus = pytest.ExitCode.INTERRUPTED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say so where every run was declined."""
    found = config.stash.get(SESSION, None)
    if found is not None and found.declined():
        terminalreporter.write_line("stabbench: every run was declined; -rs tells why")


def _session(config: pytest.Config) -> Session:
    if SESSION not in config.stash:
        config.stash[SESSION] = Session(Lines(config), _forecast)
    return config.stash[SESSION]


def _forecast(specs: Sequence[RunSpec]) -> float | None:
    from bench_lib.core.errors import BenchError
    from bench_lib.runner.forecast import forecast

    try:
        return forecast(specs)
    except BenchError:
        return None  # what cannot be had is told by the runs themselves
