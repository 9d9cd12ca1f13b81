"""TNEWS: what is a Chinese headline about?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

LABELS = """
    news_story news_culture news_entertainment news_sports news_finance news_house news_car news_edu news_tech
    news_military news_travel news_world news_stock news_agriculture news_game
"""
"""The topics, in the order of the hub, which has codes from 100 to 116 for them."""

TNEWS = Task(
    name="tnews",
    format=TEXT_CLASSIFICATION,
    description="15 topics of Chinese headlines of news, 53,360 for training",
    hub_id="clue/clue",
    hub_config="tnews",
    revision="28178267a609dd08bdc703dd6c931dfc2c2f4431",
    columns=("sentence", "label"),
    labels=tuple(LABELS.split()),
    metrics=("accuracy",),
    licence="not stated, research use",
    citation=(
        "@inproceedings{xu2020clue, author={Xu, Liang and Hu, Hai and Zhang, Xuanwei and Li, Lu and others},"
        " title={CLUE: A Chinese Language Understanding Evaluation Benchmark}, booktitle={COLING}, pages={4762--4772},"
        " year={2020}}"
    ),
    eval_split="validation",
    language="Chinese",
)
