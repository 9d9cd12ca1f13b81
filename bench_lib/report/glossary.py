"""What the columns of the leaderboard mean, and what they do not say."""

from __future__ import annotations

from bench_lib.report.formatting import escape, table
from bench_lib.stats.design import FIRST_LOOK

LEAST = 20
"""Runs below which nothing is decided about spread."""

FEW = "\u2020"
UNEQUAL = "\u2021"
"""Marks: a dagger and a double dagger."""

COLUMNS = {
    "seeds": f"""Runs that say something about stability (converged, collapsed or diverged), of those attempted where
        some were lost or declined. {FEW} marks fewer than {LEAST} runs that converged: too few to decide anything about
        spread.""",
    "failed": """Collapsed (final score at or below the trivial score) or diverged (loss not finite), of the judged
        runs, in percent, with Wilson's 95 % interval. Lost runs (out of memory, time limit, crash) are listed, not
        counted.""",
    "MAD": """Mean absolute deviation from the mean over the runs that converged, (1/N) sum |x - mean|, in percent
        points, with a BCa bootstrap interval at 95 %. Not the median absolute deviation, which is in the CSV file as
        median_ad, beside SD and IQR.""",
    "worst": "The lowest of the same scores; the CSV file has the 5th percentile and CVaR 10 % as well.",
    "mean": "Mean of the same scores, with a BCa bootstrap interval at 95 %. \u0394 mean is over the baseline's mean.",
    "verdict": f"""What is concluded against the baseline on the seeds that both have, as `stabbench check` does in a
        single look: failure rates first (Boschloo), then spread among the seeds that survive in both arms (Pitman and
        Morgan's test in Spearman's form), then whether both and P(better) lie within the margins of equivalence; a
        difference in scores stands beside it. The chance of any false claim in a section is at most 0.05: alpha is
        divided among its contrasts by Holm's step-down method. *underpowered*: not decided; so is whatever shares fewer
        than {FIRST_LOOK} seeds.""",
    "p failed": "Boschloo's exact test, two-sided, that technique and baseline fail equally often.",
    "p spread": f"""Brown-Forsythe test, two-sided, that the converged runs' scores are equally spread: conditional on
        survival. {FEW} where either arm has fewer than {LEAST} of them.""",
    "MAD ratio": """MAD of the technique over MAD of the baseline, both among the seeds that survive in both arms: below
        1 is steadier. The interval at 95 % is from the logarithms' standard error; without one, the ratio is of all
        runs that converged.""",
    "detectable": """The smallest MAD ratio, or its inverse, that as many runs find with a power of 0.8 at 0.05 before
        correction (the test of `stabbench check`), simulated from the baseline's own scores: what a large p could
        still hide. From ten runs on it is simulated for the next lower multiple of 5, at most 100. \u221e where even a
        ratio of 9 would be missed; nothing is known from fewer than 5 runs.""",
    "time": "Median training time of the converged runs over the baseline's; evaluation and set-up are not in it.",
    "MiB": "Median peak memory of the converged runs; tokens per second are in the CSV file.",
    "MAD over tasks": f"""Mean absolute deviation of the technique's mean scores over its tasks, the classic measure; it
        mixes metrics, and says more of the tasks than of the seeds. {UNEQUAL} marks a technique that covers fewer tasks
        than another: not comparable.""",
}

READING = """Scores are in percent points of the task's metric. The unit of replication is the seed. Below the baseline,
rows are ordered by failure rate, then by MAD; the order is not a claim, the verdicts are. Each of the two p-values is
corrected by Holm's method over all contrasts (techniques by tasks) of its section, apart from the verdicts. A large
p-value does not show equality."""

EMBEDDED = """**Embedded data**: corpora that the suite generates itself. These scores say nothing about the real data
sets of the same names, and are never set beside theirs."""

VARIANCE = """Runs in which all seed streams but some were frozen (`stabbench run --vary`): the standard deviation that
each stream causes by itself, as the square root of its part of the variance, and that part as a share. *rest* is what
streams cause together, or what was not told apart. Runs that failed are counted and left out."""

USE = """What models are worth in use: means of scores and medians of all else, over the runs that converged. With
typos is the score where a share of the words of the evaluation set is changed, attacked the score under a step of the
gradient on the word embeddings. The file holds what a run must keep: the parameters that it trained, or the whole
model where it was compressed; its size and its latencies are then set over those of the same model before."""


def methods() -> str:
    """The section on how to read the tables."""
    rows = [(escape(column), escape(meaning)) for column, meaning in COLUMNS.items()]
    return f"## Methods\n\n{READING}\n\n{USE}\n\n" + table(("column", "meaning"), rows, text_columns=2)
