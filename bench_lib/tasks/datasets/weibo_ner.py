"""Weibo NER: which characters of Chinese posts name or mention entities?"""

from __future__ import annotations

from bench_lib.tasks.formats.token_classification import TOKEN_CLASSIFICATION
from bench_lib.tasks.task import Task

LABELS = """
    B-GPE.NAM B-GPE.NOM B-LOC.NAM B-LOC.NOM B-ORG.NAM B-ORG.NOM B-PER.NAM B-PER.NOM I-GPE.NAM I-GPE.NOM I-LOC.NAM
    I-LOC.NOM I-ORG.NAM I-ORG.NOM I-PER.NAM I-PER.NOM O
"""
"""The tags, in the order of the hub (hltcoe/weibo_ner), of the second edition (He & Sun 2017)."""

WEIBO_NER = Task(
    name="weibo_ner",
    format=TOKEN_CLASSIFICATION,
    description="names (NAM) and other mentions (NOM) of four types in Chinese posts, by character; 1,350 for training",
    columns=("tokens", "ner_tags"),
    labels=tuple(LABELS.split()),
    metrics=("entity_f1",),
    licence="CC BY-SA 3.0 (annotations)",
    citation=(
        "@inproceedings{peng2015named, author={Peng, Nanyun and Dredze, Mark}, title={Named Entity Recognition for"
        " Chinese Social Media with Jointly Trained Embeddings}, booktitle={EMNLP}, pages={548--554}, year={2015}}"
    ),
    eval_split="test",
    language="Chinese",
    mends_tags=True,  # 8 posts of train and 4 of test have an entity without its B-
)
