"""One benchmark: the seeds of a cell as its rounds, and their records in the store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import pytest

if TYPE_CHECKING:
    from bench_lib.core.record import RunRecord
    from bench_lib.core.spec import RunSpec
    from bench_lib.pytest_plugin.session import Session
    from bench_lib.runner.request import Request
    from bench_lib.store import Store


Group = tuple["RunSpec", ...]


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

    `session` is told of each run. What was asked for has the executor, the limits, and the statuses of stored runs that
    are trained again too. `pools` are those of all cells, which share the weights of their members.
    """

    specs: tuple[RunSpec, ...]
    store: Store
    rerun: bool
    session: Session
    asked: Request
    pools: tuple[RunSpec, ...] = ()

    def todo(self) -> list[RunSpec]:
        """The runs that are trained: what is not stored or to be tried again, or all."""
        if self.rerun:
            return [*self.specs]
        stored = self.store.ids()
        if self.asked.retry:
            rows = self.store.table().select(["run_id", "status"]).to_pylist()
            stored -= {row["run_id"] for row in rows if row["status"] in self.asked.retry}
        return [spec for spec in self.specs if spec.run_id() not in stored]

    def train(self, benchmark: Benchmark) -> None:
        """Train each missing seed as one round, store the records, and fail on runs lost or not as they were stored."""
        todo = self.todo()
        self._skip_pools_without_members(todo)
        if not todo:
            pytest.skip(f"all {len(self.specs)} seeds are stored in {self.store.root}; --bench-rerun trains them again")
        if (rest := self.asked.limits.rest(*self.session.spent())) is None:
            pytest.skip(f"a limit is reached with {len(todo)} of {len(self.specs)} seeds left")
        todo = todo[: rest.runs]
        earlier = {record.run_id: record for record in self.store.records()} if self.rerun or self.asked.retry else {}
        records = self._rounds(benchmark, todo, earlier)
        self._drop_weights()
        benchmark.extra_info.update(_metrics(records))
        _judge(records, earlier)

    def _skip_pools_without_members(self, todo: list[RunSpec]) -> None:
        from bench_lib.runner.seed_ensembles import members_without_weights, missing_members

        for spec in filter(lambda spec: spec.pools(), todo):
            for member in missing_members(spec, self.store):
                pytest.skip(f"{_named(member)}, which it pools, is not stored or was lost")
            for member in members_without_weights(spec, self.store):
                pytest.skip(f"the weights of {_named(member)}, which it pools, are not stored: they go once pooled")

    def _rounds(self, benchmark: Benchmark, todo: list[RunSpec], earlier: dict[str, RunRecord]) -> list[RunRecord]:
        records: list[RunRecord] = []

        def keep_last() -> None:
            self._keep(records[-1], earlier)
            # A cell's weights may be more than the memory holds.
            records[-1] = dataclasses.replace(records[-1], weights=None)

        def between() -> None:
            # Between the rounds: what is trained is kept whatever becomes of the rest, and no round's time holds it.
            if records:
                keep_last()

        with closing(self._made(todo)) as made:
            benchmark.pedantic(lambda: records.append(next(made)), setup=between, rounds=len(todo), iterations=1)
        self.session.lines.clear()
        keep_last()
        return records

    def _made(self, todo: list[RunSpec]) -> Generator[RunRecord, None, None]:
        """The records of the runs as the executor makes them: one after another, or several at a time."""
        from bench_lib.executors.watched import Watched
        from bench_lib.runner.execute import execute
        from bench_lib.runner.records import records_of
        from bench_lib.runner.sweep import build_all

        function = partial(build_all, store=self.store) if todo[0].pools() else execute
        under_way: dict[int, Group] = {}

        def started(group: Group) -> None:
            under_way[id(group)] = group
            self.session.start(group)

        def ended(group: Group) -> None:
            del under_way[id(group)]

        groups: list[Group] = [(spec,) for spec in todo]
        try:
            for done in Watched(self.asked.executor, started, ended).run(function, groups):
                (record,) = records_of(done, {})
                self.session.end(done.job, record)
                yield record
        finally:
            for group in under_way.values():
                self.session.end(group, None)

    def _drop_weights(self) -> None:
        from bench_lib.runner.seed_ensembles import deletable_weights

        self.store.drop_weights(deletable_weights(self.pools, self.store))

    def _keep(self, record: RunRecord, earlier: dict[str, RunRecord]) -> None:
        from bench_lib.core.record import Status

        old = earlier.get(record.run_id)
        if old is None:
            self.store.append(record)
        elif not Status(old.status).completed:
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
    rows = [record.columns() for record in records]
    return {name: [row[name] for row in rows] for name in fields}


def _judge(records: list[RunRecord], earlier: dict[str, RunRecord]) -> None:
    from bench_lib.store.repeats import differences

    wrong = [f"seed {r.seed} {r.status}: {r.reason}" for r in records if r.status in ("crashed", "oom")]
    for record in records:
        old = earlier.get(record.run_id)
        if old and (fields := differences(old, record)):
            wrong.append(f"seed {record.seed} differs from the stored run in {', '.join(fields)}")
    if wrong:
        pytest.fail("; ".join(wrong))
    if all(r.status == "unsupported" for r in records):
        pytest.skip(records[0].reason)
