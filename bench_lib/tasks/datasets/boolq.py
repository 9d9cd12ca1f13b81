"""BoolQ: does a passage answer a question with yes?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

BOOLQ = Task(
    name="boolq",
    format=TEXT_CLASSIFICATION,
    description="yes or no to a question about a passage, 9,427 for training",
    hub_id="aps/super_glue",
    hub_config="boolq",
    revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
    columns=("question", "passage", "label"),
    labels=("False", "True"),
    metrics=("accuracy",),
    licence="CC BY-SA 3.0",
    citation=(
        "@inproceedings{clark2019boolq, author={Clark, Christopher and Lee, Kenton and Chang, Ming-Wei and Kwiatkowski,"
        " Tom and Collins, Michael and Toutanova, Kristina}, title={BoolQ: Exploring the Surprising Difficulty of"
        " Natural Yes/No Questions}, booktitle={NAACL}, pages={2924--2936}, year={2019}}"
    ),
    eval_split="validation",
)
