"""Explanations of the report's tables: marks and notes; columns declare their own meaning."""

from __future__ import annotations

LEAST = 20
"""The minimum number of converged runs for claims about spread."""

LOOKS, SINGLE = "looks", "single look"
"""What a verdict rests on: the looks of a sequential comparison, or all shared seeds at once."""

FEW = "\u2020"
UNEQUAL = "\u2021"
NOISE = "\u00a7"
"""Marks: a dagger, a double dagger and a section sign."""

READING = """Scores are in percent points of the task's metric. The unit of replication is the seed. Below the baseline,
rows are ordered by failure rate, then by MAD; the order is not a claim, the verdicts are. Each of the two p-values is
corrected by Holm's method over all contrasts (techniques by tasks) of its section, apart from the verdicts. A large
p-value does not show equality."""

EMBEDDED = """**Embedded data**: corpora that the suite generates itself. These scores say nothing about the real data
sets of the same names, and are never set beside theirs."""

EXTERNAL_RUNS = """**External runs**: made by another harness and imported with `stabbench import`. What they trained
on, and how, is not known here, and they are never set beside runs of this suite."""

VARIANCE = """Runs in which all seed streams but some were frozen (`stabbench run --vary`): the standard deviation that
each stream causes by itself, as the square root of its part of the variance, and that part as a share. *rest* is what
streams cause together, or what was not told apart. Runs that failed are counted and left out."""

USE = """What models are worth in use: means of scores and medians of all else, over the runs that converged. With
typos is the score where a share of the words of the evaluation set is changed, attacked the score under a step of the
gradient on the word embeddings. The file holds what a run must keep: the parameters that it trained, or the whole
model where it was compressed; its size and its latencies are then set over those of the same model before."""

TUNING = """`stabbench tune` tries settings of each technique, its learning rate and up to two knobs of its own, at the
same budget in passes over the model, and takes those with the highest mean score on the dev set, over two seeds. A
trial that failed counts as the constant baseline. Trials never read the evaluation set, and no run with a tuning seed
or scored on the dev set is part of any verdict, contrast, rank or mean of this report: tuned arms, such as
*mixout[tuned@16]* for a budget of 16 trainings of the baseline, run on other seeds. *Failed over the space* is the
share of all trials that failed: how forgiving the technique is. The expected best score of k points is the exact mean
over all orders of the points that were tried."""

FURTHER = """Runs with `--also` are evaluated on further sets as well, on which nothing is trained or selected. Mean and
MAD are over the converged runs with the measure, in percent points, beside the same runs' scores on the task itself. No
verdict rests on them."""

OTHER_METRICS = """Tasks with metrics beside the primary one: mean \u00b1 MAD over the runs that converged, in percent
points where a metric is a share or a correlation. Runs that failed are left out, as from the mean and the MAD of the
leaderboard, which counts them in a column of its own. Verdicts rest on the primary metric alone."""

OUTPUTS = """Outputs that a model writes are *empty* where they have no text, *endless* where they reach the limit of
tokens without an end, and *repeating* where they are endless and close with the same piece of text four times or more.
The tables show shares of all outputs, the lower the better; `nonempty`, `ended` and `unrepeated` are the shares of the
other outputs. The worst run is the one with most repeating outputs. Collapsed runs have rows of their own here. Below
the baseline, techniques with most repeating outputs come first."""

ENTITIES = """Entities are counted by one of two schemes: `entity_f1` reads tags as strict IOB2, where an entity begins
with `B-` and an `I-` tag that continues none belongs to no entity; `conlleval_f1` reads them as the script conlleval of
the CoNLL-2000 shared task, where such an `I-` tag begins an entity."""

FORGETTING = """Runs with `--forgetting` measure the perplexity on general text before and after the training:
geometric means over the converged runs, and mean and MAD of the natural logarithm of their ratio. Above 0 the model
predicts general text worse than before the training. Perplexities of different models or tokenizers are not
comparable."""

ACROSS_MODELS = f"""Tasks that were run with several models under one profile: mean \u00b1 MAD in percent points, and
failed of judged runs; {FEW} marks fewer than {LEAST} runs that converged. The models of a task rank the techniques that
each of them holds, by failure rate, then by MAD. Kendall's *W* says how well these rankings agree, from 0 (not at all)
to 1 (all alike), and p (Friedman's test, Iman and Davenport) whether they could do so by chance. No verdict rests on
the scores of different models."""
