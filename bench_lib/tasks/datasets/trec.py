"""TREC: what kind of answer does a question ask for?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

TREC = Task(
    name="trec",
    format=TEXT_CLASSIFICATION,
    description="six types of questions by the answer that they ask for (the coarse labels), 5,452 for training",
    hub_id="CogComp/trec",
    hub_config=None,
    revision="65752bf53af25bc935a0dce92fb5b6c930728450",
    columns=("text", "coarse_label"),
    labels=("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM"),
    metrics=("accuracy",),
    licence="not stated",
    citation=(
        "@inproceedings{li2002learning, author={Li, Xin and Roth, Dan}, title={Learning Question Classifiers},"
        " booktitle={COLING}, year={2002}}"
    ),
    eval_split="test",
)
