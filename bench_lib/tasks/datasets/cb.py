"""CommitmentBank: does a text commit its author to a clause of it?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

CB = Task(
    name="cb",
    format=TEXT_CLASSIFICATION,
    description="entailment of clauses embedded in short texts, three classes, 250 for training; one class is rare",
    hub_id="aps/super_glue",
    hub_config="cb",
    revision="3de24cf8022e94f4ee4b9d55a6f539891524d646",
    columns=("premise", "hypothesis", "label"),
    labels=("entailment", "contradiction", "neutral"),
    metrics=("accuracy", "macro_f1"),
    licence="research use",
    citation=(
        "@inproceedings{demarneffe2019commitmentbank, author={de Marneffe, Marie-Catherine and Simons, Mandy and"
        " Tonhauser, Judith}, title={The CommitmentBank: Investigating Projection in Naturally Occurring Discourse},"
        " booktitle={Sinn und Bedeutung}, pages={107--124}, year={2019}}"
    ),
    eval_split="validation",
)
