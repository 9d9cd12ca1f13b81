"""Runs over an executor into a store that other processes may fill at the same time."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, groupby

from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Done, Executor
from bench_lib.runner.execute import blank_record, execute
from bench_lib.runner.seed_ensembles import awaited, members, pool, spent, weightless
from bench_lib.store import Claims, Keeper, Store, Unstorable

Group = tuple[RunSpec, ...]
"""Runs that share one training."""

POLL = 1.0
"""Seconds from one look at what other processes do to the next."""


@dataclass(frozen=True)
class Progress:
    """How far a sweep is: runs in all, stored before it began, finished by it, and those by status.

    `elsewhere` counts runs that another process stored meanwhile, `waiting` those that others are at, where there is
    nothing else left to do.
    """

    total: int
    stored: int
    finished: int
    statuses: Counter[str]
    last: RunRecord | None = None
    elsewhere: int = 0
    waiting: int = 0

    @property
    def left(self) -> int:
        return self.total - self.stored - self.finished - self.elsewhere

    @property
    def failed(self) -> int:
        return sum(count for status, count in self.statuses.items() if status != Status.CONVERGED)


Report = Callable[[Progress], None]


def grouped(specs: Sequence[RunSpec]) -> list[Group]:
    """Specs that share a training together, in the order of the first of each."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.training().run_id(), []).append(spec)
    return [tuple(group) for group in groups.values()]


def sweep(
    specs: Sequence[RunSpec], store: Store, executor: Executor, report: Report, retry: frozenset[Status]
) -> Progress:
    """Run those of the specs that the store does not hold, or holds with a status to retry."""
    pools = [spec for spec in specs if spec.pools()]
    # What a sweep left that was killed after a pool and before it could tidy up.
    store.drop_weights(spent(pools, store))
    attempts = _attempts_to_repeat(store, retry)
    stored = store.ids() - attempts.keys()
    missing = [spec for spec in specs if spec.run_id() not in stored]
    needed = _needed_weights([spec for spec in missing if spec.pools()], stored, store)
    progress = Progress(len(specs), len(specs) - len(missing), 0, Counter())
    report(progress)
    if not missing:
        return progress
    store.check_writable()
    with Claims(store.root) as claims, Keeper(store) as keeper:
        one = _Sweep(store, executor, report, attempts, claims, keeper, progress)
        for pooling, stretch in groupby(missing, key=lambda spec: spec.pools() > 0):
            todo = [dataclasses.replace(spec, keep_weights=spec.run_id() in needed) for spec in stretch]
            one.run(todo, pooling)
            if pooling:
                store.drop_weights(spent(pools, store))
        if claims.alone():
            store.tidy()
    return one.progress


@dataclass
class _Sweep:
    """What a sweep works with, and how far it is."""

    store: Store
    executor: Executor
    report: Report
    attempts: Mapping[str, int]
    claims: Claims
    keeper: Keeper
    progress: Progress
    passed_over: list[Group] = field(default_factory=list)

    def run(self, specs: Sequence[RunSpec], pooling: bool) -> None:
        """Runs that are trained, or pools; returns when each is stored, by this process or by another.

        A pool that misses a member waits until that is tried again.
        """
        function = functools.partial(_pooled, store=self.store) if pooling else execute
        groups = [(spec,) for spec in specs if not awaited(spec, self.store)] if pooling else grouped(specs)
        while groups:
            self.passed_over = []
            free = self._free(groups)
            # An executor is not started for nothing.
            for first in free:
                for done in self.executor.run(function, chain([first], free)):
                    self._keep(done)
            groups = self.passed_over
            self._wait(groups)

    def _free(self, groups: Sequence[Group]) -> Iterator[Group]:
        """The groups that no other process is at, claimed one at a time, right before each is taken up."""
        for group in groups:
            name = _name(group)
            if not self.claims.take(name):
                self.passed_over.append(group)
                continue
            # What another process stored before the claim was made is seen only now.
            missing = tuple(spec for spec in group if not self._is_stored(spec))
            if stored := len(group) - len(missing):
                self._tell(elsewhere=self.progress.elsewhere + stored)
            if missing:
                yield missing
            else:
                self.claims.release(name)

    def _is_stored(self, spec: RunSpec) -> bool:
        run_id = spec.run_id()
        return self.store.attempts(run_id).get(run_id, 0) > self.attempts.get(run_id, 0)

    def _keep(self, done: Done[Group, list[RunRecord]]) -> None:
        for record in _records(done, self.attempts):
            kept = self._stored(record, done.job)
            statuses = self.progress.statuses + Counter([kept.status])
            self._tell(finished=self.progress.finished + 1, statuses=statuses, last=kept)
        self.claims.release(_name(done.job))

    def _stored(self, record: RunRecord, group: Group) -> RunRecord:
        """The record as it was stored: one that cannot be is a crashed run of the same spec, with the reason."""
        try:
            self.keeper.add(record)
        except Unstorable as error:
            (spec,) = (spec for spec in group if spec.run_id() == record.run_id)
            crashed = blank_record(spec, Status.CRASHED, f"its record cannot be stored: {error}")
            record = dataclasses.replace(crashed, attempts=record.attempts)
            self.keeper.add(record)
        return record

    def _wait(self, groups: Sequence[Group]) -> None:
        """Return when one of the groups, if there are any, is no longer worked on by another process."""
        waiting = sum(map(len, groups))
        if groups:
            self._tell(waiting=waiting, last=None)
        while groups and not any(self.claims.void(_name(group)) for group in groups):
            time.sleep(POLL)
        self.progress = dataclasses.replace(self.progress, waiting=0)

    def _tell(self, **changes: object) -> None:
        self.progress = dataclasses.replace(self.progress, **changes)  # type: ignore[arg-type]  # fields by name
        self.report(self.progress)


def _name(group: Group) -> str:
    """What a group is claimed by: the training that its runs share, or the pool that it is."""
    first = group[0]
    return first.run_id() if first.pools() else first.training().run_id()


def _pooled(group: Group, store: Store) -> list[RunRecord]:
    return [pool(spec, store) for spec in group]


def _needed_weights(pools: Sequence[RunSpec], stored: frozenset[str], store: Store) -> frozenset[str]:
    """The runs whose weights are kept for pools that are still to be made.

    A member that was stored without its weights cannot be pooled without training it again: that raises `BenchError`.
    """
    lost = [(spec, m) for spec in pools for m in weightless(spec, store) if m.run_id() in stored]
    if lost:
        names = list(dict.fromkeys(f"{m.task} {m.technique()} seed {m.seed}" for _, m in lost))
        raise BenchError(
            f"{lost[0][0].technique()} needs the weights of its members, and {len(names)} of them were stored without "
            f"({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}); take a store in which they have not run, or "
            "leave it out"
        )
    return frozenset(m.run_id() for spec in pools for m in members(spec) if m.keep_weights)


def _attempts_to_repeat(store: Store, retry: frozenset[Status]) -> dict[str, int]:
    """Stored runs of the statuses to retry, with the attempts that they have had."""
    if not retry:
        return {}
    rows = store.table().select(["run_id", "status", "attempts"]).to_pylist()
    return {row["run_id"]: row["attempts"] for row in rows if row["status"] in retry}


def _records(done: Done[Group, list[RunRecord]], earlier: Mapping[str, int]) -> Iterator[RunRecord]:
    """The records of a finished group; a group that gave none is a row for each of its runs all the same."""
    if done.result is not None:
        records = done.result
    elif done.failure is None:
        raise BenchError("an executor gave neither a result nor a failure")
    else:
        status = Status.TIMEOUT if done.failure.kind == "timeout" else Status.CRASHED
        records = [blank_record(spec, status, done.failure.message) for spec in done.job]
    for record in records:
        yield dataclasses.replace(record, attempts=done.attempts + earlier.get(record.run_id, 0))
