"""How long one way takes beside another, from runs beside which machines did other work."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

Seconds = Mapping[str, Sequence[float]]
"""The seconds of runs, by the machine that they were made on."""


def time_ratio(ours: Seconds, theirs: Seconds) -> float:
    """The shortest time over the other's shortest, of runs on one machine; nan where none has runs of both.

    What else a machine does only adds to the time of a run, so that the shortest is nearest to that of the run by
    itself. Of several machines the one with the most runs of both counts.
    """
    usable = [{name: [s for s in times if s > 0] for name, times in side.items()} for side in (ours, theirs)]
    shared = [name for name in sorted(usable[0].keys() & usable[1].keys()) if usable[0][name] and usable[1][name]]
    if not shared:
        return math.nan
    most = max(shared, key=lambda name: min(len(side[name]) for side in usable))
    return min(usable[0][most]) / min(usable[1][most])
