"""The verdict on each cell against its baseline, with one error rate for all contrasts of a group."""

from __future__ import annotations

import math
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report.analysis.missing import missing_seeds
from bench_lib.report.analysis.summary import baseline_cells
from bench_lib.report.cells import CELL_ID, GROUP, Cell
from bench_lib.report.glossary import SINGLE
from bench_lib.stats.claims import claims, exact_evidence
from bench_lib.stats.design import FIRST_LOOK
from bench_lib.stats.verdict import PairedSamples, Verdict

ALPHA = 0.05
MEASURES = (
    *("verdict", "verdict_location", "decided_by", "basis", "shared", "shared_failed", "against_failed"),
    *("mad_ratio", "mad_ratio_low", "mad_ratio_high", "superiority", "missing"),
)
VERDICTS = (*CELL_ID, *MEASURES)
JUDGED = frozenset(str(status) for status in Status if status.completed)
NOTHING = ("", "", "", "", 0, 0, 0, math.nan, math.nan, math.nan, math.nan, math.nan)
"""The values of a cell without a comparison."""


@dataclass(frozen=True, eq=False)
class Contrast:
    """The evidence on a cell against its baseline's, which is `partner`."""

    partner: Cell
    evidence: Verdict


def verdicts(known: Sequence[Cell], baseline: str, alpha: float = ALPHA) -> pd.DataFrame:
    """One row per cell: the claims of `stats.claims` against the baseline's cell of the same setting.

    Columns are `VERDICTS`. Runs are paired by their seeds; `shared` counts those that are judged in both. All contrasts
    of a (data, model, profile) share alpha. With fewer shared seeds than a first look takes nothing is tested and
    nothing spent: the verdict is `underpowered`. It is empty for the baseline and for what shares no seed with it.
    `mad_ratio` is of the seeds that survive in both, unlike `mad_ratio_all`; its interval (95 %) and
    P(technique > baseline) are of one contrast alone. `missing` are the seeds that would decide an open verdict, as in
    `report.analysis.missing`. What sequential looks decided is replaced by `report.analysis.sequential`.
    """
    references = baseline_cells(known, baseline)
    groups: dict[tuple[str, ...], dict[int, Contrast]] = {}
    for number, cell in enumerate(known):
        partner = references.get(cell.cell_id)
        if partner is not None and partner.cell_id != cell.cell_id and (pairs := paired_samples(cell, partner)).seeds:
            groups.setdefault(cell.cell_id[: len(GROUP)], {})[number] = Contrast(partner, exact_evidence(pairs))
    found = {number: row for group in groups.values() for number, row in _concluded(group, alpha).items()}
    rows = [(*cell.cell_id, *found.get(number, NOTHING)) for number, cell in enumerate(known)]
    return pd.DataFrame(rows, columns=list(VERDICTS))


def add_verdicts(table: pd.DataFrame, known: Sequence[Cell], baseline: str) -> pd.DataFrame:
    """Add the columns of the verdicts to the rows of `summary.add_contrasts`."""
    return table.merge(verdicts(known, baseline), on=list(CELL_ID), how="left", validate="one_to_one")


def paired_samples(cell: Cell, partner: Cell, seeds: Container[int] | None = None) -> PairedSamples:
    """Scores of the seeds judged in both cells, of all or of some seeds, sorted by seed; NaN for failed runs."""
    ours, theirs = _judged(cell), _judged(partner)
    shared = sorted(seed for seed in ours.keys() & theirs.keys() if seeds is None or seed in seeds)
    return PairedSamples(*(np.array([scores[seed] for seed in shared], dtype=np.float64) for scores in (ours, theirs)))


def _judged(cell: Cell) -> dict[int, float]:
    """The score by seed; NaN for runs that failed in training."""
    runs = zip(cell.seeds, cell.statuses, cell.numbers("score").tolist(), strict=True)
    return {seed: score if status == Status.CONVERGED else math.nan for seed, status, score in runs if status in JUDGED}


def _concluded(contrasts: Mapping[int, Contrast], alpha: float) -> dict[int, tuple[Any, ...]]:
    """The measures of the contrasts of one group, by the number of their cell."""
    tested = [number for number, one in contrasts.items() if one.evidence.seeds >= FIRST_LOOK]
    judged = dict(zip(tested, claims([contrasts[number].evidence for number in tested], alpha=alpha), strict=True))
    left = sum(not verdict.sure for verdict in judged.values())
    found = {}
    for number, one in contrasts.items():
        verdict = judged.get(number, one.evidence)
        missing = missing_seeds(verdict, one.partner.scores(), left, alpha)
        found[number] = measures(verdict, SINGLE if number in judged else "", missing)
    return found


def measures(verdict: Verdict, basis: str, missing: float) -> tuple[Any, ...]:
    """The values of `MEASURES` from a verdict, how it came about, and the seeds that it misses."""
    effect = verdict.log_ratio
    ratios = (math.exp(value) for value in (effect.estimate, *effect.interval()))
    concluded = (str(verdict.stability), str(verdict.location), verdict.decided_by, basis)
    return (*concluded, verdict.seeds, *verdict.failures, *ratios, verdict.superiority.estimate, missing)
