"""Whether the runs of a technique score above the baseline's, beyond a difference of means."""

from __future__ import annotations

import numpy as np
import pandas as pd

from bench_lib.core.errors import UnknownName
from bench_lib.core.spec import digest
from bench_lib.report.analysis.summary import BASELINE, baseline_cells
from bench_lib.report.analysis.tuning import outside_tuning
from bench_lib.report.cells import CELL_ID, Cell, group_runs
from bench_lib.stats.aso import violation_bound, violation_ratio
from bench_lib.stats.equivalence import superiority_effect

MEASURES = ("superiority", "superiority_low", "superiority_high", "violation_ratio", "violation_bound")
DOMINANCE = (*CELL_ID, "against", *MEASURES)


def dominance(runs: pd.DataFrame, baseline: str = BASELINE) -> pd.DataFrame:
    """One row per cell that the baseline was run beside, from the converged runs of both.

    Columns are `DOMINANCE`. `superiority` is P(technique > baseline) with its 95 % interval, for three or more runs of
    both. `violation_ratio` is 0 where the technique scores higher at every quantile and 1 where the baseline does;
    `violation_bound` is its upper 95 % bound, below 0.5 where the technique almost stochastically dominates. The same
    runs give the same bits. Trials of a tuning are left out. Raises `UnknownName` where the baseline was run nowhere.
    """
    cells = group_runs(outside_tuning(runs))
    references = baseline_cells(cells, baseline)
    if not references:
        raise UnknownName("baseline technique", baseline, {cell.id_fields()["technique"] for cell in cells})
    pairs = [(cell, references.get(cell.cell_id)) for cell in cells]
    rows = [_row(cell, partner) for cell, partner in pairs if partner is not None and partner is not cell]
    return pd.DataFrame(rows, columns=list(DOMINANCE))


def _row(cell: Cell, partner: Cell) -> dict[str, object]:
    scores = (cell.scores(), partner.scores())
    generator = np.random.default_rng(int(digest(cell.cell_id), 16))
    effect = superiority_effect(*scores)
    low, high = np.clip(effect.interval(), 0, 1).tolist()
    values = (effect.estimate, low, high, violation_ratio(*scores), violation_bound(*scores, generator))
    named = {**cell.id_fields(), "against": partner.id_fields()["label"]}
    return {**named, **dict(zip(MEASURES, values, strict=True))}
