"""WiC: does a word mean the same in two sentences?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

WIC = Task(
    name="wic",
    format=TEXT_CLASSIFICATION,
    description="whether a word has one sense in two sentences; it stands before the first, as in `word: sentence`",
    hub_id="aps/super_glue",
    hub_config="wic",
    revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
    columns=("word", "sentence1", "sentence2", "label"),
    labels=("False", "True"),
    metrics=("accuracy",),
    licence="CC BY-NC 4.0",
    citation=(
        "@inproceedings{pilehvar2019wic, author={Pilehvar, Mohammad Taher and Camacho-Collados, Jose}, title={WiC: the"
        " Word-in-Context Dataset for Evaluating Context-Sensitive Meaning Representations}, booktitle={NAACL-HLT},"
        " pages={1267--1273}, year={2019}}"
    ),
    eval_split="validation",
    judges_wording=True,
)
