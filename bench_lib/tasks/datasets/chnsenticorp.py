"""ChnSentiCorp: is a Chinese review positive?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

CHNSENTICORP = Task(
    name="chnsenticorp",
    format=TEXT_CLASSIFICATION,
    description="sentiment of Chinese reviews of hotels, books and computers, 9,600 for training",
    hub_id="lansinuote/ChnSentiCorp",
    hub_config=None,
    revision="b0c4c119c3fb33b8e735969202ef9ad13d717e5a",
    columns=("text", "label"),
    labels=("negative", "positive"),
    metrics=("accuracy",),
    licence="research use",
    citation=(
        "@article{tan2008empirical, author={Tan, Songbo and Zhang, Jin}, title={An Empirical Study of Sentiment"
        " Analysis for Chinese Documents}, journal={Expert Systems with Applications}, volume={34}, number={4},"
        " pages={2622--2629}, year={2008}}"
    ),
    eval_split="test",
    language="Chinese",
)
