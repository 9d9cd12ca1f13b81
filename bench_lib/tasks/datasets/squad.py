"""SQuAD v1.1: which span of a paragraph answers the question?"""

from __future__ import annotations

from bench_lib.tasks.formats.question_answering import QUESTION_ANSWERING
from bench_lib.tasks.task import Task

SQUAD = Task(
    name="squad",
    format=QUESTION_ANSWERING,
    description="questions on Wikipedia paragraphs, each answered by a span of its paragraph",
    hub_id="rajpurkar/squad",
    hub_config=None,
    revision="7b6d24c440a36b6815f21b70d25016731768db1f",
    columns=("id", "context", "question", "answers"),
    labels=(),
    metrics=("f1", "em"),
    licence="CC BY-SA 4.0",
    citation=(
        "@inproceedings{rajpurkar2016squad, author={Rajpurkar, Pranav and Zhang, Jian and Lopyrev, Konstantin and"
        " Liang, Percy}, title={SQuAD: 100,000+ Questions for Machine Comprehension of Text}, booktitle={EMNLP},"
        " pages={2383--2392}, year={2016}}"
    ),
    eval_split="validation",
)
