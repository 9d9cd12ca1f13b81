"""WNLI: does a sentence still follow with its pronoun replaced by a name?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

WNLI = Task(
    name="wnli",
    format=TEXT_CLASSIFICATION,
    description="pronouns resolved by entailment of sentence pairs, 635 for training; validation often contradicts it",
    hub_id="nyu-mll/glue",
    hub_config="wnli",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    columns=("sentence1", "sentence2", "label"),
    labels=("not_entailment", "entailment"),
    metrics=("accuracy",),
    licence="research use",
    citation=(
        "@inproceedings{levesque2011winograd, author={Levesque, Hector J. and Davis, Ernest and Morgenstern, Leora},"
        " title={The Winograd Schema Challenge}, booktitle={AAAI Spring Symposium on Logical Formalizations of"
        " Commonsense Reasoning}, year={2011}}"
    ),
    eval_split="validation",
)
