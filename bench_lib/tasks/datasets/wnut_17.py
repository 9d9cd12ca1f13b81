"""WNUT-17: which words of posts name entities that were rarely seen before?"""

from __future__ import annotations

from bench_lib.tasks.formats.token_classification import TOKEN_CLASSIFICATION
from bench_lib.tasks.task import Task

LABELS = """
    O B-corporation I-corporation B-creative-work I-creative-work B-group I-group B-location I-location B-person
    I-person B-product I-product
"""
"""The tags, in the order of the hub."""

WNUT_17 = Task(
    name="wnut_17",
    format=TOKEN_CLASSIFICATION,
    description="emerging and rare entities of six types in posts and comments, 3,394 for training, tagged in IOB2",
    hub_id="leondz/wnut_17",
    hub_config=None,
    revision="1ac0b6d18c8a1a1d1606b24bef78b8af2f92d2d9",
    columns=("tokens", "ner_tags"),
    labels=tuple(LABELS.split()),
    metrics=("entity_f1",),
    licence="CC BY 4.0",
    citation=(
        "@inproceedings{derczynski2017results, author={Derczynski, Leon and Nichols, Eric and van Erp, Marieke and"
        " Limsopatham, Nut}, title={Results of the WNUT2017 Shared Task on Novel and Emerging Entity Recognition},"
        " booktitle={W-NUT}, pages={140--147}, year={2017}}"
    ),
    eval_split="test",
)
