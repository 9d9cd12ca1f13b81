from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example, TagExample, TextExample
from bench_lib.tasks.sources import load
from bench_lib.tasks.sources.load import data_facts, fingerprint, load_data, other_splits, read_split, source_kind

pytestmark = pytest.mark.usefixtures("nothing_remembered")
Rows = dict[str, list[dict[str, Any]]]
Write = Callable[[str, str, list[dict[str, Any]]], Path]
NAMES = ["imdb", "conll2003", "squad", "rte"]


class FakeSplit:
    """As much of a `datasets.Dataset` as is asked for."""

    def __init__(self, rows: list[dict[str, Any]]) -> None:
        self.rows = rows
        self.column_names = list(rows[0])

    def select_columns(self, columns: list[str]) -> FakeSplit:
        return FakeSplit([{column: row[column] for column in columns} for row in self.rows])

    def to_list(self) -> list[dict[str, Any]]:
        return self.rows


def fill(write: Write, rows: Rows) -> None:
    for name in NAMES:
        task = TASKS.get(name)
        write(name, task.train_split, rows[name] * 2)
        write(name, task.eval_split, rows[name])


@pytest.mark.parametrize("name", NAMES)
def test_the_hub_and_a_folder_with_the_same_rows_have_one_fingerprint(
    name: str, write: Write, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(write, rows)
    task = TASKS.get(name)
    numbered = [dict(row) for row in rows[name]]
    for row in numbered:
        # The hub has CoNLL's tags as indices; the folder has them as names.
        row |= {"ner_tags": [3, 0, 1, 2]} if name == "conll2003" else {}
    splits = {task.train_split: numbered * 2, task.eval_split: numbered}
    fake = SimpleNamespace(load_dataset=lambda *_, split, **__: FakeSplit(splits[split]))
    monkeypatch.setitem(sys.modules, "datasets", fake)

    local, hub = load_data(task, str(tmp_path)), load_data(task, "hub")
    assert (local.source, hub.source) == ("local", "hub")
    assert local.fingerprint == hub.fingerprint
    assert local.train == hub.train
    assert len(local.train) == 2 * len(local.evaluation)


def test_data_is_read_once_a_process(write: Write, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(write, rows)
    first = load_data(TASKS.get("imdb"), str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert load_data(TASKS.get("imdb"), ".") is first
    assert load_data(TASKS.get("rte"), ".") is not first


@pytest.mark.parametrize(("word", "near"), [("embeded", "embedded"), ("Hub", "hub"), ("huub", "hub")])
def test_a_misspelt_source_is_answered_with_the_nearest(word: str, near: str) -> None:
    with pytest.raises(BadData, match=f"data source '{word}' is neither .* did you mean '{near}'"):
        load_data(TASKS.get("imdb"), word)


def test_a_folder_that_is_missing_is_answered_with_its_neighbours(tmp_path: Path) -> None:
    (tmp_path / "glue").mkdir()
    with pytest.raises(BadData, match=rf"nor a folder that exists; {tmp_path} holds glue"):
        load_data(TASKS.get("imdb"), str(tmp_path / "no_such_place"))


def test_a_bad_row_names_its_file(write: Write, rows: Rows, tmp_path: Path) -> None:
    write("imdb", "train", rows["imdb"])
    write("imdb", "test", [{"text": "hidden", "label": -1}])
    with pytest.raises(BadData, match=f"{tmp_path}/imdb/test.parquet, row 0 .*label is -1"):
        load_data(TASKS.get("imdb"), str(tmp_path))


def test_a_missing_column_is_answered_with_those_of_the_file(write: Write, rows: Rows, tmp_path: Path) -> None:
    write("imdb", "train", [{"review": "fine", "sentiment": 1}])
    write("imdb", "test", rows["imdb"])
    with pytest.raises(BadData, match=r"column 'text' is missing; there are review, sentiment; expected text, label"):
        load_data(TASKS.get("imdb"), str(tmp_path))


def test_an_empty_file_is_refused(write: Write, rows: Rows, tmp_path: Path) -> None:
    write("imdb", "train", rows["imdb"])
    write("imdb", "test", [])
    with pytest.raises(BadData, match=r"imdb/test.parquet is empty; expected .*text, label"):
        load_data(TASKS.get("imdb"), str(tmp_path))


def test_a_missing_evaluation_file_is_seen_before_the_training_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "imdb").mkdir()
    (tmp_path / "imdb" / "train.parquet").write_bytes(b"never opened")
    with pytest.raises(BadData, match=r"no .*imdb/test.parquet"):
        load_data(TASKS.get("imdb"), str(tmp_path))


def test_an_embedded_corpus_is_parsed_like_any_other(rows: Rows, monkeypatch: pytest.MonkeyPatch) -> None:
    corpora = SimpleNamespace(
        CORPORA=("imdb",), generate=lambda name: {"train": rows[name], "evaluation": rows[name][:1]}
    )
    monkeypatch.setattr(load, "synthetic", corpora)
    data = load_data(TASKS.get("imdb"), "embedded")
    assert data.source == "embedded"
    assert data.train == (TextExample("A bore.<br />", 0), TextExample("A joy — truly.", 1))
    assert data.evaluation == data.train[:1]


def _unread(*_: object) -> None:
    raise AssertionError("the data are read again")


@pytest.mark.parametrize("source", ["embedded", "folder"])
def test_what_planning_needs_of_data_is_read_once(
    source: str, write: Write, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(write, rows)
    task, place = TASKS.get("imdb"), str(tmp_path) if source == "folder" else source
    found, data = data_facts(task, place), load_data(task, place)
    assert found == (data.fingerprint, len(data.train))
    monkeypatch.setattr(load, "load_data", _unread)
    assert data_facts(task, place) == found
    with pytest.raises(AssertionError, match="read again"):
        data_facts(dataclasses.replace(task, metrics=task.metrics[:1], version="2"), place)


def test_a_changed_file_is_read_again(
    write: Write, rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(write, rows)
    task = TASKS.get("imdb")
    before = data_facts(task, str(tmp_path))
    write("imdb", task.train_split, rows["imdb"] * 3)
    load._load.cache_clear()
    assert data_facts(task, str(tmp_path)).train == before.train * 3 // 2
    (tmp_path / "imdb" / f"{task.eval_split}.parquet").unlink()
    with pytest.raises(BadData, match=rf"no .*imdb/{task.eval_split}.parquet"):
        data_facts(task, str(tmp_path))


@pytest.mark.parametrize("name", ["rte", "mrpc", "cola"])
def test_a_task_without_an_embedded_corpus_names_those_that_have_one(name: str) -> None:
    with pytest.raises(Unavailable, match=rf"task {name} has no embedded corpus; .*imdb, sst2, conll2003, squad"):
        load_data(TASKS.get(name), "embedded")


@pytest.mark.parametrize("name", ["imdb", "sst2", "conll2003", "squad"])
def test_the_embedded_corpora_are_good_data(name: str) -> None:
    data = load_data(TASKS.get(name), "embedded")
    assert data.source == "embedded"
    assert (len(data.train), len(data.evaluation)) == (2000, 1000)


A, B = TextExample("a", 0), TextExample("b", 1)


@pytest.mark.parametrize(
    ("train", "evaluation"),
    [
        ([A], [A, B]),
        ([A, B], [A]),
        ([B, A], [B]),
        ([A, TextExample("b", 0)], [B]),
        ([A, TextExample("b", 1, "")], [B]),
        ([A, TagExample(("b",), (1,))], [B]),
    ],
)
def test_the_fingerprint_sees_every_value_the_order_and_the_split(
    train: list[Example], evaluation: list[Example]
) -> None:
    assert fingerprint(train, evaluation) != fingerprint([A, B], [B])


def test_the_fingerprint_is_the_same_in_every_process_and_version() -> None:
    # What `sha256sum` says of the two splits as lines of JSON.
    assert fingerprint([A], [B]) == "372576399c6339ff8069"


def test_splits_are_read_alone_and_those_beside_the_used_are_known(write: Write, rows: Rows, tmp_path: Path) -> None:
    task, folder = TASKS.get("imdb"), str(tmp_path)
    for split in ("unsupervised", "train", "extra"):
        write("imdb", split, rows["imdb"][:1])
    assert other_splits(task, folder) == ("extra", "unsupervised")
    assert read_split(task, folder, "extra") == (TextExample("A bore.<br />", 0),)
    with pytest.raises(BadData, match=r"no .*imdb/test.parquet"):
        read_split(task, folder, "test")
    assert other_splits(TASKS.get("rte"), folder) == other_splits(task, "embedded") == ()


def test_an_embedded_split_is_that_of_the_whole() -> None:
    task = TASKS.get("sst2")
    data = load_data(task, "embedded")
    assert (read_split(task, "embedded", "train"), read_split(task, "embedded", "validation")) == (
        tuple(data.train),
        tuple(data.evaluation),
    )


def test_the_kind_of_a_source_is_that_of_its_data(tmp_path: Path) -> None:
    assert [source_kind(source) for source in ("hub", "embedded", str(tmp_path))] == ["hub", "embedded", "local"]
    with pytest.raises(BadData, match="nor a folder that exists"):
        source_kind(str(tmp_path / "gone"))
