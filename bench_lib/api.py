"""The suite from Python: run a grid, load results, summarise and compare them."""

from __future__ import annotations

from collections.abc import Callable
from typing import overload

import pandas as pd
from tqdm.auto import tqdm

from bench_lib.core.errors import UnknownName, require
from bench_lib.executors.base import Executor
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report.analysis import results, summary
from bench_lib.report.analysis import verdicts as judged
from bench_lib.report.analysis.dominance import dominance
from bench_lib.report.analysis.given_scores import Given, GivenByTask, compare_given
from bench_lib.report.analysis.scores import ScoreComparison
from bench_lib.report.analysis.summary import BASELINE, cells
from bench_lib.report.analysis.tuning import outside_tuning
from bench_lib.report.cells import group_runs
from bench_lib.report.notebook import Leaderboard
from bench_lib.runner.grid import Grid
from bench_lib.runner.sweep import Progress, run_suite
from bench_lib.stats.scores import ScoreSettings
from bench_lib.store import Location, Store, located

__all__ = [
    "Grid",
    "Leaderboard",
    "ScoreComparison",
    "ScoreSettings",
    "compare",
    "dominance",
    "leaderboard",
    "load",
    "run",
    "summarise",
    "verdicts",
]


def run(
    grid: Grid,
    store: str | Location,
    executor: Executor | None = None,
    report: Callable[[Progress], None] = lambda progress: None,
    progress: bool = False,
) -> pd.DataFrame:
    """Run what the store does not hold of a grid and give the results of the whole store, one row a run.

    `progress` shows a bar, in a notebook as a widget. Nothing else is printed.
    """
    with tqdm(disable=not progress, unit="run", dynamic_ncols=True) as bar:

        def shown(so_far: Progress) -> None:
            bar.total = so_far.total
            bar.set_postfix(failed=so_far.failed, refresh=False)
            bar.update(so_far.total - so_far.left - bar.n)
            report(so_far)

        run_suite(grid, Store(located(store)), executor or InlineExecutor(), shown)
    return load(store)


def load(store: str | Location) -> pd.DataFrame:
    """The results of a store, one row a run."""
    return Store(located(store)).frame()


def leaderboard(store: str | Location, baseline: str = BASELINE) -> Leaderboard:
    """The leaderboard of a store against a baseline: in a notebook it shows its tables, `charts` has the figures."""
    return Leaderboard(results.summarise(Store(located(store)), baseline))


def summarise(runs: pd.DataFrame) -> pd.DataFrame:
    """One row a cell: failure rate, spread, worst case, mean and cost."""
    return cells(runs)


@overload
def compare(runs: pd.DataFrame, baseline: str = BASELINE) -> pd.DataFrame: ...
@overload
def compare(
    runs: Given | GivenByTask, baseline: Given | GivenByTask, settings: ScoreSettings | None = None
) -> ScoreComparison: ...
def compare(
    runs: Given | GivenByTask, baseline: Given | GivenByTask | str = BASELINE, settings: ScoreSettings | None = None
) -> pd.DataFrame | ScoreComparison:
    """Runs of a store against the baseline's, one row a cell; or scores against other scores, a verdict for each task.

    Scores are a sequence, a Series, a mapping of scores by seed, or these by task; a frame has a column a task.
    They are paired where both have seeds (an index called `seed`, or a mapping), with `ScoreSettings(paired=True)`
    by their order if neither has. None, nan and infinities are failed runs.
    """
    if isinstance(baseline, str):
        known = isinstance(runs, pd.DataFrame) and settings is None
        require(known, "runs to compare with a baseline's name", type(runs).__name__, "a frame of `load`, no settings")
        return summary.compare(pd.DataFrame(runs), baseline)
    return compare_given(runs, baseline, settings or ScoreSettings())


def verdicts(runs: pd.DataFrame, baseline: str = BASELINE) -> pd.DataFrame:
    """One row a cell: is it more stable than the baseline's cell of the same setting, as the leaderboard judges?

    `verdict` is `more stable`, `less stable`, `equivalent` or `underpowered`, and empty for the baseline and for cells
    without a seed that both have. All cells of one data, model and profile share an error of 5 %, so that a part of the
    runs may have other verdicts than the whole. Trials of a tuning are left out. Raises `UnknownName` where the
    baseline was run nowhere.
    """
    known = group_runs(outside_tuning(runs))
    techniques = {cell.id_fields()["technique"] for cell in known}
    if baseline not in techniques:
        raise UnknownName("baseline technique", baseline, techniques)
    return judged.verdicts(known, baseline)
