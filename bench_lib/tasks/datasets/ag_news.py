"""AG News: what is a piece of news about?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

AG_NEWS = Task(
    name="ag_news",
    format=TEXT_CLASSIFICATION,
    description="topic of news, a headline with its first sentences; 120,000 for training, a quarter per class",
    hub_id="fancyzhx/ag_news",
    hub_config=None,
    revision="eb185aade064a813bc0b7f42de02595523103ca4",
    columns=("text", "label"),
    labels=("World", "Sports", "Business", "Sci/Tech"),
    metrics=("accuracy",),
    licence="research, non-commercial",
    citation=(
        "@inproceedings{zhang2015character, author={Zhang, Xiang and Zhao, Junbo and LeCun, Yann},"
        " title={Character-level Convolutional Networks for Text Classification}, booktitle={NeurIPS},"
        " pages={649--657}, year={2015}}"
    ),
    eval_split="test",
)
