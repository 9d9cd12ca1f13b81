from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS
from bench_lib.tasks.formats.reading import Reading
from bench_lib.tasks.scoring.metrics import metric
from bench_lib.tasks.task import Task


def test_every_metric_that_a_task_may_name_can_be_computed() -> None:
    for task_format in FORMATS:
        assert task_format.metrics
        for name in task_format.metrics:
            assert callable(metric(task_format, name))


@pytest.mark.parametrize(
    ("task", "changes", "message"),
    [
        (
            "sst2",
            {"labels": ("a", "b", "c"), "metrics": ("f1",)},
            "metric f1 of task sst2 is of two classes, the second",
        ),
        (
            "sst2",
            {"metrics": ("acuracy",)},
            "unknown metric of task sst2 .sequence. 'acuracy': did you mean 'accuracy'",
        ),
        (
            "sst2",
            {"metrics": ("entity_f1",)},
            "unknown metric of task sst2 .* 'entity_f1': did you mean 'weighted_f1' or 'relation_f1'",
        ),
        ("sst2", {"metrics": ("em",)}, "unknown metric of task sst2 .* 'em': known: accuracy, f1, in_scope_accuracy,"),
        ("sst2", {"metrics": ()}, r"metrics of task sst2 is \(\); allowed: at least one, each once"),
        ("sst2", {"metrics": ("mcc", "mcc")}, "metrics of task sst2 is .*; allowed: at least one, each once"),
        ("sst2", {"revision": "main"}, "revision of task sst2 is 'main'; allowed: a full commit hash"),
        ("sst2", {"revision": ""}, "revision of task sst2 is ''; allowed: a full commit hash"),
        ("sst2", {"hub_id": ""}, "revision of task sst2 is '8d51.*'; allowed: nothing where there is no hub_id"),
        (
            "rte",
            {"hub_id": "", "revision": ""},
            "hub_config of task rte is 'rte'; allowed: nothing where there is no hub_id",
        ),
        ("sst2", {"labels": ("yes",)}, "labels of task sst2 .sequence. is .*; allowed: two or more"),
        ("sst2", {"labels": ("yes", "yes")}, "labels of task sst2 .sequence. is .*; allowed: each label once"),
        ("sst2", {"columns": ("sentence",)}, "columns of task sst2 .sequence. is .*; allowed: 2 to 4 different ones"),
        ("copa", {"reading": Reading()}, "columns of task copa .sequence. is .*; allowed: 2 to 4 different ones"),
        (
            "copa",
            {"columns": ("premise", "label")},
            r"templates of task copa is .*; allowed: one or two texts that hold",
        ),
        ("sst2", {"reading": Reading(("{sentence}", "a", "b"))}, "templates of task sst2 is .*; allowed: one or two"),
        (
            "sst2",
            {"reading": Reading(("{sentence!r}",))},
            r"allowed: one or two texts that hold each of {sentence} once",
        ),
        ("sst2", {"reading": Reading(("{sentence",))}, r"allowed: one or two texts that hold each of {sentence} once"),
        (
            "sst2",
            {"reading": Reading(("{sentence}",), (("text", "a", "b"),))},
            "column of 'a' that task sst2 spells is 'text'; allowed: sentence",
        ),
        ("squad", {"reading": Reading(("{id}",))}, "reading of task squad .span. is .*; allowed: nothing"),
        ("squad", {"labels": ("a", "b")}, "labels of task squad .span. is .*; allowed: none, since the answers are"),
        ("squad", {"columns": ("id", "context")}, "columns of task squad .span. is .*; allowed: 4 different ones"),
        ("conll2003", {"labels": ("B-X", "I-X")}, "labels of task conll2003 .* allowed: 'O' among them, the tag of"),
        ("conll2003", {"labels": ("O", "NOUN")}, "entity_f1 of task conll2003 reads .* and NOUN is neither"),
        ("conll2003", {"labels": ("O", "I-X")}, "entity_f1 of task conll2003 reads .* and I-X stands without its B-"),
        ("conll2003", {"labels": ("O", "B-")}, "entity_f1 of task conll2003 reads .* and B- is neither"),
    ],
)
def test_what_does_not_fit_is_refused_as_a_task_is_defined(task: str, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(BenchError, match=message):
        dataclasses.replace(TASKS.get(task), **changes)


@pytest.mark.parametrize("name", ["", " sst2", "a\nb", "a/b", "..", "a,b", "a\x1b", "x" * 201, "\ud800", "a b"])
def test_a_name_that_no_folder_or_table_can_have_is_refused(name: str) -> None:
    with pytest.raises(BenchError, match="name of a task is"):
        dataclasses.replace(TASKS.get("sst2"), name=name)


def test_the_order_of_labels_is_free() -> None:
    task = dataclasses.replace(TASKS.get("conll2003"), labels=("B-X", "I-X", "O", "B-Y"))
    assert isinstance(task, Task)
    assert task.labels.index("O") == 2
