"""What is wrong with a results folder; nothing is moved or changed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord, Status
from bench_lib.store.damage import Damaged, Gone, damage_named
from bench_lib.store.files import check_name, opened, read
from bench_lib.store.identity import check_count, check_ids, contradictions, predicted
from bench_lib.store.looks import damaged_looks
from bench_lib.store.objects import Location
from bench_lib.store.parquet import RELISTINGS, Store
from bench_lib.store.repeats import differences, is_judged, kind_of, kind_of_machine, stores_of_repeats
from bench_lib.store.schema import PREDICTIONS, RUNS, to_records


def verify(store: Store) -> list[str]:
    """Every problem as one line: damage, other schemas, runs that are not what they say, missing predictions.

    What is no regular file is named and not opened. A store that is compacted meanwhile is looked through again.
    """
    for _ in range(RELISTINGS):
        try:
            return _problems(store)
        except Gone:
            continue
    return _problems(store)


def _problems(store: Store) -> list[str]:
    problems: list[str] = []
    standing: dict[str, list[RunRecord]] = defaultdict(list)
    for path in store.files("runs"):
        for record in _records(store, path, problems):
            problems.extend(_wrong(store, path, record))
            standing[record.run_id].append(record)
    stored = {run_id for path in store.files("predictions") for run_id in _predicted(store, path, problems)}
    for run_id, records in standing.items():
        problems.extend(_disagreeing(records))
        if run_id not in stored and any(r.score is not None and not r.external for r in records):
            problems.append(f"run {run_id} has a score but no predictions")
    problems.extend(damaged_looks(store.root))
    problems.extend(_wrong_repeats(store, standing.keys()))
    return problems + [f"{store.root / name} is {why}" for name, why in store.passed_over.items()]


def _wrong_repeats(store: Store, run_ids: Collection[str]) -> Iterator[str]:
    for part in stores_of_repeats(store):
        name = part.root.relative_to(store.root).as_posix()
        found = _problems(part)
        yield from (f"{name}: {problem}" for problem in found)
        for record in [] if found else part.records():
            if record.run_id not in run_ids:
                yield f"{name}: run {record.run_id} repeats a run that the store does not hold"
            if is_judged(record) and kind_of_machine(record.provenance) != kind_of(part):
                yield f"{name}: run {record.run_id} was made on another kind of machine than the name says"


def _records(store: Store, path: Location, problems: list[str]) -> list[RunRecord]:
    try:
        check_name(path)
        table = read(path, RUNS)
        check_ids(path, table)
        if store.is_single(path):
            check_count(path, table.num_rows)
        with damage_named(path):
            return to_records(table)
    except Gone:
        raise
    except BadStore as error:
        problems.append(str(error))
        return []


def _predicted(store: Store, path: Location, problems: list[str]) -> Iterator[str]:
    try:
        check_name(path)
        # Readers find runs so, across row groups.
        read(path, PREDICTIONS, ["run_id", "attempts"])
        with opened(path, PREDICTIONS) as file:
            if store.is_single(path):
                check_count(path, file.groups)
            for group in range(file.groups):
                table = file.group(group)
                check_ids(path, table)
                run_id = path.stem if store.is_single(path) else table["run_id"][0].as_py()
                predicted(path, table, run_id)
                yield run_id
    except Gone:
        raise
    except BadStore as error:
        problems.append(str(error))


def _wrong(store: Store, path: Location, record: RunRecord) -> Iterator[str]:
    try:
        with damage_named(path):
            found = [f"{path}: {why}" for why in contradictions(vars(record))]
    except Damaged as error:
        found = [str(error)]
    yield from found
    if record.status not in list(Status):
        yield f"{path}: run {record.run_id} has the unknown status {record.status!r}"
    if store.is_single(path) and store.path("runs", record) != path:
        yield f"{path}: run {record.run_id} of {record.task}, {record.technique} stands under another run's name"


def _disagreeing(records: list[RunRecord]) -> Iterator[str]:
    for other in records[1:]:
        if fields := differences(records[0], other):
            yield f"run {other.run_id} stands twice and disagrees in {', '.join(fields)}"
