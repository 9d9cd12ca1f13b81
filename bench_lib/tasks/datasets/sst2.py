"""SST-2: is a phrase or sentence from a film review positive?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

SST2 = Task(
    name="sst2",
    format=TEXT_CLASSIFICATION,
    description="sentiment of phrases from film reviews; evaluation is on whole sentences (the GLUE split)",
    hub_id="stanfordnlp/sst2",
    hub_config=None,
    revision="8d51e7e4887a4caaa95b3fbebbf53c0490b58bbb",
    columns=("sentence", "label"),
    labels=("negative", "positive"),
    metrics=("accuracy",),
    licence="research use",
    citation=(
        "@inproceedings{socher2013recursive, author={Socher, Richard and Perelygin, Alex and Wu, Jean and Chuang, Jason"
        " and Manning, Christopher D. and Ng, Andrew and Potts, Christopher}, title={Recursive Deep Models for Semantic"
        " Compositionality Over a Sentiment Treebank}, booktitle={EMNLP}, pages={1631--1642}, year={2013}}"
    ),
    eval_split="validation",
)
