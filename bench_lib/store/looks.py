"""Looks that comparisons have taken at the runs of a store, one JSON file a comparison, so that none is taken anew."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

from bench_lib.core.errors import BadStore
from bench_lib.core.spec import canonical_json, digest
from bench_lib.store.damage import Gone, reading, reason, writing
from bench_lib.store.files import put_in_place, temporary
from bench_lib.store.listing import check_inside, listing
from bench_lib.store.objects import Location

FOLDER = "looks"


@dataclass(frozen=True)
class Looks:
    """The last look of each stage of a comparison, as planned, and the last look taken; in seeds."""

    stages: tuple[int, ...] = ()
    taken: int = 0

    def continued(self, seeds: int) -> tuple[int, ...]:
        """The stages of the comparison with up to this many seeds: those begun, and another one if they end before."""
        begun = tuple(end for start, end in pairwise((0, *self.stages)) if self.taken > start)
        return begun if begun and seeds <= begun[-1] else (*begun, seeds)


def read_looks(root: Location, comparison: object) -> Looks:
    """The looks taken at a comparison, which is given by value; none if nothing is recorded."""
    path = _path(root, comparison)
    try:
        return _parsed(path)[1]
    except Gone:
        return Looks()


def recorded_looks(root: Location) -> list[tuple[object, Looks]]:
    """All comparisons that looks are recorded of, given by value, with these looks; `BadStore` for a damaged record."""
    return [_parsed(path) for path in _files(root)]


def write_looks(root: Location, comparison: object, looks: Looks) -> None:
    """Record the looks taken at a comparison, in place of earlier ones."""
    path = _path(root, comparison)
    check_inside(root, path)
    content = {"comparison": comparison, "stages": looks.stages, "taken": looks.taken}
    with writing(path.parent):
        staged = temporary(path.parent, f"{path.stem}-")
        try:
            with staged.open("x", encoding="utf-8") as file:
                file.write(canonical_json(content) + "\n")
                file.flush()
                os.fsync(file.fileno())
            put_in_place(staged, path)
        finally:
            staged.unlink(missing_ok=True)


def merge_looks(root: Location, other: Location) -> None:
    """Take over the looks of another store; of a comparison in both, the record with more looks stays."""
    for path in _files(other):
        comparison, theirs = _parsed(path)
        ours = read_looks(root, comparison)
        if (theirs.taken, theirs.stages) > (ours.taken, ours.stages):
            write_looks(root, comparison, theirs)


def damaged_looks(root: Location) -> Iterator[str]:
    """What is wrong with the records of looks, one line each."""
    for path in _files(root):
        try:
            _parsed(path)
        except BadStore as error:
            yield str(error)


def _files(root: Location) -> list[Location]:
    with listing(root):
        return sorted((root / FOLDER).glob("[0-9a-f]*.json"))


def _path(root: Location, comparison: object) -> Location:
    return root / FOLDER / f"{digest(comparison)}.json"


def _parsed(path: Location) -> tuple[object, Looks]:
    """A comparison with the looks taken at it."""
    with reading(path) as file:
        content = file.read()
    try:
        found = json.loads(content)
        looks = Looks(tuple(map(int, found["stages"])), int(found["taken"]))
        rising = all(a < b for a, b in pairwise((0, *looks.stages)))
        if digest(found["comparison"]) != path.stem or not rising or looks.taken < 0:
            raise ValueError("its content is not what was written")
        return found["comparison"], looks
    except (ValueError, TypeError, KeyError) as error:
        raise BadStore(
            f"{path} is damaged: {reason(error)}; bring it back from a copy, or remove it and count what its "
            "comparison has spent of alpha as spent"
        ) from error
