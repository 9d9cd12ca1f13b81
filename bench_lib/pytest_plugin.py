"""Benchmarks under pytest: `pytest benchmarks/ --benchmark-only`, one row a cell, one round a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from bench_lib.record import RunRecord
    from bench_lib.spec import RunSpec
    from bench_lib.store import Store
    from bench_lib.suite import Grid

OPTIONS = {
    "profile": ("quick", "budget of a run"),
    "tasks": ("all", "tasks, or all that the data has"),
    "techniques": ("adamw,bertadam,mixout,llrd+reinit", "techniques or stacks, or all"),
    "seeds": ("0-2", "seeds, such as 0-29"),
    "model": ("minilm", "a registered model, a hub id or a folder"),
    "data": ("embedded", "hub, embedded or a folder"),
    "store": ("bench-results", "folder of the results"),
}


class Benchmark(Protocol):
    """What is used of pytest-benchmark's fixture."""

    extra_info: dict[str, Any]

    def pedantic(
        self, target: Callable[..., object], *, setup: Callable[[], object], rounds: int, iterations: int
    ) -> object:
        """Call the target once a round, the setup before each."""
        ...


@dataclass(frozen=True)
class BenchCell:
    """All seeds of one task x technique, the store that they go to, and whether stored ones are trained again.

    `pools` are those of all cells, which share the weights of their members.
    """

    specs: tuple[RunSpec, ...]
    store: Store
    rerun: bool
    pools: tuple[RunSpec, ...] = ()

    def train(self, benchmark: Benchmark) -> None:
        """Train each missing seed as one round, store the records, and fail on runs lost or not as they were stored."""
        stored = self.store.ids()
        todo = [spec for spec in self.specs if self.rerun or spec.run_id() not in stored]
        self._skip_pools_without_members(todo)
        if not todo:
            pytest.skip(f"all {len(self.specs)} seeds are stored in {self.store.root}; --bench-rerun trains them again")
        earlier = {record.run_id: record for record in self.store.records()} if self.rerun else {}
        records = self._rounds(benchmark, todo, earlier)
        self._drop_weights()
        benchmark.extra_info.update(_metrics(records))
        _judge(records, earlier)

    def _skip_pools_without_members(self, todo: list[RunSpec]) -> None:
        from bench_lib.pool import awaited, weightless

        for spec in filter(lambda spec: spec.pools(), todo):
            for member in awaited(spec, self.store):
                pytest.skip(f"{_named(member)}, which it pools, is not stored or was lost")
            for member in weightless(spec, self.store):
                pytest.skip(f"the weights of {_named(member)}, which it pools, are not stored: they go once pooled")

    def _rounds(self, benchmark: Benchmark, todo: list[RunSpec], earlier: dict[str, RunRecord]) -> list[RunRecord]:
        waiting = iter(todo)
        records: list[RunRecord] = []

        def keep_last() -> None:
            self._keep(records[-1], earlier)
            # A cell's weights may be more than the memory holds.
            records[-1] = dataclasses.replace(records[-1], weights=None)

        def next_seed() -> tuple[tuple[RunSpec], dict[str, Any]]:
            # Between the rounds: what is trained is kept whatever becomes of the rest, and no round's time holds it.
            if records:
                keep_last()
            return (next(waiting),), {}

        def one_seed(spec: RunSpec) -> None:
            records.append(self._one(spec))

        benchmark.pedantic(one_seed, setup=next_seed, rounds=len(todo), iterations=1)
        keep_last()
        return records

    def _one(self, spec: RunSpec) -> RunRecord:
        from bench_lib.pool import pool
        from bench_lib.run import execute

        if not spec.pools():
            return execute([spec])[0]
        return pool(spec, self.store)

    def _drop_weights(self) -> None:
        from bench_lib.pool import spent

        self.store.drop_weights(spent(self.pools, self.store))

    def _keep(self, record: RunRecord, earlier: dict[str, RunRecord]) -> None:
        from bench_lib.record import Status

        old = earlier.get(record.run_id)
        if old is None:
            self.store.append(record)
        elif not Status(old.status).judged:
            # A lost run says nothing of what it must give: it counts as tried once more.
            self.store.append(dataclasses.replace(record, attempts=old.attempts + 1))


def _named(spec: RunSpec) -> str:
    return f"{spec.task} {spec.technique()} seed {spec.seed}"


def _metrics(records: list[RunRecord]) -> dict[str, object]:
    """What pytest-benchmark keeps beside the times: one list entry a seed."""
    fields = (
        "seed",
        "status",
        "metric",
        "score",
        "train_seconds",
        "eval_seconds",
        "tokens_per_second",
        "peak_memory_bytes",
    )
    return {name: [getattr(record, name) for record in records] for name in fields}


def _judge(records: list[RunRecord], earlier: dict[str, RunRecord]) -> None:
    from bench_lib.store.verify import differences

    wrong = [f"seed {r.seed} {r.status}: {r.reason}" for r in records if r.status in ("crashed", "oom")]
    for record in records:
        old = earlier.get(record.run_id)
        if old and (fields := differences(old, record)):
            wrong.append(f"seed {record.seed} differs from the stored run in {', '.join(fields)}")
    if wrong:
        pytest.fail("; ".join(wrong))
    if all(r.status == "unsupported" for r in records):
        pytest.skip(records[0].reason)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the `--bench-...` options."""
    group = parser.getgroup("stabbench", "stability benchmarks")
    for name, (default, text) in OPTIONS.items():
        group.addoption(f"--bench-{name}", default=default, help=f"{text} (default: {default})")
    group.addoption("--bench-rerun", action="store_true", help="train stored cells again and compare bit for bit")
    group.addoption(
        "--bench-overhead", action="store_true", help="also measure the harness against a bare loop and Trainer"
    )


def grid_of(config: pytest.Config) -> Grid:
    """The grid that the command line asks for."""
    from bench_lib.seeds import parse_seeds
    from bench_lib.suite import Grid, all_tasks, all_techniques, named

    given = {name: str(config.getoption(f"--bench-{name}")) for name in OPTIONS}
    return Grid(
        tasks=named(given["tasks"], all_tasks(given["data"])),
        techniques=named(given["techniques"], all_techniques(parse_seeds(given["seeds"]))),
        seeds=parse_seeds(given["seeds"]),
        profile=given["profile"],
        model=given["model"],
        data=given["data"],
    )


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give `bench_cell` one parameter for each task x technique."""
    if "bench_cell" not in metafunc.fixturenames:
        return
    from bench_lib.errors import BenchError
    from bench_lib.store import Store
    from bench_lib.suite import plan

    config = metafunc.config
    try:
        specs = plan(grid_of(config))
    except BenchError as error:
        # The one error of which pytest shows the message alone here; it ends the session with exit code 2.
        raise pytest.Collector.CollectError(str(error)) from error
    store = Store(Path(str(config.getoption("--bench-store"))))
    cells: dict[str, list[RunSpec]] = {}
    for spec in specs:
        cells.setdefault(f"{spec.task}-{spec.technique()}", []).append(spec)
    rerun = bool(config.getoption("--bench-rerun"))
    pools = tuple(spec for spec in specs if spec.pools())
    found = [BenchCell(tuple(cell), store, rerun, pools) for cell in cells.values()]
    metafunc.parametrize("bench_cell", found, ids=list(cells))
