"""The runs of one results folder into another."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass

from bench_lib.core.record import RunRecord
from bench_lib.store.claims import COMPACTION, Claims
from bench_lib.store.looks import merge_looks
from bench_lib.store.parquet import Store
from bench_lib.store.repeats import (
    are_repeats,
    differences,
    distinct,
    kind_of_machine,
    repeats,
    store_of_repeats,
    stores_of_repeats,
)


@dataclass(frozen=True)
class Merged:
    """How many runs and repeats were written, and every run that both hold with results that disagree but should not.

    A repeat is a run that both hold, each made on a kind of machine of its own.
    """

    written: int
    disagreeing: tuple[str, ...]
    repeats: int = 0


def merge(store: Store, other: Store) -> Merged:
    """Add the other's runs with their predictions; of a run in both, ours stays unless theirs has more attempts.

    The one that does not stay is kept as a repeat where it was made on another kind of machine. So is one with an equal
    result: the noise between machines would be overstated by the differing ones alone.
    """
    with Claims(store.root, COMPACTION):
        merge_looks(store.root, other.root)
        return _merged(store, other)


def _merged(store: Store, other: Store) -> Merged:
    standing = {record.run_id: record for record in store.records()}
    known = repeats(store)
    written = again = 0
    disagreeing: list[str] = []
    for theirs in other.records():
        mine = standing.get(theirs.run_id)
        newer = mine is None or theirs.attempts > mine.attempts
        if newer:
            standing[theirs.run_id] = theirs
        if mine and are_repeats(mine, theirs):
            again += _keep(store, store if newer else other, mine if newer else theirs, standing, known)
        elif mine and (fields := differences(mine, theirs)):
            disagreeing.append(f"run {theirs.run_id} disagrees in {', '.join(fields)}")
        if newer:
            store.append(dataclasses.replace(theirs, predictions=other.predictions(theirs.run_id)))
            written += 1
    for part in stores_of_repeats(other):
        again += sum(_keep(store, part, record, standing, known) for record in part.records())
    return Merged(written, tuple(disagreeing), again)


def _keep(
    store: Store, source: Store, record: RunRecord, standing: dict[str, RunRecord], known: dict[str, list[RunRecord]]
) -> bool:
    """Keep a record with its predictions as a repeat, unless its kind of machine is known to give this result."""
    earlier = known.setdefault(record.run_id, [])
    first = [standing[record.run_id]] if record.run_id in standing else []
    before = distinct([*first, *earlier])
    if len(distinct([*before, record])) == len(before):
        return False
    kind = kind_of_machine(record.provenance)
    parts = (store_of_repeats(store, kind, number) for number in itertools.count(1))
    free = next(part for part in parts if not part.attempts(record.run_id))
    free.append(dataclasses.replace(record, predictions=source.predictions(record.run_id)))
    earlier.append(record)
    return True
