"""The part of a sweep that is made by jobs of a cluster: these store their runs themselves, and this process watches.

What has to be known of the jobs lies beside the store, so that another process, or the same command later, goes on.
"""

from __future__ import annotations

import dataclasses
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from math import inf
from pathlib import Path

from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.base import Detached
from bench_lib.runner.limits import HOUR, Limits
from bench_lib.runner.records import blank_record
from bench_lib.runner.shards import Group, Shard, of_shard
from bench_lib.store import Claims, Location, Store, Submission, new_folder, submissions
from bench_lib.store.files import single_file
from bench_lib.store.schema import to_records
from bench_lib.store.submissions import Told, common_folder, journal

RETRIES = 2
"""How often a run is given to another job after the one that made it was lost."""

FUTILE = 3
"""Jobs in a row that end before they begin a run, after which no more are submitted."""

VISIBLE = 120.0
"""Seconds after which the files of another machine can be seen in a common folder."""

ENDING = 20.0
"""Seconds in which a job can end that has stored its last run."""

LOCK = "submission"


@dataclass(eq=False)
class _Job:
    """A job of some submission; `ours` if it lived while this process watched."""

    submission: Submission
    place: int
    ours: bool = False
    over: bool = False

    @property
    def name(self) -> str:
        return self.submission.jobs[self.place]

    @property
    def runs(self) -> tuple[str, ...]:
        return self.submission.runs[self.place]

    def told(self) -> Told:
        return self.submission.journal(self.place).read()


@dataclass
class Watch:
    """Submits what is not stored in shards, for each of which a job calls `work`, and sees to it that all is stored."""

    store: Store
    executor: Detached
    claims: Claims
    attempts: Mapping[str, int]
    work: Callable[[Shard], None]
    limits: Limits
    at_limit: bool = False
    begun: int = 0
    _beside: Path = field(init=False)
    _until: float = field(init=False)
    _jobs: dict[tuple[Path, int], _Job] = field(init=False, default_factory=dict)
    _pending: dict[str, RunSpec] = field(init=False, default_factory=dict)
    _unseen: dict[str, float] = field(init=False, default_factory=dict)
    _lost: Counter[str] = field(init=False, default_factory=Counter)
    _lost_before: Counter[str] = field(init=False, default_factory=Counter)
    _why: str = field(init=False, default="")
    _futile: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._beside = common_folder(self.store.root, self.executor.beside)
        self._until = inf if self.limits.hours is None else time.time() + self.limits.hours * HOUR

    @property
    def _root(self) -> Location:
        """The store as jobs find it, which may be in other folders."""
        return self.store.root.absolute() if isinstance(self.store.root, Path) else self.store.root

    def records(self, groups: Sequence[Group], are_ensembles: bool) -> Iterator[RunRecord]:
        """The records of the runs, each when it is stored; returns when all are, or at a limit."""
        self._pending = {spec.run_id(): spec for group in groups for spec in group}
        while True:
            living = self._look()
            yield from self._seen()
            yield from self._given_up(living)
            waiting = self._unbegun(groups, living)
            if waiting and self.executor.room(len(living)) and self.claims.take(LOCK):
                try:
                    # Another process may have submitted some of it since.
                    living = self._look()
                    self._submit(self._unbegun(groups, living), are_ensembles, len(living))
                finally:
                    self.claims.release(LOCK)
                continue
            if not self._pending or (not living and not waiting and not self._unseen):
                break
            time.sleep(self.executor.tick)
        self._settle()

    def farewell(self) -> str:
        """What a user has to know who leaves while jobs live."""
        names = [job.name for job in self._living()]
        if not names:
            return ""
        stop = self.executor.how_to_stop(names)
        return (
            f"left {len(names)} jobs that go on and store their runs; the same command watches them again, and "
            f"`{stop}` ends them"
        )

    def _living(self) -> list[_Job]:
        return [job for job in self._jobs.values() if not job.over]

    def _look(self) -> list[_Job]:
        """Look which jobs live, and take down what they tell."""
        for submission in submissions(self._beside):
            known = [
                self._jobs.setdefault((submission.folder, place), _Job(submission, place))
                for place in range(len(submission.jobs))
            ]
            alive = [job for job in known if not job.over]
            living = self.executor.living(submission.folder, [job.name for job in alive]) if alive else frozenset()
            for job in alive:
                # In this order: what a job that is gone told is all that it will tell.
                job.over, job.ours = job.name not in living, job.ours or job.name in living
                self._hear(job)
        return self._living()

    def _hear(self, job: _Job) -> None:
        told = job.told()
        if job.ours:
            now = time.monotonic()
            for run_id in told.stored & self._pending.keys():
                self._unseen.setdefault(run_id, now)
        if not job.over:
            return
        if not job.ours:
            self._lost_before += told.lost()
            return
        self._lost += told.lost()
        if told.over:
            self._futile = 0
            for run_id in job.runs:
                if run_id not in told.stored and self._pending.pop(run_id, None) is not None:
                    self.at_limit |= time.time() >= self._until
        else:
            self._bury(job, told)

    def _bury(self, job: _Job, told: Told) -> None:
        """Take down why a job did not come to its end; raises `BenchError` for what other jobs would meet too."""
        failure = self.executor.raised(job.submission.folder, job.name)
        if failure is None:
            return
        self._why = f"job {job.name}: {failure.message}"
        if failure.kind == "raised":
            raise BenchError(self._why)
        self._futile = 0 if told.begun else self._futile + 1
        if self._futile >= FUTILE:
            raise BenchError(
                f"{FUTILE} jobs in a row ended before they began a run; the last was {self._why}; is "
                f"{self._beside.absolute()} the same folder on all nodes?"
            )

    def _seen(self) -> Iterator[RunRecord]:
        """The records that jobs told of and this machine sees."""
        if not self._unseen:
            return
        rows = self.store.rows([path for run_id in self._unseen for path in self._single(run_id)])
        found = {record.run_id: record for record in to_records(rows) if self._counts(record)}
        for run_id, since in [*self._unseen.items()]:
            if run_id in found:
                del self._unseen[run_id], self._pending[run_id]
                yield found[run_id]
            elif time.monotonic() - since > VISIBLE:
                raise BenchError(
                    f"a job stored run {run_id}, which {self._root} does not show on this machine; it must be the "
                    "same on all nodes"
                )

    def _single(self, run_id: str) -> list[Location]:
        """The file of a run alone, if this machine sees it."""
        spec = self._pending[run_id]
        place = single_file(self.store.root / "runs", spec.task, spec.technique(), run_id)
        return [path for path in self.store.files("runs", run_id, place) if self.store.is_single(path)]

    def _counts(self, record: RunRecord) -> bool:
        return record.attempts > self.attempts.get(record.run_id, 0)

    def _given_up(self, living: Sequence[_Job]) -> Iterator[RunRecord]:
        """The records of runs that were lost too often with their jobs, which are stored here."""
        busy = {run_id for job in living for run_id in job.runs} | self._unseen.keys()
        for run_id, lost in self._lost_now().items():
            if lost > RETRIES and run_id not in busy:
                reason = f"its job on the cluster ended while it ran, {lost} times; {self._why}"
                record = blank_record(self._pending.pop(run_id), Status.CRASHED, reason)
                record = dataclasses.replace(record, attempts=lost + self.attempts.get(run_id, 0))
                self.store.append(record)
                yield record

    def _lost_now(self) -> dict[str, int]:
        """Attempts of runs to be made that ended with their jobs, without those that stored attempts count already."""
        before = self._lost_before - Counter(self.attempts)
        return {run_id: count for run_id in self._pending if (count := before[run_id] + self._lost[run_id])}

    def _unbegun(self, groups: Sequence[Group], living: Sequence[_Job]) -> list[Group]:
        """What is to be made and no job that lives was given; nothing after a limit."""
        if time.time() >= self._until or (self.limits.runs is not None and self.begun >= self.limits.runs):
            busy = {run_id for job in living for run_id in job.runs} | self._unseen.keys()
            self.at_limit |= bool(self._pending.keys() - busy)
            return []
        left = self._pending.keys() - self._unseen.keys() - {run_id for job in living for run_id in job.runs}
        found = (tuple(spec for spec in group if spec.run_id() in left) for group in groups)
        return [group for group in found if group]

    def _submit(self, groups: Sequence[Group], are_ensembles: bool, living: int) -> None:
        shards = self._shards(groups)[: self.executor.room(living)]
        if not shards:
            return
        self.begun += sum(map(len, shards))
        folder, lost = new_folder(self._beside), self._lost_now()
        calls = [
            Shard(
                root=self._root,
                journal=journal(folder, place),
                specs=shard,
                are_ensembles=are_ensembles,
                attempts=of_shard(shard, self.attempts),
                lost=of_shard(shard, lost),
                executor=self.executor.inside(),
                until=self._until,
            )
            for place, shard in enumerate(shards)
        ]
        runs = tuple(tuple(spec.run_id() for spec in shard) for shard in shards)
        jobs: tuple[str, ...] = ()
        try:
            jobs = tuple(self.executor.submit(folder, self.work, calls, self.executor.at_a_time - living))
        finally:
            submission = Submission(folder, jobs, runs)
            submission.record() if jobs else submission.forget()
        for place in range(len(jobs)):
            self._jobs[folder, place] = _Job(submission, place, ours=True)

    def _shards(self, groups: Sequence[Group]) -> list[Group]:
        """The groups in parts of as many runs as a job makes, or a whole group; as many as the limit on runs allows."""
        shards: list[list[RunSpec]] = []
        taken = self.begun
        for group in groups:
            if self.limits.runs is not None and taken >= self.limits.runs:
                break
            if not shards or len(shards[-1]) + len(group) > self.executor.runs_per_job:
                shards.append([])
            shards[-1] += group
            taken += len(group)
        return [tuple(shard) for shard in shards]

    def _settle(self) -> None:
        """Let jobs end that have nothing left to do; remove the submissions of which no job lives and all is stored."""
        stored, end = self.store.ids(), time.monotonic() + ENDING
        while any(stored.issuperset(job.runs) for job in self._look()) and time.monotonic() < end:
            time.sleep(self.executor.tick)
        for submission in submissions(self._beside):
            jobs = [self._jobs.get((submission.folder, place)) for place in range(len(submission.jobs))]
            if all(job is not None and job.over for job in jobs) and stored.issuperset(chain(*submission.runs)):
                submission.forget()
