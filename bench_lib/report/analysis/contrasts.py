"""The contrasts of a report, one row each: what is decided against the baseline, what is refuted, what is open."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench_lib.report.analysis.claim_contrasts import Outcome, bearing
from bench_lib.report.analysis.published_claims import Claim, Effect, shipped
from bench_lib.report.analysis.tuning import tuned_arm
from bench_lib.report.cells import GROUP
from bench_lib.report.columns import as_rows
from bench_lib.report.values import DECIDED, Row, is_baseline
from bench_lib.stats.failure import difference_interval
from bench_lib.stats.verdict import Location

NAMES = (*GROUP, "task", "technique", "label", "against")
MEASURED = (
    *("decided", "verdict", "verdict_location", "decided_by", "basis", "shared", "shared_failed", "against_failed"),
    *("failure_difference", "failure_difference_low", "failure_difference_high"),
    *("mad_ratio", "mad_ratio_low", "mad_ratio_high", "superiority", "mean_difference", "cost_ratio"),
    *("claims", "missing", "missing_runs", "missing_baseline_runs"),
)
CONTRASTS = (*NAMES, *MEASURED)
STABILISES = (Effect.MORE_STABLE, Effect.FEWER_FAILURES)


def contrasts(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per cell that is compared with the baseline's and not declined; columns are `CONTRASTS`.

    Verdicts are those of the cells. `decided` is whether the comparison could stop; `claims` names the published claims
    that the technique stabilises which the verdict contradicts. The difference of failure rates is of the seeds that
    the verdict rests on (Newcombe, 95 %). `missing_runs` are the technique's runs for `missing` more seeds beyond those
    stored, `missing_baseline_runs` the baseline's, which contrasts of one task share.
    """
    known = as_rows(cells)
    bases = {_place(row, str(row["label"])): row for row in known}
    rows = [
        _contrast(row, base)
        for row in known
        if row["against"] and not is_baseline(row) and row["attempted"] > row["unsupported"]
        for base in [bases[_place(row, str(row["against"]))]]
    ]
    return pd.DataFrame(rows, columns=list(CONTRASTS))


def _place(row: Row, label: str) -> tuple[str, ...]:
    return (*(str(row[name]) for name in (*GROUP, "task", "setting")), label)


def _contrast(row: Row, base: Row) -> dict[str, Any]:
    shared, failed, theirs = (int(row[name]) for name in ("shared", "shared_failed", "against_failed"))
    rate = (failed - theirs) / shared if shared else math.nan
    low, high = difference_interval(failed, shared, theirs, shared) if shared else (math.nan, math.nan)
    target = shared + row["missing"]
    refuted = [name for name, claim in _claims(str(row["technique"])).items() if _contradicted(claim, row, base)]
    return {
        **{name: row[name] for name in CONTRASTS if name in row},
        "decided": is_decided(row),
        **dict(zip(MEASURED[8:11], (rate, low, high), strict=True)),
        "claims": "; ".join(refuted),
        "missing_runs": max(target - row["judged"], 0.0) if row["missing"] else 0.0,
        "missing_baseline_runs": max(target - base["judged"], 0.0) if row["missing"] else 0.0,
    }


def is_decided(row: Row) -> bool:
    """Whether stability is decided, or the scores are lower: that is when a comparison stops adding seeds."""
    return row["verdict"] in DECIDED or row["verdict_location"] == Location.WORSE


def _claims(technique: str) -> Mapping[str, Claim]:
    """The published claims that a technique, or a part of a stack, stabilises fine-tuning."""
    parts = {part.partition(":")[0] for part in tuned_arm(technique)[0].split("+")}
    return {n: claim for n, claim in shipped().items() if claim.technique in parts and claim.effect in STABILISES}


def _contradicted(claim: Claim, row: Row, base: Row) -> bool:
    return bearing(claim.effect, row, base) is Outcome.CONTRADICTED
