"""The seeds of a submission: nobody chooses them, a hash of the technique's file and the task does."""

from __future__ import annotations

import hashlib

from bench_lib.core.errors import require
from bench_lib.core.spec import canonical_json

RULE = "stabbench submission seeds, 1"
"""Name and version of the rule, which is hashed with the rest."""

FIRST = 10_000_000
"""The smallest seed, above those of sweeps and of tuning."""
WIDTH = 1_000
"""The distance of two ranges, and so the most seeds of a submission."""
RANGES = 1_000_000
LEAST = 3
"""The fewest seeds that can be compared at all."""
USUAL = 20
"""The fewest seeds that decide something about spread."""


def submission_seeds(file: bytes, task: str, count: int) -> range:
    """The seeds for a technique's file on a task: a range of `count`, whose start is a hash of all three.

    The count is hashed too, so that a submission cannot end at the seed where it looks best.
    """
    require(LEAST <= count <= WIDTH, "seeds of a submission", count, f"{LEAST} to {WIDTH:,}")
    text = canonical_json([RULE, hashlib.sha256(file).hexdigest(), task, count])
    number = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") % RANGES
    first = FIRST + WIDTH * number
    return range(first, first + count)


def written(seeds: range) -> str:
    """A range of seeds as `--seeds` takes it."""
    return f"{seeds[0]}-{seeds[-1]}"
