"""COPA: which of two choices is the cause, or the effect, of a premise?"""

from __future__ import annotations

from bench_lib.tasks.formats.reading import Reading
from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

COPA = Task(
    name="copa",
    format=TEXT_CLASSIFICATION,
    description="which of two choices is the cause or the effect of a premise; both are read at once, 400 for training",
    hub_id="aps/super_glue",
    hub_config="copa",
    revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
    columns=("premise", "question", "choice1", "choice2", "label"),
    labels=("choice1", "choice2"),
    metrics=("accuracy",),
    licence="BSD 2-Clause",
    citation=(
        "@inproceedings{roemmele2011choice, author={Roemmele, Melissa and Bejan, Cosmin Adrian and Gordon, Andrew S.},"
        " title={Choice of Plausible Alternatives: An Evaluation of Commonsense Causal Reasoning}, booktitle={AAAI"
        " Spring Symposium on Logical Formalizations of Commonsense Reasoning}, pages={90--95}, year={2011}}"
    ),
    eval_split="validation",
    # The edits of an augmentation may move words from one choice to the other.
    judges_wording=True,
    reading=Reading(
        templates=("{premise} {question}", "Choice 1: {choice1} Choice 2: {choice2}"),
        spelled=(
            ("question", "cause", "What was the cause?"),
            ("question", "effect", "What happened as a result?"),
        ),
    ),
)
