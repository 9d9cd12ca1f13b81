from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench_lib.core.profiles import PROFILES
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.tasks import TASKS
from bench_lib.validation.data_audit import OTHERS, TaskAudit, audit

COLA = TASKS.get("cola")


class FakeSplit:
    """As much of a `datasets.Dataset` as is asked for."""

    def __init__(self, *labels: int) -> None:
        self.rows = [{"sentence": f"It rained {label}.", "label": label} for label in labels]
        self.column_names = ["sentence", "label"]

    def select_columns(self, columns: list[str]) -> FakeSplit:
        return self

    def to_list(self) -> list[dict[str, Any]]:
        return self.rows


def hub(monkeypatch: pytest.MonkeyPatch, names: Any, **splits: FakeSplit) -> TaskAudit:
    fake = SimpleNamespace(load_dataset=lambda *_, split, **__: splits[split], get_dataset_split_names=names)
    monkeypatch.setitem(sys.modules, "datasets", fake)
    return audit(COLA, "hub", resolve("tiny", MODELS), PROFILES.get("smoke"))


def test_the_splits_that_a_task_uses_come_first_and_the_profile_is_the_tasks(data_folder: Path) -> None:
    found = audit(TASKS.get("squad"), str(data_folder), resolve("tiny", MODELS), PROFILES.get("quick"))
    assert [(one.split, one.used, one.counts.examples) for one in found.splits] == [
        ("train", True, 40),
        ("validation", True, 24),
    ]
    assert {one.coverage.max_length for one in found.splits} == {96}
    assert (found.source, found.failed, found.unread) == ("local", False, {})


def test_the_hubs_other_splits_are_audited_where_they_can_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def names(*args: object, **kwargs: object) -> list[str]:
        asked.append((args, kwargs))
        return ["validation", "train", "test", "more"]

    found = hub(
        monkeypatch, names, train=FakeSplit(0, 1), validation=FakeSplit(1), test=FakeSplit(-1), more=FakeSplit(0)
    )
    assert asked == [((COLA.hub_id, COLA.hub_config), {"revision": COLA.revision})]
    assert [one.split for one in found.splits] == ["train", "validation", "more"]
    assert [(one.first, one.second, one.shared) for one in found.overlaps] == [
        ("train", "validation", 1),
        ("train", "more", 1),
        ("validation", "more", 0),
    ]
    assert list(found.unread) == ["test"]
    assert "label is -1" in found.unread["test"]
    assert not found.failed


def test_a_hub_that_does_not_list_its_splits_still_has_those_that_are_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(*_: object, **__: object) -> list[str]:
        raise ConnectionError("offline")

    found = hub(monkeypatch, names, train=FakeSplit(0), validation=FakeSplit(1))
    assert [one.split for one in found.splits] == ["train", "validation"]
    assert found.unread[OTHERS].startswith("the splits of nyu-mll/glue, at bcdcba79 could not be loaded from the hub")
    assert not found.failed


def test_a_hub_that_is_out_of_reach_is_said_of_each_split_that_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    def names(*_: object, **__: object) -> list[str]:
        raise ConnectionError("offline")

    found = hub(monkeypatch, names)
    assert (list(found.unread), found.splits, found.overlaps) == (["train", "validation"], [], [])
    assert found.failed
