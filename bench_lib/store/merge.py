"""The runs of one results folder into another."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.store.claims import COMPACTION, Claims
from bench_lib.store.looks import merge_looks
from bench_lib.store.parquet import Store
from bench_lib.store.verify import differences


@dataclass(frozen=True)
class Merged:
    """How many runs were written, and every run that both hold with results that should agree but do not."""

    written: int
    disagreeing: tuple[str, ...]


def merge(store: Store, other: Store) -> Merged:
    """Add the other's runs with their predictions; of a run in both, ours stays unless theirs has more attempts."""
    with Claims(store.root, COMPACTION):
        merge_looks(store.root, other.root)
        return _merged(store, other)


def _merged(store: Store, other: Store) -> Merged:
    ours = {record.run_id: record for record in store.records()}
    written = 0
    disagreeing: list[str] = []
    for theirs in other.records():
        mine = ours.get(theirs.run_id)
        if mine and (fields := differences(mine, theirs)):
            disagreeing.append(f"run {theirs.run_id} disagrees in {', '.join(fields)}")
        if mine is None or theirs.attempts > mine.attempts:
            store.append(dataclasses.replace(theirs, predictions=other.predictions(theirs.run_id)))
            written += 1
    return Merged(written, tuple(disagreeing))
