"""Export of what a store holds and a tracker does not, in one process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import NamedTuple

from bench_lib.core.errors import UnknownName
from bench_lib.integrations.trackers.runs import tracked
from bench_lib.integrations.trackers.tracker import Tracker
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction

AT_A_TIME = 500
"""Records with their curves that are in memory at a time."""


class Exported(NamedTuple):
    """Numbers of runs: chosen of the store, and of these added now."""

    chosen: int
    added: int


@dataclass(frozen=True)
class Selection:
    """The runs to export; an empty part takes all."""

    tasks: tuple[str, ...] = ()
    techniques: tuple[str, ...] = ()

    def of(self, store: Store) -> dict[str, int]:
        """The attempts of the chosen runs of a store by id; `UnknownName` for a name that no run has."""
        rows = store.table(Reduction(KEPT, lambda table: table)).select([*KEPT]).to_pylist()
        for part, names in (("task", self.tasks), ("technique", self.techniques)):
            known = {row[part] for row in rows}
            for name in names:
                if name not in known:
                    raise UnknownName(f"{part} of the stored runs", name, known)
            rows = [row for row in rows if not names or row[part] in names]
        return {row["run_id"]: row["attempts"] for row in rows}


def export(
    store: Store, tracker: Tracker, selection: Selection, report: Callable[[int, int], None] = lambda done, total: None
) -> Exported:
    """Add the chosen runs that the tracker does not hold, or holds of an earlier attempt, seed by seed of each cell.

    `report` is told how many of the new runs are done. What was stopped goes on where it was.
    """
    chosen = selection.of(store)
    held = tracker.held()
    new = [run_id for run_id, attempts in chosen.items() if held.get(run_id) != attempts]
    done = 0
    for ids in _in_parts(new):
        for record in store.records(ids):
            tracker.put(tracked(record))
            done += 1
            report(done, len(new))
    return Exported(len(chosen), done)


def _in_parts(ids: Collection[str]) -> list[list[str]]:
    listed = list(ids)
    return [listed[start : start + AT_A_TIME] for start in range(0, len(listed), AT_A_TIME)]
