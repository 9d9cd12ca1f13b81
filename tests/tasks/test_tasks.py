from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from bench_lib.core.errors import UnknownName
from bench_lib.tasks import STANDARD, TASKS
from bench_lib.tasks.formats import (
    MULTI_LABEL_CLASSIFICATION,
    REGRESSION,
    TEXT_CLASSIFICATION,
    TEXT_GENERATION,
    TOKEN_CLASSIFICATION,
)
from bench_lib.tasks.formats.span_metrics import ANSWERABLE
from bench_lib.tasks.formats.token_classification import entity_types
from bench_lib.tasks.scoring.metrics import metric
from bench_lib.tasks.task import Task

WRITTEN = ("daily_dialog", "e2e_nlg", "gsm8k", "multi30k", "samsum")
FOLDERS_ALONE = ("sem_eval_2010_task_8", "weibo_ner", "daily_dialog", "e2e_nlg", "multi30k", "samsum")
"""The tasks of which no revision on the hub is known to be in public use."""
INPUTS = {"wic": 3, "copa": 4}
PAIRS = ("rte", "mrpc", "cb", "wnli", "boolq")
TARGETS = {"trec": "coarse_label", "clinc_oos": "intent", "sem_eval_2010_task_8": "relation"}
CLASSES = {"ag_news": 4, "trec": 6, "banking77": 77, "clinc_oos": 151, "tnews": 15, "cb": 3}
CLASSES |= {"sem_eval_2010_task_8": 19}
TYPES = {"conll2003": 4, "wnut_17": 6, "weibo_ner": 8}

every_task = pytest.mark.parametrize("task", TASKS, ids=TASKS.names())


def test_the_four_main_tasks_and_the_three_unstable_ones_stand_first() -> None:
    assert TASKS.names()[:7] == STANDARD == ("imdb", "sst2", "conll2003", "squad", "rte", "mrpc", "cola")


def test_an_unknown_task_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'conll2003'"):
        TASKS.get("conll203")


@every_task
def test_metadata_is_complete(task: Task) -> None:
    for text in (task.name, task.description, task.licence, task.citation, task.eval_split, task.version):
        assert text.strip()
    assert task.hub_id.count("/") == (task.name not in FOLDERS_ALONE)
    assert set(task.revision) <= set("0123456789abcdef")
    assert task.train_split != task.eval_split
    assert task.citation.startswith("@")
    assert task.citation.count("{") == task.citation.count("}")
    for field in ("author=", "title=", "booktitle=" if "@inproceedings" in task.citation else "journal=", "year="):
        assert field in task.citation


@every_task
def test_columns_and_labels_fit_the_kind(task: Task) -> None:
    inputs, target = task.columns[:-1], task.columns[-1]
    if task.format is TEXT_CLASSIFICATION:
        assert len(inputs) == INPUTS.get(task.name, 2 if task.name in PAIRS else 1)
        assert target == TARGETS.get(task.name, "label")
        assert len(task.labels) == CLASSES.get(task.name, 2)
    elif task.format is TOKEN_CLASSIFICATION:
        assert len(inputs) == 1
        types = entity_types(task.labels)
        assert set(task.labels) == {"O", *(f"{prefix}-{name}" for prefix in "BI" for name in types)}
        assert len(types) == TYPES[task.name]
    elif task.format is TEXT_GENERATION:
        assert task.name in WRITTEN
        assert len(inputs) == (task.name != "daily_dialog")
        assert task.labels == ()
    elif task.format is MULTI_LABEL_CLASSIFICATION:
        assert (task.columns, len(task.labels)) == (("text", "labels"), 28)
    elif task.format is REGRESSION:
        assert (task.columns, task.labels) == (("sentence1", "sentence2", "label"), ())
    else:
        assert (inputs, target) == (("id", "context", "question"), "answers")
        assert task.labels == (ANSWERABLE if task.name == "squad_v2" else ())


@every_task
def test_every_metric_of_a_task_is_known(task: Task) -> None:
    assert all(callable(metric(task.format, name)) for name in task.metrics)
    assert task.primary == task.metrics[0]


def test_an_unknown_metric_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="did you mean 'accuracy'"):
        metric(TEXT_CLASSIFICATION, "acuracy")


def test_conll_tags_are_in_the_order_of_the_hub() -> None:
    assert TASKS.get("conll2003").labels == (
        "O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC", "B-MISC", "I-MISC",
    )  # fmt: skip


def test_tasks_import_neither_torch_nor_the_hub_library() -> None:
    code = (
        "import sys, bench_lib.tasks, bench_lib.tasks.sources.load;"
        "import bench_lib.tasks.scoring.constant_baseline, bench_lib.tasks.transforms.sampling;"
        "print([name for name in ('torch', 'transformers', 'datasets') if name in sys.modules])"
    )
    root = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
