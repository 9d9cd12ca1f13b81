"""The summary of a store: the tables that reports, figures, pages and recommendations are views of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.executors.base import Executor, results
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report import columns
from bench_lib.report.analysis import runs as stored
from bench_lib.report.analysis import tuning
from bench_lib.report.analysis.declared import DeclaredPlan
from bench_lib.report.analysis.diagnostics import Reader, diagnostics
from bench_lib.report.analysis.efficiency import efficiency_metrics
from bench_lib.report.analysis.further import COLUMN, forgetting, further_scores
from bench_lib.report.analysis.noise import Scores, noise_floors, repeat_scores
from bench_lib.report.analysis.other_metrics import NAMES, other_metrics
from bench_lib.report.analysis.ranking import ranks
from bench_lib.report.analysis.sequential import FamilyOutcome, outcomes, overlaid
from bench_lib.report.analysis.summary import BASELINE, add_contrasts, compare_cells, over_tasks, summarise_cells
from bench_lib.report.analysis.variance import ordinary, variance_components
from bench_lib.report.analysis.verdicts import add_verdicts
from bench_lib.report.cells import CELL_ID, GROUP, Cell, add_cell_ids, drop_unused_categories, split_cells
from bench_lib.store import Location, Store
from bench_lib.store.predictions import reading

NO_REPEATS: Scores = {}


@dataclass(frozen=True, eq=False)
class Summary:
    """The runs of a store and the tables computed from them.

    `runs` has one row per run, sorted by cell and seed, and `loss` the training curves (runs, points); `cells` one row
    per cell, `techniques` and `ranks` one per technique of a group. Runs that freeze streams in turn are in
    `variance_components` only, and those of a tuning in `points`, one row a point. `further` has one row per cell and
    measure of a further set, `forgetting` one per cell, and `other_metrics` one per cell, metric beside the primary one
    and status. `families` are sequential comparisons, whose verdicts are in `cells`, and `plan` is what a plan
    declares. `quarantined` are the names of damaged files.
    """

    runs: pd.DataFrame
    loss: NDArray[np.float32]
    cells: pd.DataFrame
    techniques: pd.DataFrame
    ranks: pd.DataFrame
    variance_components: pd.DataFrame
    points: pd.DataFrame
    further: pd.DataFrame
    forgetting: pd.DataFrame
    other_metrics: pd.DataFrame
    baseline: str
    quarantined: Sequence[str] = ()
    families: Sequence[FamilyOutcome] = ()
    plan: DeclaredPlan | None = None


def summarise(
    store: Store, baseline: str = BASELINE, executor: Executor | None = None, plan: DeclaredPlan | None = None
) -> Summary:
    """Summarise the runs of a store; the executor computes the table of each group.

    Verdicts are those of the sequential comparisons that the plan declares or the store has a record of, and of a
    single look otherwise.
    Without runs of the default baseline there are no comparisons. Raises `BenchError` for a store without runs, and
    `UnknownName` for another baseline that no run has.
    """
    read = stored.read(store)
    damaged = _damaged(store)
    if read.frame.empty:
        found = f" but {len(damaged)} damaged files in quarantine" if damaged else ""
        raise BenchError(f"no runs in {store.root}{found}: fill it with `stabbench run --store {store.root}`")
    frame = read.frame.assign(row=np.arange(len(read.frame)))
    known = add_cell_ids(ordinary(frame))
    table = _table(known, baseline, store, executor or InlineExecutor())
    families = outcomes(known, store, plan.families if plan else ())
    table = overlaid(table, split_cells(known), families, baseline) if families else table
    return Summary(
        runs=known.drop(columns=["row", COLUMN, NAMES]),
        loss=read.loss[known["row"].to_numpy(dtype=np.int64)],
        cells=table,
        techniques=over_tasks(table),
        ranks=ranks(table),
        variance_components=variance_components(read.frame),
        points=tuning.points(read.frame),
        further=further_scores(known),
        forgetting=forgetting(known),
        other_metrics=other_metrics(known, read.measured),
        baseline=baseline,
        quarantined=damaged,
        families=families,
        plan=plan,
    )


@dataclass(frozen=True, eq=False)
class _Group:
    """The runs of one group, with cell ids, and the baseline to compare with, if `comparable`; scores of repeats."""

    runs: pd.DataFrame
    baseline: str
    comparable: bool
    store: Location
    repeats: Scores


def _table(known: pd.DataFrame, baseline: str, store: Store, executor: Executor) -> pd.DataFrame:
    """One row per cell with all columns, in the order of the cell ids."""
    techniques = known["technique"].cat.categories
    comparable = baseline in techniques
    if not comparable and baseline != BASELINE:
        raise UnknownName("baseline technique", baseline, techniques)
    # These columns are not read here, and would be sent to every worker.
    slim = known.drop(columns=["row", "spec", "provenance", "started", "eval_step", "eval_score", COLUMN, NAMES])
    parts = [own for _, own in slim.groupby(list(GROUP), sort=True, observed=True)]
    again = repeat_scores(store)
    # Without any run outside of tuning and variance decompositions, a table without rows.
    groups = [_Group(drop_unused_categories(part), baseline, comparable, store.root, again) for part in parts or [slim]]
    return pd.concat(results(executor, _group_table, groups), ignore_index=True)


def _group_table(group: _Group) -> pd.DataFrame:
    with reading(Store(group.store)) as predictions:
        baseline = group.baseline if group.comparable else None
        return leaderboard_rows(split_cells(group.runs), baseline, predictions, group.repeats)


def leaderboard_rows(
    cells: Sequence[Cell], baseline: str | None, predictions: Reader | None = None, repeats: Scores = NO_REPEATS
) -> pd.DataFrame:
    """One row per cell with all leaderboard columns; without comparisons if `baseline` is None."""
    compared = None if baseline is None else compare_cells(cells, baseline)
    table = add_verdicts(add_contrasts(summarise_cells(cells), compared), cells, baseline or BASELINE)
    for beside in (diagnostics(cells, predictions), efficiency_metrics(cells), noise_floors(cells, repeats)):
        table = table.merge(beside, on=list(CELL_ID), how="left", validate="one_to_one")
    return columns.complete(table, cells)


def _damaged(store: Store) -> list[str]:
    aside = store.root / "quarantine" / "runs"
    return sorted(path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file())
