from __future__ import annotations

import math
from typing import Any

import pytest

from bench_lib.report.analysis.claim_contrasts import Contrast, Outcome, bearing, reversed_row


@pytest.mark.parametrize(
    ("effect", "verdict", "location", "outcome"),
    [
        ("more_stable", "more stable", "open", "supported"),
        ("more_stable", "less stable", "better", "contradicted"),
        ("more_stable", "equivalent", "same", "contradicted"),
        ("more_stable", "underpowered", "better", "undecided"),
        ("higher_mean", "less stable", "better", "supported"),
        ("higher_mean", "more stable", "worse", "contradicted"),
        ("higher_mean", "equivalent", "same", "contradicted"),
        ("higher_mean", "more stable", "open", "undecided"),
        ("no_lower_mean", "equivalent", "same", "supported"),
        ("no_lower_mean", "underpowered", "better", "supported"),
        ("no_lower_mean", "more stable", "worse", "contradicted"),
        ("no_effect", "equivalent", "same", "supported"),
        ("no_effect", "underpowered", "better", "contradicted"),
        ("no_effect", "more stable", "open", "contradicted"),
        ("no_effect", "underpowered", "same", "undecided"),
        ("no_effect", "", "", "undecided"),
    ],
)
def test_each_verdict_bears_on_an_effect(cell: Any, effect: str, verdict: str, location: str, outcome: str) -> None:
    row = cell(verdict=verdict, verdict_location=location, decided_by="spread")
    assert bearing(effect, row, cell()) == outcome


@pytest.mark.parametrize(
    ("verdict", "decided_by", "failed", "outcome"),
    [
        ("more stable", "failures", 9, "supported"),
        ("less stable", "failures", 0, "contradicted"),
        ("more stable", "spread", 9, "undecided"),
        ("less stable", "spread", 9, "undecided"),
        ("equivalent", "equivalence", 1, "contradicted"),
        ("equivalent", "equivalence", 0, "undecided"),
    ],
)
def test_fewer_failures_are_decided_by_failures(
    cell: Any, base: Any, verdict: str, decided_by: str, failed: int, outcome: str
) -> None:
    row = cell(verdict=verdict, decided_by=decided_by)
    assert bearing("fewer_failures", row, base(failed=failed)) == outcome


def test_a_reversed_contrast_says_the_opposite(cell: Any, base: Any) -> None:
    row = cell(verdict="more stable", verdict_location="worse", decided_by="spread", superiority=0.2, converged=29)
    turned = reversed_row(row, base(failed=3))
    assert (turned["technique"], turned["against"], turned["failed"]) == ("adamw", "mixout", 3)
    assert (turned["verdict"], turned["verdict_location"], turned["against_converged"]) == ("less stable", "better", 29)
    ratios = [turned[name] for name in ("mad_ratio", "mad_ratio_low", "mad_ratio_high", "cost_ratio")]
    assert ratios == pytest.approx([1 / 0.6, 1 / 0.9, 1 / 0.4, 0.8])
    assert (turned["superiority"], turned["mean_difference"]) == pytest.approx((0.8, -0.01))
    assert reversed_row(cell(mad_ratio=0.0), base())["mad_ratio"] == math.inf
    assert reversed_row(cell(verdict="equivalent", verdict_location="same"), base())["verdict"] == "equivalent"


def test_an_undecided_contrast_lacks_seeds(cell: Any) -> None:
    def contrast(shared: int, outcome: Outcome = Outcome.UNDECIDED) -> Contrast:
        return Contrast(cell(shared=shared), cell(), 640, (1,), outcome)

    assert [contrast(seeds).missing for seeds in (3, 19, 20, 30)] == [17, 1, 0, 0]
    assert contrast(12, Outcome.SUPPORTED).missing == 0
