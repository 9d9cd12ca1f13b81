"""The GPUs to which the worker processes of a machine are bound, each to the one that has the fewest."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import takewhile
from pathlib import Path

VARIABLE = "CUDA_VISIBLE_DEVICES"


def visible_devices() -> tuple[str, ...]:
    """The GPUs that this process may use, as it would name them in the variable."""
    given = os.environ.get(VARIABLE)
    if given is None:
        return tuple(str(number) for number, _ in enumerate(Path("/dev").glob("nvidia[0-9]*")))
    # What follows a negative number is hidden too.
    return tuple(takewhile(lambda name: name and not name.startswith("-"), map(str.strip, given.split(","))))


def least_taken(devices: Sequence[str], taken: Iterable[str | None]) -> str | None:
    """The device for another worker, that with the fewest; None where there are none."""
    counts = Counter(taken)
    return min(devices, key=lambda device: counts[device], default=None)
