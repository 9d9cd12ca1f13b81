"""What is wrong with a results folder; nothing is moved or changed."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from bench_lib.errors import BadStore
from bench_lib.record import RunRecord, Status
from bench_lib.spec import canonical_json
from bench_lib.store.files import opened, read
from bench_lib.store.migrate import recorded
from bench_lib.store.parquet import Store
from bench_lib.store.schema import PREDICTIONS, RUNS, to_predictions, to_records

_JUDGED = frozenset(status.value for status in Status if status.judged)


def verify(store: Store) -> list[str]:
    """Every problem as one line: damage, other schemas, runs that are not what they say, missing predictions."""
    problems: list[str] = []
    standing: dict[str, list[RunRecord]] = defaultdict(list)
    for path in store.files("runs"):
        for record in _records(path, problems):
            problems.extend(_wrong(store, path, record))
            standing[record.run_id].append(record)
    stored = {run_id for path in store.files("predictions") for run_id in _predicted(path, problems)}
    for run_id, records in standing.items():
        problems.extend(_disagreeing(records))
        if run_id not in stored and any(record.score is not None for record in records):
            problems.append(f"run {run_id} has a score but no predictions")
    return problems


def differences(one: RunRecord, other: RunRecord) -> list[str]:
    """The fields in which two runs of the same spec differ though they may not; none where either is no verdict.

    A run that crashed or ran out of time or memory says nothing of what another attempt must give; nor does a file of
    an earlier version say anything of what was not recorded then.
    """
    if one.status not in _JUDGED or other.status not in _JUDGED:
        return []
    ours, theirs = one.result(), other.result()
    known = [name for name in ours if recorded(name, ours[name]) and recorded(name, theirs[name])]
    return [name for name in known if canonical_json(ours[name]) != canonical_json(theirs[name])]


def _records(path: Path, problems: list[str]) -> list[RunRecord]:
    try:
        return to_records(read(path, RUNS))
    except BadStore as error:
        problems.append(str(error))
        return []


def _predicted(path: Path, problems: list[str]) -> Iterator[str]:
    try:
        with opened(path, PREDICTIONS) as file:
            for row in range(file.num_row_groups):
                table = file.read_row_group(row, use_threads=False)
                to_predictions(table)
                yield table["run_id"][0].as_py()
    except BadStore as error:
        problems.append(str(error))


def _wrong(store: Store, path: Path, record: RunRecord) -> Iterator[str]:
    if hashlib.sha256(record.spec.encode()).hexdigest()[:20] != record.run_id:
        yield f"{path}: run {record.run_id} is not the digest of its spec"
    if record.status not in list(Status):
        yield f"{path}: run {record.run_id} has the unknown status {record.status!r}"
    if store.is_single(path) and store.path("runs", record) != path:
        yield f"{path}: run {record.run_id} of {record.task}, {record.technique} stands under another run's name"


def _disagreeing(records: list[RunRecord]) -> Iterator[str]:
    for other in records[1:]:
        if fields := differences(records[0], other):
            yield f"run {other.run_id} stands twice and disagrees in {', '.join(fields)}"
