"""Run a grid: skip stored runs, execute the others, and store them as the executor returns them.

Several processes may share a store.
"""

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
from bench_lib.executors.base import Detached, Done, Executor
from bench_lib.executors.watched import Watched
from bench_lib.runner.detached import Watch
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.limits import Limits
from bench_lib.runner.members import members
from bench_lib.runner.progress import Progress as Progress
from bench_lib.runner.records import blank_record, records_of
from bench_lib.runner.seed_ensembles import (
    build_seed_ensemble,
    deletable_weights,
    members_without_weights,
    missing_members,
)
from bench_lib.runner.shards import Shard
from bench_lib.store import Claims, Keeper, Store, Unstorable
from bench_lib.store.files import single_file

Group = tuple[RunSpec, ...]
"""Runs that share one training."""

UNLIMITED = Limits()
POLL = 1.0
"""Seconds between checks for runs claimed by other processes."""


Report = Callable[[Progress], None]


def grouped(specs: Sequence[RunSpec]) -> list[Group]:
    """Group the specs that share a training, in the order of their first specs."""
    groups: dict[str, list[RunSpec]] = {}
    for spec in specs:
        groups.setdefault(spec.training_id(), []).append(spec)
    return [tuple(group) for group in groups.values()]


def run_suite(
    grid: Grid,
    store: Store,
    executor: Executor,
    report: Report = lambda progress: None,
    retry: frozenset[Status] = frozenset(),
    limits: Limits = UNLIMITED,
) -> Progress:
    """Run what is not stored and append each record when it is complete; stored runs with a `retry` status run again.

    After an interruption the same call resumes with the missing runs. Several processes may share a grid and a store;
    each run is executed by one of them.
    """
    return sweep(plan(grid), store, executor, report, retry, limits)


def sweep(
    specs: Sequence[RunSpec],
    store: Store,
    executor: Executor,
    report: Report,
    retry: frozenset[Status],
    limits: Limits = UNLIMITED,
) -> Progress:
    """Run the specs that are not stored, or stored with a status to retry."""
    ensembles = [spec for spec in specs if spec.pools()]
    # Left over from a sweep killed between building an ensemble and deleting the weights of its members.
    store.drop_weights(deletable_weights(ensembles, store))
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
        running = _Sweep(store, executor, report, attempts, claims, keeper, progress, limits)
        for are_ensembles, batch in groupby(missing, key=lambda spec: spec.pools() > 0):
            todo = [spec.keeping_weights(spec.run_id() in needed) for spec in batch]
            if isinstance(executor, Detached):
                running.watch(todo, are_ensembles, executor)
            else:
                running.run(todo, are_ensembles)
            if are_ensembles:
                store.drop_weights(deletable_weights(ensembles, store))
        if claims.alone():
            store.tidy()
    return running.progress


def work_off(shard: Shard) -> None:
    """Make and store the runs of a shard, where its job is."""
    store, journal, limits = Store(shard.root), shard.journal, shard.limits()
    store.check_writable()

    def told(progress: Progress) -> None:
        if progress.last is not None:
            journal.stored(progress.last.run_id)

    executor = Watched(shard.executor, lambda group: journal.begun([one.run_id() for one in group]), lambda group: None)
    # Of an earlier life of the job, which the cluster began again.
    lost = Counter(shard.lost) + journal.read().lost()
    with Claims(store.root) as claims, Keeper(store) as keeper:
        progress = Progress(len(shard.specs), 0, 0, Counter())
        part = _Sweep(store, executor, told, shard.attempts, claims, keeper, progress, limits or UNLIMITED, lost)
        if limits is not None:
            part.run(shard.specs, shard.are_ensembles)
    # Also what other processes stored meanwhile.
    known = journal.read().stored
    for spec in shard.specs:
        if spec.run_id() not in known and part.is_stored(spec):
            journal.stored(spec.run_id())
    journal.over()


def check_weights(specs: Sequence[RunSpec], store: Store) -> None:
    """Raise `BenchError` for a seed ensemble that is not stored and has a member that is, but without its weights."""
    stored = store.ids()
    _needed_weights([spec for spec in specs if spec.pools() and spec.run_id() not in stored], stored, store)


@dataclass
class _Sweep:
    """A sweep in progress."""

    store: Store
    executor: Executor
    report: Report
    attempts: Mapping[str, int]
    claims: Claims
    keeper: Keeper
    progress: Progress
    limits: Limits
    lost: Mapping[str, int] = field(default_factory=dict)
    claimed_elsewhere: list[Group] = field(default_factory=list)
    begun: int = 0
    since: float = field(default_factory=time.monotonic)

    def run(self, specs: Sequence[RunSpec], are_ensembles: bool) -> None:
        """Train the runs or build the ensembles; returns when each is stored, by this process or by another.

        Ensembles with a missing member are skipped, and so is what is left at a limit.
        """
        function = functools.partial(build_all, store=self.store) if are_ensembles else execute
        groups = self._groups(specs, are_ensembles)
        while groups:
            self.claimed_elsewhere = []
            claimed = self._claimed(groups)
            # The executor starts only if there is a first group.
            for first in claimed:
                for done in self.executor.run(function, chain([first], claimed)):
                    self._store_results(done)
            groups = [] if self.progress.at_limit else self.claimed_elsewhere
            self._wait(groups)

    def watch(self, specs: Sequence[RunSpec], are_ensembles: bool, executor: Detached) -> None:
        """The same by jobs that store what they make; they go on if this process is interrupted."""
        limits = self.limits.rest(self.begun, time.monotonic() - self.since)
        if limits is None:
            self.progress = dataclasses.replace(self.progress, at_limit=True)
            return
        watch = Watch(self.store, executor, self.claims, self.attempts, work_off, limits)
        try:
            for record in watch.records(self._groups(specs, are_ensembles), are_ensembles):
                self._report_stored(record)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(watch.farewell()) from None
        self.begun += watch.begun
        self.progress = dataclasses.replace(self.progress, at_limit=watch.at_limit)

    def _groups(self, specs: Sequence[RunSpec], are_ensembles: bool) -> list[Group]:
        ready = [spec for spec in specs if not are_ensembles or not missing_members(spec, self.store)]
        return [(spec,) for spec in ready] if are_ensembles else grouped(ready)

    @property
    def earlier(self) -> Mapping[str, int]:
        """The attempts that runs had before, stored or lost with the jobs that made them."""
        return Counter(self.attempts) + Counter(self.lost)

    def _claimed(self, groups: Sequence[Group]) -> Iterator[Group]:
        """Claim and yield the groups one at a time, right before execution; skip those of other processes.

        Ends at a limit.
        """
        for group in groups:
            if self._limit_reached():
                self.progress = dataclasses.replace(self.progress, at_limit=True)
                return
            name = _claim_name(group)
            if not self.claims.take(name):
                self.claimed_elsewhere.append(group)
                continue
            # Another process may have stored some of the runs before this claim.
            missing = tuple(spec for spec in group if not self.is_stored(spec))
            if stored := len(group) - len(missing):
                self._report_progress(elsewhere=self.progress.elsewhere + stored)
            if missing:
                self.begun += len(missing)
                yield missing
            else:
                self.claims.release(name)

    def _limit_reached(self) -> bool:
        return self.limits.reached(self.begun, time.monotonic() - self.since)

    def is_stored(self, spec: RunSpec) -> bool:
        """Whether a run is stored, since the attempts that are repeated."""
        run_id = spec.run_id()
        place = single_file(self.store.root / "runs", spec.task, spec.technique(), run_id)
        return self.store.attempts(run_id, place).get(run_id, 0) > self.attempts.get(run_id, 0)

    def _store_results(self, done: Done[Group, list[RunRecord]]) -> None:
        for record in records_of(done, self.earlier):
            self._report_stored(self._store_record(record, done.job))
        self.claims.release(_claim_name(done.job))

    def _store_record(self, record: RunRecord, group: Group) -> RunRecord:
        """Store the record, or a crashed one with the reason if it is unstorable; returns the stored one."""
        try:
            self.keeper.add(record)
        except Unstorable as error:
            (spec,) = (spec for spec in group if spec.run_id() == record.run_id)
            crashed = blank_record(spec, Status.CRASHED, f"its record cannot be stored: {error}")
            record = dataclasses.replace(crashed, attempts=record.attempts)
            self.keeper.add(record)
        return record

    def _wait(self, groups: Sequence[Group]) -> None:
        """Return as soon as one of the groups is no longer claimed by another process, or at a limit."""
        waiting = sum(map(len, groups))
        if groups:
            self._report_progress(waiting=waiting, last=None)
        names = [_claim_name(group) for group in groups]
        while names and not self._limit_reached() and not any(map(self.claims.void, names)):
            time.sleep(POLL)
        self.progress = dataclasses.replace(self.progress, waiting=0)

    def _report_stored(self, record: RunRecord) -> None:
        statuses = self.progress.statuses + Counter([record.status])
        self._report_progress(finished=self.progress.finished + 1, statuses=statuses, last=record)

    def _report_progress(self, **changes: object) -> None:
        self.progress = dataclasses.replace(self.progress, **changes)  # type: ignore[arg-type]  # fields by name
        self.report(self.progress)


def _claim_name(group: Group) -> str:
    """The id that claims a group: the shared training's, or the seed ensemble's."""
    first = group[0]
    return first.run_id() if first.pools() else first.training_id()


def build_all(group: Group, store: Store) -> list[RunRecord]:
    """Build seed ensembles from the weights and predictions of their members."""
    return [build_seed_ensemble(spec, store) for spec in group]


def _needed_weights(ensembles: Sequence[RunSpec], stored: frozenset[str], store: Store) -> frozenset[str]:
    """Ids of the runs whose weights pending ensembles need.

    Raises `BenchError` for a member stored without its weights, since it would have to be trained again.
    """
    begun = [spec for spec in ensembles if any(m.run_id() in stored for m in members(spec))]
    without = [(spec, m) for spec in begun for m in members_without_weights(spec, store) if m.run_id() in stored]
    if without:
        technique = without[0][0].technique()
        names = list(dict.fromkeys(f"{m.task} {m.technique()} seed {m.seed}" for _, m in without))
        raise BenchError(
            f"{technique} needs the weights of its members, and {len(names)} of them were stored without "
            f"({', '.join(names[:5])}{', ...' if len(names) > 5 else ''}); take a store in which they have not run, or "
            "leave it out"
        )
    return frozenset(m.run_id() for spec in ensembles for m in members(spec) if m.keep_weights)


def _attempts_to_repeat(store: Store, retry: frozenset[Status]) -> dict[str, int]:
    """Ids of stored runs with a status to retry, with their numbers of attempts."""
    if not retry:
        return {}
    rows = store.table().select(["run_id", "status", "attempts"]).to_pylist()
    return {row["run_id"]: row["attempts"] for row in rows if row["status"] in retry}
