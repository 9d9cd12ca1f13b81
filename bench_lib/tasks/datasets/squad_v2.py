"""SQuAD v2.0: which span of a paragraph answers the question, if any?"""

from __future__ import annotations

from bench_lib.tasks.formats.question_answering import QUESTION_ANSWERING
from bench_lib.tasks.formats.span_metrics import ANSWERABLE
from bench_lib.tasks.task import Task

SQUAD_V2 = Task(
    name="squad_v2",
    format=QUESTION_ANSWERING,
    description="questions on Wikipedia paragraphs; a third of those to train on, half of the others, have no answer",
    hub_id="rajpurkar/squad_v2",
    hub_config=None,
    revision="3ffb306f725f7d2ce8394bc1873b24868140c412",
    columns=("id", "context", "question", "answers"),
    labels=ANSWERABLE,
    metrics=("f1", "em", "has_answer_f1", "no_answer_accuracy"),
    licence="CC BY-SA 4.0",
    citation=(
        "@inproceedings{rajpurkar2018know, author={Rajpurkar, Pranav and Jia, Robin and Liang, Percy}, title={Know What"
        " You Don't Know: Unanswerable Questions for SQuAD}, booktitle={ACL}, pages={784--789}, year={2018}}"
    ),
    eval_split="validation",
)
