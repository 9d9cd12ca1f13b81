"""CoNLL-2003: which words name persons, organisations, locations and other entities?"""

from __future__ import annotations

from bench_lib.tasks.formats.token_classification import TOKEN_CLASSIFICATION
from bench_lib.tasks.task import Task

CONLL2003 = Task(
    name="conll2003",
    format=TOKEN_CLASSIFICATION,
    description="named entities of four types in English newswire, tagged in IOB2",
    hub_id="lhoestq/conll2003",
    hub_config=None,
    revision="19edcb426bfd625c275c17b9a99b2239243f4377",
    columns=("tokens", "ner_tags"),
    labels=("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC"),
    metrics=("entity_f1",),
    licence="Reuters text, research agreement",
    citation=(
        "@inproceedings{tjongkimsang2003introduction, author={Tjong Kim Sang, Erik F. and De Meulder, Fien},"
        " title={Introduction to the CoNLL-2003 Shared Task: Language-Independent Named Entity Recognition},"
        " booktitle={CoNLL at HLT-NAACL}, pages={142--147}, year={2003}}"
    ),
    eval_split="validation",
)
