"""RTE: does the first sentence entail the second?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

RTE = Task(
    name="rte",
    format=TEXT_CLASSIFICATION,
    description="textual entailment of sentence pairs, 2,490 for training; known for fine-tuning that fails",
    hub_id="nyu-mll/glue",
    hub_config="rte",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    columns=("sentence1", "sentence2", "label"),
    labels=("entailment", "not_entailment"),
    metrics=("accuracy",),
    licence="research use",
    citation=(
        "@inproceedings{dagan2006pascal, author={Dagan, Ido and Glickman, Oren and Magnini, Bernardo}, title={The"
        " PASCAL Recognising Textual Entailment Challenge}, booktitle={Machine Learning Challenges}, pages={177--190},"
        " year={2006}}"
    ),
    eval_split="validation",
)
