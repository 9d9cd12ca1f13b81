"""GoEmotions: which emotions does a comment express?"""

from __future__ import annotations

from bench_lib.tasks.formats.multi_label_classification import MULTI_LABEL_CLASSIFICATION
from bench_lib.tasks.task import Task

LABELS = """
    admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval disgust
    embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief remorse sadness
    surprise neutral
"""
"""The emotions, in the order of the hub; a comment has one to five of them."""

GO_EMOTIONS = Task(
    name="go_emotions",
    format=MULTI_LABEL_CLASSIFICATION,
    description="27 emotions or neutral in comments, one or several each; 43,410 for training (`simplified`)",
    hub_id="google-research-datasets/go_emotions",
    hub_config="simplified",
    revision="add492243ff905527e67aeb8b80c082af02207c3",
    columns=("text", "labels"),
    labels=tuple(LABELS.split()),
    metrics=("macro_f1", "micro_f1", "exact_match"),
    licence="Apache-2.0",
    citation=(
        "@inproceedings{demszky2020goemotions, author={Demszky, Dorottya and Movshovitz-Attias, Dana and Ko, Jeongwoo"
        " and Cowen, Alan and Nemade, Gaurav and Ravi, Sujith}, title={GoEmotions: A Dataset of Fine-Grained Emotions},"
        " booktitle={ACL}, pages={4040--4054}, year={2020}}"
    ),
    eval_split="test",
)
