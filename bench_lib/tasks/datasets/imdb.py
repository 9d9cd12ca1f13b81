"""IMDb: is a long film review positive?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

IMDB = Task(
    name="imdb",
    format=TEXT_CLASSIFICATION,
    description="sentiment of long film reviews, 25,000 for training and 25,000 for evaluation, half per class",
    hub_id="stanfordnlp/imdb",
    hub_config=None,
    revision="e6281661ce1c48d982bc483cf8a173c1bbeb5d31",
    columns=("text", "label"),
    labels=("neg", "pos"),
    metrics=("accuracy",),
    licence="research use, Maas et al. 2011",
    citation=(
        "@inproceedings{maas2011learning, author={Maas, Andrew L. and Daly, Raymond E. and Pham, Peter T. and Huang,"
        " Dan and Ng, Andrew Y. and Potts, Christopher}, title={Learning Word Vectors for Sentiment Analysis},"
        " booktitle={ACL-HLT}, pages={142--150}, year={2011}}"
    ),
    eval_split="test",
)
