"""Leaderboard columns, declared once.

Files, Markdown, page, command line, glossary and default order follow from `COLUMNS`.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report import values
from bench_lib.report.cells import Cell
from bench_lib.report.column import Column, View, cost, count, name, number, share
from bench_lib.report.diagnostic_columns import NOISE_FLOOR, TRAINING, USE
from bench_lib.report.glossary import FEW, LEAST, NOISE, UNEQUAL
from bench_lib.report.values import Row
from bench_lib.stats.design import FIRST_LOOK

TABLES = frozenset({View.MARKDOWN, View.PAGE, View.TASK})
SPREAD = TABLES | {View.RECOMMEND, View.SIDES}

NAMES = (
    name("data", "`real`, or `embedded` for corpora that the suite generates itself."),
    name("model", "The model that is fine-tuned."),
    name("profile", "The budget: how much data, how many steps, which batch, lengths and learning rate."),
    name("task", "The task."),
    name("technique", "The technique, or the stack of several in order."),
    name("setting", "A digest of all that a cell shares with the baseline's: the spec without technique and seed."),
    name("variant", "A digest of the spec without the seed."),
    name("label", "The technique, with digits of the digests where one name stands for several cells."),
    name("metric", "The task's metric, of which scores are fractions."),
    share("trivial_score", "What a constant predictor reaches on the evaluation set."),
)
OUTCOMES = (
    count("attempted", "All stored runs."),
    Column(
        "judged",
        "seeds",
        "Runs that say something about stability (converged, collapsed or diverged), of those attempted where some "
        f"were lost or declined. {FEW} marks fewer than {LEAST} runs that converged: too few to decide anything "
        "about spread in a single look.",
        values.seeds,
        shown_in=TABLES | {View.TECHNIQUE},
    ),
    count("failed", "Runs that collapsed or diverged."),
    count("lost", "Runs that the machine lost: out of memory, time limit, crash."),
    *(count(str(status), f"Runs that ended as {status}.") for status in Status),
    name("reason", "Why the technique declines the task."),
    Column(
        "failure_rate",
        "failed",
        "Collapsed (final score at or below the constant baseline) or diverged (loss not finite), of the judged runs, "
        "with Wilson's 95 % interval in percent. Lost runs (out of memory, time limit, crash) are listed, not "
        "counted.",
        values.failures,
        shown_in=SPREAD | {View.TECHNIQUE},
        interval_in=frozenset(View),
        rank=1,
    ),
    share("failure_low", "The lower end of the failure rate's interval."),
    share("failure_high", "The upper end of the failure rate's interval."),
)
SCORES = (
    Column(
        "mad",
        "MAD",
        "Mean absolute deviation from the mean over the runs that converged, (1/N) sum |x - mean|, in percent "
        "points, with a BCa bootstrap interval at 95 %. Not the median absolute deviation, which is in the CSV "
        f"file as median_ad, beside SD and IQR. {NOISE} marks a spread that is not above the noise floor: the "
        "lower end of its interval does not exceed it.",
        values.mad,
        shown_in=SPREAD,
        interval_in=TABLES,
        rank=2,
    ),
    share("mad_low", "The lower end of the MAD's interval."),
    share("mad_high", "The upper end of the MAD's interval."),
    *NOISE_FLOOR,
    share("sd", "Standard deviation of the scores of the runs that converged."),
    share("iqr", "Interquartile range of the same scores."),
    share("median_ad", "Median absolute deviation from the median of the same scores."),
    Column(
        "minimum",
        "worst",
        "The lowest of the same scores; the CSV file has the 5th percentile and CVaR 10 % as well.",
        values.percent("minimum"),
        shown_in=SPREAD - {View.TASK},
    ),
    share("percentile_5", "The 5th percentile of the same scores."),
    share("cvar", "CVaR 10 %: the mean of the lowest tenth of the same scores."),
    Column(
        "mean",
        "mean",
        "Mean of the same scores, with a BCa bootstrap interval at 95 %, which of a hundred scores or more comes from "
        "its formula (ABC).",
        values.percent("mean", "mean_low", "mean_high"),
        shown_in=SPREAD | {View.EFFICIENCY},
        interval_in=TABLES | {View.EFFICIENCY},
    ),
    share("mean_low", "The lower end of the mean's interval."),
    share("mean_high", "The upper end of the mean's interval."),
    share("iqm", "Interquartile mean of the same scores."),
    share("expected_max_5", "The score to expect of the best of five runs."),
)
CONTRASTS = (
    name("against", "The label of the baseline's cell of the same setting; empty where there is none."),
    count("against_converged", "How many of that cell's runs converged."),
    Column(
        "shared",
        "shared",
        "Seeds that are judged in both cells; where looks decided, those up to the last look.",
        values.number("shared", 0),
        shown_in=frozenset({View.CONTRAST}),
    ),
    Column(
        "verdict",
        "verdict",
        "What is concluded against the baseline: by the looks of `stabbench check` and `stabbench run "
        "--until-decided` where the store has a record of them, and likewise in a single look at the seeds that both "
        "have otherwise. Failure rates first (Boschloo), then spread among the runs that did not fail (a rank test "
        "of the distances between scores), then whether both and P(higher) lie within the margins of equivalence; "
        "a difference in scores stands beside it. The chance of any false claim of the single looks in a section is "
        "at most 0.05: alpha is divided among its contrasts by Holm's step-down method. What no test settles is "
        f"undecided (*underpowered* in the CSV file); so is a single look at fewer than {FIRST_LOOK} seeds.",
        values.verdict,
        shown_in=TABLES | {View.TECHNIQUE, View.CONTRAST},
    ),
    name("verdict_location", "What is concluded of the scores: better, worse, same, or open."),
    name("decided_by", "The test that settled the verdict: failures, spread or equivalence."),
    name(
        "basis",
        "How the verdict came about: `looks` of a comparison that added seeds until it was decided, of which the store "
        "has a record or a plan says so, or a `single look` at all shared seeds.",
    ),
    count("shared_failed", "Failures of the technique among the seeds that the verdict rests on."),
    count("against_failed", "Failures of the baseline among the same seeds."),
    Column(
        "mad_ratio",
        "MAD ratio",
        "MAD of the technique over MAD of the baseline, both among the seeds that survive in both: below 1 is "
        "steadier. The interval at 95 % is from the logarithms' standard error. Not known with fewer than three "
        "such seeds; the CSV file has the ratio of all runs that converged as mad_ratio_all.",
        values.ratio("mad_ratio", "mad_ratio_low", "mad_ratio_high"),
        shown_in=frozenset({View.MARKDOWN, View.TECHNIQUE, View.RECOMMEND, View.CONTRAST}),
        interval_in=frozenset(View),
    ),
    number("mad_ratio_low", "The lower end of the MAD ratio's interval."),
    number("mad_ratio_high", "The upper end of the MAD ratio's interval."),
    number("mad_ratio_all", "MAD over the baseline's, each of all its runs that converged, whatever their seeds."),
    Column(
        "superiority",
        "P(higher)",
        "The chance that a run of the technique scores above one of the baseline, among the seeds that survive in "
        "both.",
        values.number("superiority"),
        shown_in=frozenset({View.CONTRAST}),
    ),
    number("missing", "Seeds to add that would decide an open verdict, simulated; 0 where it is decided."),
    Column(
        "mean_difference",
        "Δ mean",
        "The mean of all runs that converged less the baseline's.",
        values.difference("mean_difference"),
        shown_in=frozenset({View.MARKDOWN, View.TECHNIQUE, View.RECOMMEND, View.CONTRAST}),
    ),
    number("p_failure", "Boschloo's test before correction."),
    Column(
        "p_failure_holm",
        "p failed",
        "Boschloo's exact test, two-sided, that technique and baseline fail equally often.",
        values.p_value("p_failure_holm"),
        shown_in=frozenset({View.MARKDOWN}),
    ),
    number("p_spread", "Brown and Forsythe's test before correction."),
    Column(
        "p_spread_holm",
        "p spread",
        "Brown-Forsythe test, two-sided, that the converged runs' scores are equally spread: conditional on "
        f"survival. {FEW} where either technique has fewer than {LEAST} of them.",
        values.p_value("p_spread_holm", spread=True),
        shown_in=frozenset({View.MARKDOWN}),
    ),
    Column(
        "detectable_ratio",
        "detectable",
        "The smallest MAD ratio, or its inverse, that as many runs find with a power of 0.8 at 0.05 before "
        "correction (the test of `stabbench check`), simulated from the baseline's own scores: what a large p "
        "could still hide. From ten runs on it is simulated for the next lower multiple of 5, at most 100. \u221e "
        "where even a ratio of 9 would be missed; nothing is known from fewer than 5 runs.",
        values.ratio("detectable_ratio"),
        shown_in=frozenset({View.MARKDOWN}),
    ),
)
COST = (
    cost(
        "cost_ratio",
        "time",
        "Shortest training time of the converged runs over the baseline's, on the machine with the most runs of both: "
        "what else it did only adds. Evaluation and set-up are not in it.",
        View.RECOMMEND,
    ),
    cost("steps_ratio", "steps", "Median optimiser steps over the baseline's: more may explain a gain by themselves."),
    cost("passes_ratio", "passes", "Median forward and backward passes of everything trained, over the baseline's."),
    Column(
        "train_seconds",
        "seconds",
        "Median training time of the converged runs.",
        values.number("train_seconds", 1),
        shown_in=frozenset({View.SIDES}),
    ),
    number("tokens_per_second", "Median of the converged runs."),
    Column(
        "peak_memory_mib",
        "MiB",
        "Median peak memory of the converged runs; tokens per second are in the CSV file.",
        values.number("peak_memory_mib", 0),
        shown_in=frozenset({View.MARKDOWN, View.PAGE}),
    ),
)
OVER_TASKS = (
    Column("tasks", "tasks", "Tasks on which some run of the technique converged.", values.number("tasks", 0)),
    Column("more", "more stable on", "Tasks on which the verdict is more stable.", values.number("more", 0)),
    Column("less", "less stable on", "Tasks on which the verdict is less stable.", values.number("less", 0)),
    Column("undecided", "undecided on", "Tasks on which it is undecided.", values.number("undecided", 0)),
    Column(
        "failed_mean", "failed, mean %", "Mean failure rate of its tasks.", values.percent("failure_rate", digits=1)
    ),
    Column(
        "rank", "average rank", "Mean rank over the tasks that all ranked techniques share.", values.number("rank", 1)
    ),
    Column(
        "mad_over_tasks",
        "MAD over tasks",
        "Mean absolute deviation of the technique's mean scores over its tasks, the classic measure; it mixes metrics, "
        f"and says more of the tasks than of the seeds. {UNEQUAL} marks a technique that covers fewer tasks than "
        "another: not comparable.",
        values.mad_over_tasks,
    ),
    Column("time", "time, mean", "Geometric mean of its tasks' times over the baseline's.", values.number("time")),
)
"""Measures of a technique over the tasks of a group, which no file has; `most_tasks` is the most of any technique."""

COLUMNS: tuple[Column, ...] = (*NAMES, *OUTCOMES, *SCORES, *CONTRASTS, *COST, *TRAINING, *USE)


def shown_in(view: View, table: pd.DataFrame | None = None) -> list[Column]:
    """The columns that a table shows, in their order; optional ones only where a cell of the table has a value."""
    known = {column.name for column in COLUMNS if not column.optional}
    if table is not None:
        known |= set(table.columns[table.notna().any()])
    return [column for column in COLUMNS if view in column.shown_in and column.name in known]


def glossary() -> list[tuple[str, str]]:
    """Titles and meanings: columns shown in tables, then those of the files only, then those over several tasks."""
    ordered = [*sorted(COLUMNS, key=lambda column: not column.shown_in), *OVER_TASKS]
    return [(column.title, column.meaning) for column in ordered]


def default_order() -> list[str]:
    """The names of the sort columns of tables, in ascending order."""
    return [column.name for column in sorted(COLUMNS, key=lambda column: column.rank) if column.rank]


def in_order(table: pd.DataFrame, baseline: str) -> pd.DataFrame:
    """The cells of a task sorted for display: the baseline first, cells without values last."""
    first = table.assign(_first=table["technique"] != baseline)
    order = first.sort_values(["_first", *default_order(), "label"], na_position="last", ignore_index=True)
    return order.drop(columns="_first")


def complete(measured: pd.DataFrame, cells: Sequence[Cell]) -> pd.DataFrame:
    """Add the computed columns to one row per cell, and put all columns in their order."""
    rows = as_rows(measured)
    own = {
        column.name: [column.compute(*pair) for pair in zip(cells, rows, strict=True)]
        for column in COLUMNS
        if column.compute
    }
    return measured.assign(**own)[[column.name for column in COLUMNS]]


def as_rows(table: pd.DataFrame) -> list[Row]:
    """The rows of a table by column."""
    return [{str(name): value for name, value in row.items()} for row in table.to_dict("records")]
