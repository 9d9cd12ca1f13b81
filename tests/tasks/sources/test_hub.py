from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TextExample
from bench_lib.tasks.sources import hub
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.task import Task

pytestmark = pytest.mark.usefixtures("nothing_remembered")
ON_HUB = [task for task in TASKS if task.hub_id]
Rows = dict[str, list[dict[str, Any]]]

REVIEWS = Task(
    name="reviews",
    format=TEXT_CLASSIFICATION,
    description="reviews in a folder of one's own",
    columns=("text", "label"),
    labels=("bad", "good"),
    metrics=("accuracy",),
    licence="our own",
    citation="none",
    eval_split="test",
)


def pretend(monkeypatch: pytest.MonkeyPatch, load_dataset: Any) -> None:
    monkeypatch.setitem(sys.modules, "datasets", SimpleNamespace(load_dataset=load_dataset))


class OfflineModeIsEnabled(ConnectionError):
    """Named like the hub library's own."""


class DatasetNotFoundError(FileNotFoundError):
    """Named like the hub library's own."""


@pytest.mark.parametrize(
    "error",
    [
        OfflineModeIsEnabled("offline mode is enabled"),
        ConnectionError("no route"),
        DatasetNotFoundError("gone"),
        TimeoutError("slow"),
        ValueError("Unknown split"),
        RuntimeError("client has been closed"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_failure_names_the_ways_out(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    pretend(monkeypatch, fail)
    with pytest.raises(Unavailable) as caught:
        load_data(TASKS.get("imdb"), "hub")
    message = str(caught.value)
    ways_out = ("--data DIR", "<folder>/<task>/<split>.parquet", "text, label", "--data embedded")
    for part in (type(error).__name__, str(error), "stanfordnlp/imdb", *ways_out):
        assert part in message
    assert caught.value.__cause__ is error


def test_a_missing_library_names_the_ways_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    for ask in (lambda: hub.read_split(TASKS.get("imdb"), "train"), lambda: hub.split_names(TASKS.get("imdb"))):
        with pytest.raises(
            Unavailable, match=r"\(.*datasets is not installed: pip install .stabbench\[hub\].\).*--data DIR"
        ):
            ask()


def test_a_task_of_folders_alone_is_no_data_set_of_the_hub(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)  # it is not even asked for
    expected = r"task reviews names no data set of the hub .*`--data DIR`.*<task>/<split>\.parquet, columns text, label"
    for ask in (lambda: load_data(REVIEWS, "hub"), lambda: hub.split_names(REVIEWS)):
        with pytest.raises(Unavailable, match=expected):
            ask()


def test_a_task_of_folders_alone_is_read_from_one(tmp_path: Path) -> None:
    (tmp_path / "reviews").mkdir()
    for split in ("train", "test"):
        rows = [{"text": f"{word} {split}", "label": i} for i, word in enumerate(("dull", "fine"))]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "reviews" / f"{split}.parquet")
    data = load_data(REVIEWS, str(tmp_path))
    assert (data.source, data.train[1]) == ("local", TextExample("fine train", 1))


def test_a_stop_from_the_keyboard_is_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    pretend(monkeypatch, stop)
    with pytest.raises(KeyboardInterrupt):
        hub.read_split(TASKS.get("imdb"), "train")


@pytest.mark.parametrize("task", ON_HUB, ids=lambda task: task.name)
def test_the_pinned_revision_and_the_split_are_asked_for(task: Task, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def ask(*args: object, **kwargs: object) -> None:
        asked.append((args, kwargs))
        raise ConnectionError

    pretend(monkeypatch, ask)
    with pytest.raises(Unavailable):
        hub.read_split(task, task.eval_split)
    assert asked == [((task.hub_id, task.hub_config), {"split": task.eval_split, "revision": task.revision})]


def test_a_hub_that_lost_a_column_is_bad_data(monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_dict({"text": ["fine"], "sentiment": [1]})
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: table)
    expected = r"stanfordnlp/imdb at e6281661, split train, row 0 .*'label' is missing; there are text, sentiment"
    with pytest.raises(BadData, match=expected):
        load_data(TASKS.get("imdb"), "hub")


@pytest.mark.parametrize("name", ["imdb", "conll2003", "squad", "rte"])
def test_rows_come_as_the_library_gives_them(name: str, rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets")
    table = datasets.Dataset.from_list(rows[name])
    monkeypatch.setattr(datasets, "load_dataset", lambda *_, **__: table)
    task = TASKS.get(name)
    expected = [{column: row[column] for column in task.columns} for row in rows[name]]
    assert hub.read_split(task, "train") == expected


def test_the_real_library_offline_fails_at_once(tmp_path: Path) -> None:
    code = (
        "from bench_lib.core.errors import Unavailable\n"
        "from bench_lib.tasks import TASKS\n"
        "from bench_lib.tasks.sources.load import load_data\n"
        "for task in TASKS:\n"
        "    try:\n"
        "        load_data(task, 'hub')\n"
        "    except Unavailable as error:\n"
        "        print(error)\n"
    )
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "HF_HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parents[3],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == len(TASKS)
    for task, line in zip(TASKS, lines, strict=True):
        if task in ON_HUB:
            assert line.startswith(f"{task.hub_id}, split {task.train_split}")
            assert "`--data embedded`" in line
        else:
            assert line.startswith(f"task {task.name} names no data set of the hub")
