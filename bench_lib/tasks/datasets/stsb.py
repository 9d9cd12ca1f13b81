"""STS-B: how similar in meaning are two sentences?"""

from __future__ import annotations

from bench_lib.tasks.formats.regression import REGRESSION
from bench_lib.tasks.task import Task

STSB = Task(
    name="stsb",
    format=REGRESSION,
    description="similarity of sentence pairs, from 0 to 5; 5,749 for training",
    hub_id="nyu-mll/glue",
    hub_config="stsb",
    revision="bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c",
    columns=("sentence1", "sentence2", "label"),
    labels=(),
    metrics=("pearson", "spearman"),
    licence="CC BY-SA 4.0",
    citation=(
        "@inproceedings{cer2017semeval, author={Cer, Daniel and Diab, Mona and Agirre, Eneko and Lopez-Gazpio,"
        " I{\\~n}igo and Specia, Lucia}, title={SemEval-2017 Task 1: Semantic Textual Similarity Multilingual and"
        " Crosslingual Focused Evaluation}, booktitle={SemEval}, pages={1--14}, year={2017}}"
    ),
    eval_split="validation",
)
