"""How many more seeds would decide an open verdict that rests on a single look."""

from __future__ import annotations

import functools
import math

import numpy as np
from numpy.typing import NDArray

from bench_lib.core.spec import digest
from bench_lib.report.glossary import LEAST
from bench_lib.stats.design import Design, Margins
from bench_lib.stats.needed import nears_equivalence, seeds_for_equivalence
from bench_lib.stats.power import RATIOS, seeds_needed
from bench_lib.stats.verdict import Verdict


def missing_seeds(verdict: Verdict, scores: NDArray[np.float64], left: int, alpha: float) -> float:
    """Seeds to add for a decision: 0 for a sure verdict, nan where unknown, inf for more than 500 in all.

    With fewer than `LEAST` shared seeds those up to `LEAST`. Otherwise as in `stats.needed.seeds_to_decide`, at the
    levels of a single look at `left` contrasts. A ratio whose power is simulated from the baseline's scores (n,) is
    rounded towards 1 to one of `RATIOS`, so that contrasts share simulations.
    """
    if verdict.sure:
        return 0.0
    if verdict.seeds < LEAST:
        return float(LEAST - verdict.seeds)
    ratio, margins = abs(verdict.log_ratio.estimate), Margins()
    if not math.isfinite(ratio):
        return math.nan
    if nears_equivalence(verdict, margins):
        needed = seeds_for_equivalence(verdict, alpha / max(left, 1), margins)
    else:
        level = Design((verdict.seeds,), max(left, 1), alpha).levels(verdict.seeds, sum(verdict.failures)).spread
        rounded = max((one for one in RATIOS if one <= math.exp(ratio)), default=RATIOS[0])
        needed = _needed(scores.tobytes(), rounded, level)
    # Other tests may have failed on this many seeds, which the test of spread alone would do with.
    return max(needed - verdict.seeds, 1.0)


@functools.lru_cache(maxsize=1024)
def _needed(baseline: bytes, ratio: float, level: float) -> float:
    generator = np.random.default_rng(int(digest(["missing", ratio, level]), 16))
    return seeds_needed(np.frombuffer(baseline), ratio, level, generator)
