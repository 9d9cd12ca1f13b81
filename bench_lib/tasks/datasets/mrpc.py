"""MRPC: do two sentences of newswire mean the same?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

MRPC = Task(
    name="mrpc",
    format=TEXT_CLASSIFICATION,
    description="paraphrases among pairs of newswire sentences, 3,668 for training; two thirds are paraphrases",
    hub_id="nyu-mll/glue",
    hub_config="mrpc",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    columns=("sentence1", "sentence2", "label"),
    labels=("not_equivalent", "equivalent"),
    metrics=("f1", "accuracy"),
    licence="research use",
    citation=(
        "@inproceedings{dolan2005automatically, author={Dolan, William B. and Brockett, Chris}, title={Automatically"
        " Constructing a Corpus of Sentential Paraphrases}, booktitle={IWP at IJCNLP}, year={2005}}"
    ),
    eval_split="validation",
)
