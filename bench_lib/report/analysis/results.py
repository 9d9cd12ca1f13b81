"""All that a report says, found once: the tables and figures, the pages and the advice are views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.executors.base import Executor, results
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report import columns
from bench_lib.report.analysis import runs as stored
from bench_lib.report.analysis.diagnostics import Reader, diagnostics
from bench_lib.report.analysis.efficiency import efficiency_metrics
from bench_lib.report.analysis.ranking import ranks
from bench_lib.report.analysis.summary import BASELINE, add_contrasts, compare_cells, over_tasks, summarise_cells
from bench_lib.report.analysis.variance import ordinary, sources
from bench_lib.report.analysis.verdicts import add_verdicts
from bench_lib.report.cells import CELL_ID, GROUP, Cell, add_cell_ids, drop_unused_categories, split_cells
from bench_lib.store import Store
from bench_lib.store.predictions import reading


@dataclass(frozen=True, eq=False)
class Summary:
    """What the runs of a store come to.

    `runs` has a row a run, sorted by cell and seed, and `loss` its training curve (runs, points); `cells` a row a cell,
    `techniques` and `ranks` one a technique of a group; `sources` says where variance comes from, and `set_aside` which
    files are damaged. Runs that freeze streams in turn are in `sources` alone.
    """

    runs: pd.DataFrame
    loss: NDArray[np.float32]
    cells: pd.DataFrame
    techniques: pd.DataFrame
    ranks: pd.DataFrame
    sources: pd.DataFrame
    baseline: str
    set_aside: Sequence[str] = ()


def summarise(store: Store, baseline: str = BASELINE, executor: Executor | None = None) -> Summary:
    """All that is to be said of the runs of a store; the executor works out the table of each group.

    Without a run of the default baseline nothing is compared. Raises `BenchError` for a store without runs, and
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
    return Summary(
        runs=known.drop(columns="row"),
        loss=read.loss[known["row"].to_numpy(dtype=np.int64)],
        cells=table,
        techniques=over_tasks(table),
        ranks=ranks(table),
        sources=sources(read.frame),
        baseline=baseline,
        set_aside=damaged,
    )


@dataclass(frozen=True, eq=False)
class _Group:
    """The keyed runs of one group, and what its cells are compared with, if with anything."""

    runs: pd.DataFrame
    baseline: str
    comparable: bool
    store: Path


def _table(known: pd.DataFrame, baseline: str, store: Store, executor: Executor) -> pd.DataFrame:
    """One row a cell with all that is known of it, in the order of the keys."""
    techniques = known["technique"].cat.categories
    comparable = baseline in techniques
    if not comparable and baseline != BASELINE:
        raise UnknownName("baseline technique", baseline, techniques)
    # What nothing here reads weighs most, and would be sent to every worker whole.
    slim = known.drop(columns=["row", "spec", "provenance"])
    parts = [own for _, own in slim.groupby(list(GROUP), sort=True, observed=True)]
    groups = [_Group(drop_unused_categories(part), baseline, comparable, store.root) for part in parts]
    return pd.concat(results(executor, _of_group, groups), ignore_index=True)


def _of_group(group: _Group) -> pd.DataFrame:
    with reading(Store(group.store)) as predictions:
        return leaderboard_rows(split_cells(group.runs), group.baseline if group.comparable else None, predictions)


def leaderboard_rows(cells: Sequence[Cell], baseline: str | None, predictions: Reader | None = None) -> pd.DataFrame:
    """One row a cell with all columns of the leaderboard; without a baseline nothing is compared."""
    compared = None if baseline is None else compare_cells(cells, baseline)
    table = add_verdicts(add_contrasts(summarise_cells(cells), compared), cells, baseline or BASELINE)
    for beside in (diagnostics(cells, predictions), efficiency_metrics(cells)):
        table = table.merge(beside, on=list(CELL_ID), how="left", validate="one_to_one")
    return columns.complete(table, cells)


def _damaged(store: Store) -> list[str]:
    aside = store.root / "quarantine" / "runs"
    return sorted(path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file())
