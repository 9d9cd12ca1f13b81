"""Repeats: stored runs that were made again, each in a store of its own beside the runs, which no reader of runs sees.

The stores are `repeats/KIND-NUMBER/`: a digest of the kind of machine, and the number of the repeat on that kind.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping

from bench_lib.core.errors import BadStore
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import canonical_json, digest
from bench_lib.store.listing import listing
from bench_lib.store.migrate import recorded
from bench_lib.store.objects import Location
from bench_lib.store.parquet import Store

FOLDER = "repeats"
NAME = re.compile(r"([0-9a-f]{8})-([1-9][0-9]{0,3})")

_JUDGED = frozenset(status.value for status in Status if status.completed)

DECISIVE = ("cpu", "device", "system", "kernels", "bf16", "torch")
"""Provenance that decides how numbers are rounded; torch brings its kernels."""

EXACT = frozenset(("training_id", "task", "technique", "data_source", "spec", "metric", "trivial_score", "parameters"))
"""Fields that no rounding changes: where they differ, something else did."""


def kind_of_machine(provenance: Mapping[str, str]) -> str:
    """A digest of what decides how numbers are rounded; the same for all machines on which a spec has one result."""
    return digest({name: provenance.get(name, "") for name in DECISIVE})[:8]


def store_of_repeats(store: Store, kind: str, number: int) -> Store:
    """The store of the repeats of one kind of machine and number, from 1; it need not exist yet."""
    return Store(store.root / FOLDER / f"{kind}-{number}")


def stores_of_repeats(store: Store) -> list[Store]:
    """The stores of repeats that exist, by name; what is none is listed in the store's `passed_over`."""
    top = store.root / FOLDER
    with listing(top):
        if not top.exists() and not top.is_symlink():
            return []
        if top.is_symlink() or not top.is_dir():
            raise BadStore(f"{top} is no folder of this store; move what it leads to here")
        paths: list[Location] = [*top.iterdir()]
    found = []
    for path in sorted(paths):
        if path.is_dir() and not path.is_symlink() and NAME.fullmatch(path.name):
            found.append(Store(path))
        else:
            store.passed_over[f"{FOLDER}/{path.name}"] = "no folder of repeats, and nothing in it is read"
    return found


def kind_of(part: Store) -> str:
    """The kind of machine in the name of a store of repeats."""
    return part.root.name.partition("-")[0]


def repeats(store: Store) -> dict[str, list[RunRecord]]:
    """The repeats of each run, by the names of their stores, without predictions."""
    found: dict[str, list[RunRecord]] = defaultdict(list)
    for part in stores_of_repeats(store):
        for record in part.records():
            found[record.run_id].append(record)
    return dict(found)


def differences(one: RunRecord, other: RunRecord) -> list[str]:
    """The fields in which two runs of the same spec differ though they may not; none where either is no verdict.

    A run that crashed or ran out of time or memory says nothing of what another attempt must give; nor does a file of
    an earlier version say anything of what was not recorded then.
    """
    if not (is_judged(one) and is_judged(other)):
        return []
    ours, theirs = one.result(), other.result()
    known = [name for name in ours if recorded(name, ours[name]) and recorded(name, theirs[name])]
    return [name for name in known if canonical_json(ours[name]) != canonical_json(theirs[name])]


def is_judged(record: RunRecord) -> bool:
    """Whether a run says something of what another attempt must give."""
    return record.status in _JUDGED


def are_repeats(one: RunRecord, other: RunRecord) -> bool:
    """Whether two judged records of a run were made on different kinds of machine, and may differ by rounding alone."""
    judged = is_judged(one) and is_judged(other)
    return judged and _kind(one) != _kind(other) and not EXACT & set(differences(one, other))


def distinct(records: Iterable[RunRecord]) -> list[RunRecord]:
    """The judged records of one run, without those that equal an earlier one of their kind of machine.

    Such a record shows that the kind gives one result each time; it is no further draw of the noise.
    """
    found: list[RunRecord] = []
    for record in filter(is_judged, records):
        if not any(_kind(record) == _kind(other) and not differences(record, other) for other in found):
            found.append(record)
    return found


def _kind(record: RunRecord) -> str:
    return kind_of_machine(record.provenance)
