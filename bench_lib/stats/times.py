"""How long one way takes beside another, from runs beside which machines did other work."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable

Times = Iterable[tuple[str, float]]
"""The machine of each run, and its seconds."""


def time_ratio(ours: Times, theirs: Times) -> float:
    """The shortest time over the other's shortest, of runs on one machine; nan where none has runs of both.

    What else a machine does only adds to the time of a run, so that the shortest is nearest to that of the run by
    itself. Of several machines the one with the most runs of both counts.
    """
    first, second = _by_machine(ours), _by_machine(theirs)
    shared = sorted(first.keys() & second.keys())
    if not shared:
        return math.nan
    most = max(shared, key=lambda machine: min(len(first[machine]), len(second[machine])))
    return min(first[most]) / min(second[most])


def _by_machine(times: Times) -> dict[str, list[float]]:
    """The seconds that are known, by machine."""
    found: dict[str, list[float]] = defaultdict(list)
    for machine, seconds in times:
        if seconds > 0:
            found[machine].append(seconds)
    return found
