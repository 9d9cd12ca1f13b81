"""Tables of the report: one row per cell, contrast or technique."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from bench_lib.core.errors import UnknownName
from bench_lib.core.machine import machine_of
from bench_lib.core.record import Status
from bench_lib.core.spec import digest
from bench_lib.report.analysis.tuning import outside_tuning, tuned_arm
from bench_lib.report.cells import CELL_ID, GROUP, Cell, group_runs, key_parts, numbers
from bench_lib.stats.bootstrap import analytic_mean_interval, mean_interval
from bench_lib.stats.compare import boschloo, brown_forsythe, mad_ratio
from bench_lib.stats.correct import holm
from bench_lib.stats.failure import wilson
from bench_lib.stats.power import detectable_ratio
from bench_lib.stats.spread import mad_over_tasks, mean, spread
from bench_lib.stats.times import time_ratio

BASELINE = "adamw"
MOST_SIMULATED = 100
"""Maximum number of runs for which the detectable ratio is simulated; used for larger numbers as well."""
ALPHA = 0.05
MANY = 100
"""The number of scores from which the interval of their mean needs no resamples."""
COUNTS = ("attempted", "judged", "failed", "lost", *(str(s) for s in Status))
RATES = ("failure_rate", "failure_low", "failure_high")
SCORES = ("mean", "mean_low", "mean_high", "mad", "sd", "iqr", "median_ad", "minimum", "percentile_5", "cvar")
COSTS = ("tokens_per_second", "peak_memory_mib", "train_seconds")
CELLS = (*CELL_ID, "metric", "trivial_score", *COUNTS, "reason", *RATES, *SCORES, *COSTS)
CONTRASTS = (
    *(*CELL_ID, "against", "against_converged", "p_failure", "p_failure_holm", "p_spread", "p_spread_holm"),
    *("detectable_ratio", "mad_ratio_all", "mean_difference", "cost_ratio", "steps_ratio", "passes_ratio"),
)
TECHNIQUES = (*GROUP, "technique", "tasks", "tasks_ambiguous", "failure_rate", "mad_over_tasks")


def cells(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per cell: outcomes of all runs, and spread, worst case, mean and cost of the converged ones.

    Columns are `CELLS`. Scores are fractions and intervals hold at 95 %; undefined values are NaN, and so are measures
    of spread of fewer than two scores. The interval of the mean depends only on the cell itself.
    """
    return summarise_cells(group_runs(frame))


def summarise_cells(known: Iterable[Cell]) -> pd.DataFrame:
    """The table of `cells`, from grouped runs."""
    rows = [{**c.id_fields(), **_outcome(c), **_scores(c), **_costs(c)} for c in known]
    return pd.DataFrame(rows, columns=list(CELLS))


def compare(frame: pd.DataFrame, baseline: str = BASELINE) -> pd.DataFrame:
    """One row per cell, against the baseline's cell of the same setting; the baseline has ratios of 1 and no p-values.

    Columns are `CONTRASTS`; ratios and differences are the technique's against the baseline's. Each of the two tests is
    corrected by Holm over all contrasts of one (data, model, profile). `detectable_ratio` is the smallest MAD ratio
    that as many runs find with a power of 0.8, inf for none; `mad_ratio_all` is of all runs that converged,
    unlike the `mad_ratio` of `verdicts`. `against` is empty where the baseline was not run. Trials of a tuning are left
    out. Raises `UnknownName` where the baseline was run nowhere.
    """
    known = group_runs(_with_machine(outside_tuning(frame)))
    if not any(c.id_fields()["technique"] == baseline for c in known):
        raise UnknownName("baseline technique", baseline, {c.id_fields()["technique"] for c in known})
    return compare_cells(known, baseline)


def _with_machine(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs with the machine of each, which a frame of `api.load` has in its provenance."""
    if "machine" in frame:
        return frame
    origins = frame["provenance"] if "provenance" in frame else [{}] * len(frame)
    return frame.assign(machine=[machine_of(dict(origin)) for origin in origins])


def compare_cells(known: Sequence[Cell], baseline: str = BASELINE) -> pd.DataFrame:
    """The table of `compare`, from grouped runs, which need not include the baseline."""
    references = baseline_cells(known, baseline)
    rows = [{**c.id_fields(), **_contrast(c, references.get(c.cell_id))} for c in known]
    contrasts = pd.DataFrame(rows, columns=list(CONTRASTS))
    for test in ("p_failure", "p_spread"):
        adjusted = contrasts.groupby(list(GROUP))[test].transform(lambda p: holm(p.to_numpy(dtype=float)))
        contrasts[f"{test}_holm"] = adjusted
    return contrasts


def over_tasks(table: pd.DataFrame) -> pd.DataFrame:
    """One row per technique of a (data, model, profile), from the rows of `cells`: failures and MAD over its tasks.

    Columns are `TECHNIQUES`. Only tasks on which some run converged count in `tasks` and `mad_over_tasks`; tasks with
    several specs of the technique are `tasks_ambiguous` and left out. The rate is the mean of the tasks' rates.
    """
    rows = []
    for key, group in table.groupby([*GROUP, "technique"], sort=True):
        single = group[~group["task"].duplicated(keep=False)]
        means = numbers(single["mean"].dropna())
        rates = numbers(single["failure_rate"].dropna())
        ambiguous = group["task"].nunique() - len(single)
        mad = mad_over_tasks(means) if len(means) > 1 else math.nan
        rows.append((*key_parts(key), len(means), ambiguous, mean(rates), mad))
    return pd.DataFrame(rows, columns=list(TECHNIQUES))


def add_contrasts(table: pd.DataFrame, contrasts: pd.DataFrame | None) -> pd.DataFrame:
    """The cells with the columns of their contrasts, which are empty if `contrasts` is None."""
    beside = pd.DataFrame(columns=list(CONTRASTS)) if contrasts is None else contrasts
    whole = table.merge(beside, on=list(CELL_ID), how="left", validate="one_to_one")
    measured = [c for c in CONTRASTS if c not in (*CELL_ID, "against")]
    return whole.assign(against=whole["against"].fillna(""), **{c: numbers(whole[c]) for c in measured})


def _outcome(cell: Cell) -> dict[str, object]:
    judged, failed = cell.judged(), cell.failed()
    low, high = wilson(failed, judged) if judged else (math.nan, math.nan)
    reasons = zip(cell.statuses, cell.texts("reason"), strict=True)
    declined = dict.fromkeys(reason for status, reason in reasons if status == Status.UNSUPPORTED)
    constant_baseline = cell.numbers("trivial_score")
    constant_baseline = constant_baseline[~np.isnan(constant_baseline)]
    return {
        **{str(s): cell.count(s) for s in Status},
        "attempted": cell.size,
        "judged": judged,
        "failed": failed,
        "lost": cell.count(*(s for s in Status if s.lost_to_infrastructure)),
        "reason": "; ".join(declined),
        "failure_rate": failed / judged if judged else math.nan,
        "failure_low": low,
        "failure_high": high,
        "metric": max(cell.texts("metric"), default=""),
        "trivial_score": float(constant_baseline[0]) if len(constant_baseline) else math.nan,
    }


def _scores(cell: Cell) -> dict[str, float]:
    scores = cell.scores()
    measured = dataclasses.asdict(spread(scores))
    if len(scores) < 2:
        measured.update(dict.fromkeys(("mad", "sd", "iqr", "median_ad"), math.nan))
    if len(scores) < MANY:
        low, high = mean_interval(scores, np.random.default_rng(int(digest(cell.cell_id), 16)))
    else:
        low, high = analytic_mean_interval(scores)
    return {**{name: measured[name] for name in SCORES if name in measured}, "mean_low": low, "mean_high": high}


def _costs(cell: Cell) -> dict[str, float]:
    return {
        "tokens_per_second": _median(cell, "tokens_per_second"),
        "peak_memory_mib": _median(cell, "peak_memory_bytes") / 2**20,
        "train_seconds": _median(cell, "train_seconds"),
    }


def baseline_cells(known: Sequence[Cell], baseline: str) -> dict[tuple[str, ...], Cell]:
    """The baseline's cell of the same setting for each cell id; of several variants the one with the most judged runs.

    For a tuned arm that is the baseline tuned with the same budget, where it was run.
    """
    places = {c.cell_id: tuple(c.id_fields()[name] for name in (*GROUP, "task", "setting")) for c in known}
    arms = {c.cell_id: tuned_arm(c.id_fields()["technique"]) for c in known}
    cells = [c for c in known if arms[c.cell_id][0] == baseline]
    ours = {(places[c.cell_id], arms[c.cell_id][1]): c for c in sorted(cells, key=lambda c: (c.judged(), c.cell_id))}
    found = {key: ours.get((place, arms[key][1]), ours.get((place, ""))) for key, place in places.items()}
    return {key: cell for key, cell in found.items() if cell is not None}


def _contrast(cell: Cell, partner: Cell | None) -> dict[str, object]:
    if partner is None:
        return {"against": ""}
    ours, theirs = cell.scores(), partner.scores()
    fewer = min(len(ours), len(theirs))
    counts = (cell.failed(), cell.judged(), partner.failed(), partner.judged())
    itself = cell.cell_id == partner.cell_id
    return {
        "against": partner.id_fields()["label"],
        "against_converged": len(theirs),
        "p_failure": math.nan if itself or not (counts[1] and counts[3]) else boschloo(*counts),
        "p_spread": math.nan if itself else brown_forsythe(ours, theirs),
        "detectable_ratio": math.nan if itself else _detectable(partner.cell_id, theirs.tobytes(), _simulated(fewer)),
        "mad_ratio_all": mad_ratio(ours, theirs),
        "mean_difference": mean(ours) - mean(theirs),
        "cost_ratio": time_ratio(_times(cell), _times(partner)),
        "steps_ratio": _ratio(_median(cell, "steps"), _median(partner, "steps")),
        "passes_ratio": _ratio(_passes(cell), _passes(partner)),
    }


def _times(cell: Cell) -> Iterable[tuple[str, float]]:
    """The machines and training times of the converged runs."""
    machines = itertools.compress(cell.texts("machine"), cell.converged_mask)
    return zip(machines, cell.converged_numbers("train_seconds").tolist(), strict=True)


def _passes(cell: Cell) -> float:
    return _median(cell, "forward_passes") + _median(cell, "backward_passes")


@functools.lru_cache(maxsize=1024)
def _detectable(key: tuple[str, ...], baseline: bytes, seeds: int) -> float:
    """Simulated from the baseline's scores; cached, since techniques with as many runs share it."""
    if seeds < 3:
        return math.nan
    generator = np.random.default_rng(int(digest(key), 16))
    return detectable_ratio(np.frombuffer(baseline), seeds, ALPHA, generator)


def _simulated(seeds: int) -> int:
    """The number of runs rounded down, for fewer simulations; the result is then an upper bound."""
    return min(seeds if seeds < 10 else seeds // 5 * 5, MOST_SIMULATED)


def _ratio(ours: float, theirs: float) -> float:
    return ours / theirs if theirs > 0 else math.nan


def _median(cell: Cell, column: str) -> float:
    values = cell.converged_numbers(column)
    known = values[~np.isnan(values)]
    return float(np.median(known)) if known.size else math.nan
