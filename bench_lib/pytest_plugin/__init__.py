"""Benchmarks under pytest: `pytest benchmarks/ --benchmark-only`, one row a cell, one round a seed."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from bench_lib.core.seeds import parse_seeds
from bench_lib.pytest_plugin.cells import BenchCell, Benchmark
from bench_lib.pytest_plugin.session import Lines, Session
from bench_lib.runner.options import AXES, axes_of, parse_frozen_configurations, parse_statuses

if TYPE_CHECKING:
    from bench_lib.core.spec import RunSpec
    from bench_lib.runner.grid import Grid

__all__ = ["BenchCell", "Benchmark", "grid_of"]

SESSION = pytest.StashKey[Session]()
OPTIONS = {
    "profile": ("quick", "budget of a run"),
    "tasks": ("sst2,conll2003", "tasks, or all the standard ones"),
    "techniques": ("adamw,bertadam,llrd+reinit", "techniques or stacks, or all"),
    "seeds": ("0-2", "seeds, such as 0-29"),
    "model": ("minilm", "a registered model, a hub id or a folder"),
    "data": ("embedded", "hub, embedded or a folder"),
    "store": ("bench-results", "folder of the results"),
    "retry": ("", "statuses of stored runs to train again, such as crashed,oom"),
}
OPTIONAL = {
    "freeze": "seed streams that do not vary, as STREAM=SEED,..., or none (default: subset=0)",
    "vary": "cells for each seed stream in turn, the others frozen, as in `stabbench run`",
    "tuned_from": "store of the trials of mixout[tuned] (default: --bench-store)",
    **{name: f"{text}; every combination is a cell" for name, (_, text) in AXES.items()},
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--bench-...` options."""
    group = parser.getgroup("stabbench", "stability benchmarks")
    for name, (default, text) in OPTIONS.items():
        group.addoption(f"--bench-{name}", default=default, help=f"{text} (default: {default})")
    for name, text in OPTIONAL.items():
        group.addoption(f"--bench-{name.replace('_', '-')}", help=text)
    group.addoption("--bench-rerun", action="store_true", help="train stored cells again and compare bit for bit")
    group.addoption(
        "--bench-overhead", action="store_true", help="also measure the harness against a bare loop and Trainer"
    )


def grid_of(config: pytest.Config) -> Grid:
    """The grid that the command line asks for."""
    from bench_lib.runner.grid import Grid, all_tasks, all_techniques, named
    from bench_lib.runner.seed_streams import refuse_pools

    given = {name: str(config.getoption(f"--bench-{name}")) for name in OPTIONS}
    optional: dict[str, str | None] = {name: config.getoption(f"--bench-{name.replace('_', '-')}") for name in OPTIONAL}
    seeds, vary = parse_seeds(given["seeds"]), optional["vary"]
    techniques = named(given["techniques"], all_techniques(seeds if vary is None else ()))
    if vary is not None:
        refuse_pools(techniques)
    return Grid(
        tasks=named(given["tasks"], all_tasks(given["data"])),
        techniques=techniques,
        seeds=seeds,
        profile=given["profile"],
        model=given["model"],
        data=given["data"],
        frozen=parse_frozen_configurations(vary, optional["freeze"], seeds),
        axes=axes_of(optional, "--bench-"),
        tuned_from=optional["tuned_from"] or given["store"],
    )


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
        specs, retry = plan(grid_of(config)), parse_statuses(str(config.getoption("--bench-retry")))
    except BenchError as error:
        # The one error of which pytest shows the message alone here; it ends the session with exit code 2.
        raise pytest.Collector.CollectError(str(error)) from error
    store, session = Store(Path(str(config.getoption("--bench-store")))), _session(config)
    rerun = bool(config.getoption("--bench-rerun"))
    pools = tuple(spec for spec in specs if spec.pools())
    cells = _cells(specs)
    found = [BenchCell(tuple(cell), store, rerun, session, retry, pools) for cell in cells.values()]
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
        todo = [spec for cell in found for spec in cell.todo()]
        _session(session.config).begin(specs, todo, store.root)


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
