"""What the columns of the leaderboard mean, and what they do not say."""

from __future__ import annotations

from bench_lib.report.markdown import table

LEAST = 20
"""Runs below which nothing is decided about spread."""

FEW = "†"
UNEQUAL = "‡"

COLUMNS = (
    ("seeds", f"Runs that say something about stability (converged, collapsed or diverged), of those attempted where some "
     f"were lost or declined. {FEW} marks fewer than {LEAST} runs that converged: too few to decide anything about spread."),
    ("failed", "Collapsed (final score at or below the trivial score) or diverged (loss not finite), of the judged runs, in "
     "percent, with Wilson's 95 % interval. Lost runs (out of memory, time limit, crash) are listed and not counted here."),
    ("MAD", "Mean absolute deviation from the mean over the runs that converged, (1/N) Σ \\|Pᵢ − mean(P)\\|, in percent points."),
    ("SD", "Standard deviation of the same scores, with N − 1."),
    ("worst", "The lowest of the same scores; the CSV file has the 5th percentile and CVaR 10 % as well."),
    ("mean", "Mean of the same scores, with a BCa bootstrap interval at 95 %; Δ is its difference from the baseline's mean."),
    ("p failed", "Boschloo's exact test, two-sided, that technique and baseline fail equally often."),
    ("p spread", "Brown-Forsythe test, two-sided, that the scores of the converged runs are equally spread: conditional on "
     f"survival. {FEW} where either arm has fewer than {LEAST} of them."),
    ("MAD ratio", "MAD of the technique over MAD of the baseline: below 1 is steadier."),
    ("time", "Median training time of the converged runs over the baseline's; evaluation and set-up are not in it."),
    ("tokens/s, MiB", "Medians over the converged runs: real tokens trained per second; peak memory."),
    ("MAD over tasks", "Mean absolute deviation of the technique's mean scores over its tasks, the classic measure; it mixes "
     f"metrics, and says more of the tasks than of seeds. {UNEQUAL} marks a technique that covers fewer tasks than another: "
     "not comparable."),
)  # fmt: skip

READING = (
    "Scores are in percent points of the task's metric. The unit of replication is the seed. Rows are ordered by failure "
    "rate, then MAD, below the baseline; the order is not a claim, the tests are. Both p-values are corrected by Holm's "
    "method, each over all contrasts (techniques × tasks) of its section. A large p-value does not show equality."
)

EMBEDDED = (
    "**Embedded data**: corpora that the suite generates itself. These scores say nothing about the real data sets of the "
    "same names, and are never set beside theirs."
)


def methods() -> str:
    """The section on how to read the tables."""
    return f"## Methods\n\n{READING}\n\n" + table(("column", "meaning"), COLUMNS, text_columns=2)
