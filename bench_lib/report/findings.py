"""All that a report says, found once: the tables and figures, the pages and the advice are views of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from bench_lib.errors import BenchError
from bench_lib.report import runs as stored
from bench_lib.report.diagnostics import diagnostics
from bench_lib.report.keys import KEY, Cell, apart, keyed
from bench_lib.report.ranking import ranks
from bench_lib.report.sources import ordinary, sources
from bench_lib.report.tables import BASELINE, contrasted, joined, over_tasks, summarised
from bench_lib.report.verdicts import judged
from bench_lib.store import Store
from bench_lib.store.predictions import reading


@dataclass(frozen=True, eq=False)
class Findings:
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


def find(store: Store, baseline: str = BASELINE) -> Findings:
    """All that is to be said of the runs of a store.

    Without a run of the default baseline nothing is compared. Raises `BenchError` for a store without runs, and
    `UnknownName` for another baseline that no run has.
    """
    read = stored.read(store)
    damaged = _damaged(store)
    if read.frame.empty:
        found = f" but {len(damaged)} damaged files in quarantine" if damaged else ""
        raise BenchError(f"no runs in {store.root}{found}: fill it with `stabbench run --store {store.root}`")
    frame = read.frame.assign(row=np.arange(len(read.frame)))
    known = keyed(ordinary(frame))
    cells = apart(known)
    table = _table(cells, baseline, store)
    return Findings(
        runs=known.drop(columns="row"),
        loss=read.loss[known["row"].to_numpy(dtype=np.int64)],
        cells=table,
        techniques=over_tasks(table),
        ranks=ranks(table),
        sources=sources(read.frame),
        baseline=baseline,
        set_aside=damaged,
    )


def _table(cells: Sequence[Cell], baseline: str, store: Store) -> pd.DataFrame:
    """One row a cell with all that is known of it; without a run of the default baseline nothing is compared."""
    comparable = baseline != BASELINE or any(cell.named()["technique"] == baseline for cell in cells)
    table = judged(joined(summarised(cells), contrasted(cells, baseline) if comparable else None), cells, baseline)
    with reading(store) as predictions:
        return table.merge(diagnostics(cells, predictions), on=list(KEY), how="left", validate="one_to_one")


def _damaged(store: Store) -> list[str]:
    aside = store.root / "quarantine" / "runs"
    return sorted(path.relative_to(aside).as_posix() for path in aside.rglob("*") if path.is_file())
