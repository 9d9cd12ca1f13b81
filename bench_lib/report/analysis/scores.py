"""The comparison of two techniques whose runs were made elsewhere, as a table for people and for pandas."""

from __future__ import annotations

import html
import math
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.stats.design import FIRST_LOOK
from bench_lib.stats.scores import ScoreSettings, ScoreVerdict, Side
from bench_lib.stats.verdict import Location, Stability

HEAD = (
    *("task", "technique", "verdict", "scores", "runs", "failed", "mean", "MAD", "worst"),
    *("MAD ratio [95 %]", "p (failures)", "p (spread)", "P(better) [95 %]"),
)
LEGEND = (
    "verdict: on stability, the first against the second; scores: on their location",
    "MAD: mean absolute deviation of the scores over the seeds; its ratio is below 1 where the first is steadier",
    "P(better): the chance that a run of the first beats one of the second",
)


@dataclass(frozen=True)
class ScoreComparison:
    """A technique against a baseline, by scores that were measured elsewhere.

    `as_percent` shows scores, which are then fractions, in percent points. `notes` say how files were read.
    """

    technique: str
    baseline: str
    tasks: tuple[ScoreVerdict, ...]
    settings: ScoreSettings
    as_percent: bool = False
    notes: tuple[str, ...] = ()

    def frame(self) -> pd.DataFrame:
        """One row a task, with numbers as they are: scores unrounded, undefined values NaN."""
        return pd.DataFrame([self._numbers(one) for one in self.tasks])

    def rows(self) -> list[tuple[str, ...]]:
        """The cells of `HEAD` for each task, each with a line of the technique and one of the baseline."""
        return [row for one in self.tasks for row in self._rows(one)]

    def remarks(self) -> list[str]:
        """What to know beside the table: pairing, runs that do not count, and what more seeds would decide."""
        return [f"{one.task}: {remark}" for one in self.tasks for remark in [*_remarks(one), *self._constant(one)]]

    def __str__(self) -> str:
        verdicts = (f"{one.task}: {_stability(one)}, scores {_location(one)}" for one in self.tasks)
        return f"{self.technique} against {self.baseline}: {'; '.join(verdicts)}"

    def _repr_html_(self) -> str:
        table = pd.DataFrame(self.rows(), columns=list(HEAD))
        lines = [str(self), *self.remarks(), *self.notes]
        text: str = table.to_html(index=False, border=0)
        return text + "".join(f"<div>{html.escape(line)}</div>" for line in lines)

    def _constant(self, one: ScoreVerdict) -> list[str]:
        """Runs that seem to have collapsed, and are not said to have."""
        if self.settings.constant_baseline is not None:
            return []
        sides = zip((self.technique, self.baseline), one.sides, strict=True)
        return [
            f"{side.alike} runs of {name} have the same score, far from the rest: {self._side(side)[-1]}; if a "
            "constant predictor scores that, give it as the constant baseline, and they count as failed"
            for name, side in sides
            if side.alike
        ]

    def _rows(self, one: ScoreVerdict) -> list[tuple[str, ...]]:
        ours, theirs = one.sides
        verdict = one.verdict
        contrast = (
            md.estimate(*one.ratio()),
            md.p_value(verdict.p_failure),
            md.p_value(verdict.p_spread),
            md.estimate(*one.superiority()),
        )
        first = (one.task, self.technique, _stability(one), _location(one), *self._side(ours), *contrast)
        return [first, ("", self.baseline, "", "", *self._side(theirs), *[""] * len(contrast))]

    def _side(self, side: Side) -> tuple[str, ...]:
        shown: Callable[[float], str] = md.percent if self.as_percent else _plain_number
        return (str(side.runs), str(side.failed), *map(shown, (side.mean, side.mad, side.worst)))

    def _numbers(self, one: ScoreVerdict) -> dict[str, object]:
        verdict = one.verdict
        sides = {"technique": one.sides[0], "baseline": one.sides[1]}
        names = ("runs", "failed", "lost", "unused", "mean", "mad", "worst")
        measured = {f"{side}_{name}": getattr(values, name) for side, values in sides.items() for name in names}
        return {
            "task": one.task,
            "verdict": str(verdict.stability),
            "verdict_location": str(verdict.location),
            "decided_by": verdict.decided_by,
            "paired": one.paired,
            "tested": one.tested,
            **measured,
            **dict(zip(("mad_ratio", "mad_ratio_low", "mad_ratio_high"), one.ratio(), strict=True)),
            **dict(zip(("superiority", "superiority_low", "superiority_high"), one.superiority(), strict=True)),
            "p_failure": verdict.p_failure,
            "p_spread": verdict.p_spread,
            "p_location": verdict.p_location,
            "detectable_ratio": one.detectable,
            "missing_seeds": one.missing,
        }


def _stability(one: ScoreVerdict) -> str:
    by = one.verdict.decided_by
    return f"{one.verdict.stability} ({by})" if by in ("failures", "spread") else str(one.verdict.stability)


def _location(one: ScoreVerdict) -> str:
    return "undecided" if one.verdict.location is Location.OPEN else str(one.verdict.location)


def _remarks(one: ScoreVerdict) -> list[str]:
    ours, theirs = one.verdict.sizes
    remarks = [f"paired by {ours} shared seeds" if one.paired else f"not paired: {ours} runs against {theirs}"]
    if unused := sum(side.unused for side in one.sides):
        remarks.append(f"{unused} runs have seeds that the other lacks, and count in mean and MAD alone")
    if lost := sum(side.lost for side in one.sides):
        remarks.append(f"{lost} runs crashed or did not finish, and count for nothing")
    if not one.tested:
        remarks.append(f"nothing was tested: a verdict takes {FIRST_LOOK} seeds of each or more")
    elif one.verdict.stability is Stability.UNDERPOWERED:
        remarks.append(_reach(one))
    return remarks


def _reach(one: ScoreVerdict) -> str:
    seeds = min(one.verdict.sizes)
    if math.isnan(one.detectable):
        return f"what {seeds} seeds detect is unknown: too few runs of the baseline converged, or without spread"
    found = (
        f"{seeds} seeds detect none of the MAD ratios tried (power 0.8)"
        if math.isinf(one.detectable)
        else f"{seeds} seeds detect a MAD ratio of {one.detectable:.2f} or {1 / one.detectable:.2f} (power 0.8)"
    )
    known = math.isfinite(one.missing) and one.missing > 0
    return f"{found}; about {one.missing:.0f} more would decide" if known else found


def _plain_number(value: float) -> str:
    return md.DASH if not math.isfinite(value) else f"{value:.4g}"
