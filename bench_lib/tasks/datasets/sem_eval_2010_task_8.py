"""SemEval-2010 task 8: which relation holds between two marked entities of a sentence?"""

from __future__ import annotations

from bench_lib.tasks.formats.text_classification import TEXT_CLASSIFICATION
from bench_lib.tasks.task import Task

LABELS = """
    Cause-Effect(e1,e2) Cause-Effect(e2,e1) Component-Whole(e1,e2) Component-Whole(e2,e1) Content-Container(e1,e2)
    Content-Container(e2,e1) Entity-Destination(e1,e2) Entity-Destination(e2,e1) Entity-Origin(e1,e2)
    Entity-Origin(e2,e1) Instrument-Agency(e1,e2) Instrument-Agency(e2,e1) Member-Collection(e1,e2)
    Member-Collection(e2,e1) Message-Topic(e1,e2) Message-Topic(e2,e1) Product-Producer(e1,e2)
    Product-Producer(e2,e1) Other
"""
"""The relations, in the order of the hub (SemEvalWorkshop/sem_eval_2010_task_8)."""

SEM_EVAL_2010_TASK_8 = Task(
    name="sem_eval_2010_task_8",
    format=TEXT_CLASSIFICATION,
    description="nine relations between two marked entities, each in two directions, or another; 8,000 for training",
    columns=("sentence", "relation"),
    labels=tuple(LABELS.split()),
    metrics=("relation_f1",),
    licence="CC BY 3.0",
    citation=(
        "@inproceedings{hendrickx2010semeval, author={Hendrickx, Iris and Kim, Su Nam and Kozareva, Zornitsa and Nakov,"
        " Preslav and Ó Séaghdha, Diarmuid and Padó, Sebastian and Pennacchiotti, Marco and Romano, Lorenza and"
        " Szpakowicz, Stan}, title={SemEval-2010 Task 8: Multi-Way Classification of Semantic Relations between Pairs"
        " of Nominals}, booktitle={SemEval}, pages={33--38}, year={2010}}"
    ),
    eval_split="test",
)
