"""A user's own task: from a file or a folder, in every kind of file."""

from __future__ import annotations

import csv
import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bench_lib.core.errors import BadData, BadValue, BenchError
from bench_lib.tasks.find import find_task
from bench_lib.tasks.formats import NumberExample, TextExample
from bench_lib.tasks.sources.load import load_data, other_splits, read_split
from bench_lib.tasks.task import Data

Rows = list[dict[str, Any]]
GOOD = [{"review": f"a fine film, number {i}", "stars": "good", "idx": i} for i in range(6)]
BAD = [{"review": f"a dull film, number {i}", "stars": "bad", "idx": i} for i in range(4)]
ROWS = [row for pair in zip(GOOD, [*BAD, *GOOD], strict=False) for row in pair][:10]
TOML = 'columns = {text = "review", label = "stars"}\n'


def write(path: Path, rows: Rows) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = path.suffix
    if kind == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif kind in (".csv", ".tsv"):
        with path.open("w", newline="", encoding="utf-8-sig") as file:
            writer = csv.DictWriter(file, list(rows[0]), delimiter="," if kind == ".csv" else "\t")
            writer.writeheader()
            writer.writerows(rows)
    else:
        path.write_text("\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8")
    return path


def describe(folder: Path, text: str = TOML, name: str = "reviews.toml") -> str:
    (folder / name).write_text(text, encoding="utf-8")
    return str(folder / name)


def data_of(path: str) -> Data:
    task = find_task(path)
    return load_data(task, "embedded")


@pytest.mark.parametrize("kind", ["parquet", "csv", "tsv", "jsonl"])
def test_the_same_rows_are_the_same_data_in_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    reference, other = tmp_path / "a", tmp_path / "b"
    write(reference / "train.parquet", ROWS)
    write(reference / "test.parquet", ROWS[:3])
    write(other / f"data/train-00000-of-00002.{kind}", ROWS[:4])
    write(other / f"data/train-00001-of-00002.{kind}", ROWS[4:])
    write(other / f"test.{kind}", ROWS[:3])
    one, two = data_of(describe(reference)), data_of(describe(other))
    assert (two.fingerprint, two.task.version) == (one.fingerprint, one.task.version)
    assert two.task.version.startswith("own-")
    assert (two.task.name, two.task.labels, two.task.metrics) == ("reviews", ("bad", "good"), ("accuracy",))
    assert two.train[0] == TextExample("a fine film, number 0", 1)
    assert (len(two.train), len(two.evaluation), two.source) == (10, 3, "local")
    assert two.facts == {"data_licence": "not stated", "data_citation": "none"}


@pytest.mark.parametrize("numbers", [True, False], ids=["numbers", "texts"])
def test_numbers_are_labels_by_name(tmp_path: Path, numbers: bool) -> None:
    stars = [10, 2, 1, 10, 2, 1]
    rows = [{"text": f"text {i}", "label": n if numbers else str(n)} for i, n in enumerate(stars)]
    write(tmp_path / "stars/train.jsonl", rows)
    write(tmp_path / "stars/dev.csv", rows[:3])
    data = data_of(str(tmp_path / "stars"))
    assert data.task.labels == ("1", "2", "10")
    assert [example.label_indices[0] for example in data.train] == [2, 1, 0, 2, 1, 0]
    assert data.evaluation == data.train[:3]


def test_long_numbers_are_labels_like_texts(tmp_path: Path) -> None:
    write(tmp_path / "long/train.csv", [{"text": f"text {i}", "label": "12"[i % 2] * 5000} for i in range(20)])
    with pytest.raises(BenchError, match=r"a label of .*; allowed: 1 to 200 printable characters"):
        find_task(str(tmp_path / "long"))


def test_listed_labels_are_taken_by_name_or_by_index(tmp_path: Path) -> None:
    text = TOML + 'labels = ["good", "bad", "other"]\nmetrics = ["macro_f1", "accuracy"]\nname = "own"\n'
    for name, labels in (("names", ["bad", "good"]), ("numbers", [1, 0])):
        write(tmp_path / name / "train.csv", [{"review": f"t{i}", "stars": labels[i % 2]} for i in range(4)])
        write(tmp_path / name / "test.csv", [{"review": "u", "stars": labels[0]}])
    one, two = (data_of(describe(tmp_path / name, text)) for name in ("names", "numbers"))
    assert one.fingerprint == two.fingerprint
    assert one.task.version == two.task.version
    assert one.task.primary == "macro_f1"
    assert [example.label_indices[0] for example in one.train] == [1, 0, 1, 0]


def test_an_evaluation_split_is_made_by_content(tmp_path: Path) -> None:
    rows = [{"text": f"text {i // 2}", "label": "ab"[i // 2 % 4 == 0]} for i in range(200)]
    write(tmp_path / "a/train.csv", rows)
    write(tmp_path / "b/train.parquet", rows[::-1])
    one, two = data_of(str(tmp_path / "a")), data_of(str(tmp_path / "b"))
    assert (len(one.train), len(one.evaluation)) == (160, 40)
    assert not {e.inputs for e in one.train} & {e.inputs for e in one.evaluation}
    assert Counter(e.label_indices[0] for e in one.evaluation) == {0: 30, 1: 10}
    assert {e.inputs for e in one.evaluation} == {e.inputs for e in two.evaluation}
    assert one.facts["data_split"] == "evaluated on 40 of 200 examples, chosen by a hash of their inputs"
    share = describe(tmp_path / "a", "evaluation_share = 0.5\n", "half.toml")
    assert len(data_of(share).evaluation) == 100
    write(tmp_path / "a/test.csv", rows[:2])
    assert len(data_of(describe(tmp_path / "a", "evaluation_share = 0.4\n", "more.toml")).evaluation) == 80


def test_questions_on_one_context_are_not_parted(tmp_path: Path) -> None:
    rows = [
        {
            "id": str(i),
            "context": f"It is red, {i // 4}.",
            "question": f"What, {i}?",
            "answers": {"text": ["red"], "answer_start": [6]},
        }
        for i in range(80)
    ]
    write(tmp_path / "a/train.jsonl", rows)
    write(tmp_path / "b/train.jsonl", rows[::-1])
    one, two = data_of(str(tmp_path / "a")), data_of(str(tmp_path / "b"))
    assert (len(one.train), len(one.evaluation)) == (64, 16)
    assert {e.inputs for e in one.evaluation} == {e.inputs for e in two.evaluation}
    assert not {e.inputs[1] for e in one.train} & {e.inputs[1] for e in one.evaluation}


def test_words_with_tags_and_questions_are_recognised(tmp_path: Path) -> None:
    tagged = [{"tokens": ["Bob", "Lee", "sings"], "ner_tags": ["B-PER", "I-PER", "O"], "id": str(i)} for i in range(2)]
    write(tmp_path / "names/train.parquet", tagged)
    write(tmp_path / "names/validation.jsonl", [{"tokens": ["Oslo"], "ner_tags": ["B-LOC"]}])
    data = data_of(str(tmp_path / "names"))
    assert str(data.task.format) == "tokens"
    assert data.task.labels == ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    assert data.task.metrics == ("entity_f1",)
    asked = {"id": "1", "context": "It is red.", "question": "What?", "answers": {"text": ["red"], "answer_start": [6]}}
    write(tmp_path / "asked/train.jsonl", [asked, {**asked, "id": "2", "question": "Which?"}])
    write(tmp_path / "asked/test.jsonl", [asked])
    assert str(find_task(str(tmp_path / "asked")).format) == "span"


def test_pairs_are_recognised_and_other_splits_can_be_read(tmp_path: Path) -> None:
    rows = [{"premise": f"p{i}", "hypothesis": "h", "label": "yes" if i % 2 else "no"} for i in range(4)]
    for split in ("train", "dev", "test"):
        write(tmp_path / f"pairs/{split}.csv", rows)
    task = find_task(str(tmp_path / "pairs"))
    assert (task.columns, task.eval_split) == (("premise", "hypothesis", "label"), "dev")
    assert other_splits(task, "hub") == ("test",)
    assert read_split(task, "hub", "test") == read_split(task, "hub", "train")
    assert read_split(task, "hub", "dev")[1] == TextExample("p1", 1, "h")


def test_files_can_be_named(tmp_path: Path) -> None:
    write(tmp_path / "files/part-1.csv", ROWS[:5])
    write(tmp_path / "files/part-2.csv", ROWS[5:])
    write(tmp_path / "held-out.jsonl", ROWS[:2])
    text = TOML + 'folder = "files"\ntrain = "part-*.csv"\nevaluation = ["../held-out.jsonl"]\n'
    data = data_of(describe(tmp_path, text + 'format = "sentiment"\nlicence = "ours"\nlanguage = "Danish"\n'))
    assert (len(data.train), len(data.evaluation)) == (10, 2)
    assert (data.task.language, data.facts["data_licence"]) == ("Danish", "ours")
    assert other_splits(data.task, "embedded") == ()


Change = Callable[[Path], object]


def rows_in(name: str, *rows: dict[str, Any]) -> Change:
    return lambda folder: write(folder / name, list(rows))


@pytest.mark.parametrize(
    ("text", "change", "message"),
    [
        ('colunms = {text = "review"}', None, "unknown key 'colunms': did you mean 'columns'"),
        ('format = "sequnce"', None, "unknown task format 'sequnce': did you mean 'sequence'"),
        ("evaluation_share = 1.5", None, "evaluation_share is 1.5; allowed: a share between 0 and 1"),
        (
            'columns = {txt = "review", label = "stars"}\nformat = "text"',
            None,
            "unknown column of sequence tasks 'txt'",
        ),
        (
            'columns = {text = "review"}\nformat = "text"',
            None,
            "columns say nothing of 'label', which sequence tasks need",
        ),
        ('columns = {text = "reveiw", label = "stars"}', None, "no column 'reveiw'; did you mean 'review'"),
        ("", None, "the columns review, stars, idx are those of no task format that is known"),
        ('format = "ner"', None, r"no column is the words \(words, tokens\); there are review, stars, idx"),
        (TOML + 'metrics = ["acuracy"]', None, "unknown metric of task reviews .*: did you mean 'accuracy'"),
        (TOML + 'name = "sst2"', None, "name of the task in .* is 'sst2'; allowed: one that no registered task has"),
        (TOML + 'train = "gone.csv"', None, r"no file .*gone.csv; .* holds"),
        (TOML + 'train = "train.csv"\nevaluation = "train.csv"', None, "train.csv is both trained and evaluated on"),
        (TOML + 'evaluation = "test.csv"\nevaluation_share = 0.1', None, "are both given"),
        (TOML + 'folder = "gone"', None, "there is no folder .*gone"),
        ("name = [", None, "is not TOML"),
        ("evaluation_share = " + "1" * 5000, None, "is not TOML"),
        ("x = " + "[" * 5000, None, "is not TOML"),
        (TOML, rows_in("test.csv", {"review": "x"}), "test.csv has no column 'stars'; there are review"),
        (TOML, rows_in("test.csv", {"review": "x", "stars": ""}), "row 0 .*stars is ''; expected a label"),
        (
            TOML + 'labels = ["bad", "good"]',
            rows_in("test.csv", {"review": "x", "stars": "bad"}, {"review": "x", "stars": "godo"}),
            r"test.csv, row 1 \(the first is 0\): stars is 'godo'; expected 0 \(bad\) or 1 \(good\)",
        ),
        (
            TOML,
            rows_in("test.jsonl", {"review": "x", "stars": "bad"}, {"review": "x", "stars": 1}),
            "row 1 .*: stars is 1; expected text, as in the rows before",
        ),
        (TOML, rows_in("test.jsonl", {"review": "x", "stars": "a\nb"}), r"a label of .* is 'a\\nb'; allowed: 1 to 200"),
        (TOML, rows_in("test.jsonl", {"review": "x", "stars": 1.5}), "stars is 1.5; expected a label"),
        (TOML, rows_in("test.jsonl", {"review": 3, "stars": "bad"}), "review is 3; expected text"),
        (TOML, lambda folder: (folder / "test.csv").write_text("review,stars\n"), "test.csv is empty"),
        (TOML, lambda folder: (folder / "test.csv").write_bytes(b"review,stars\n\xe9,bad\n"), "is not UTF-8"),
        (TOML, rows_in("test.jsonl", ROWS[0]) and rows_in("train.tsv", *ROWS), "train is there more than once"),
        ('columns = ["review", "review"]\nformat = "text"', None, "allowed: a list|allowed: a table such as"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, change: Change | None, message: str) -> None:
    write(tmp_path / "train.csv", ROWS)
    if change is not None:
        change(tmp_path)
    with pytest.raises(BenchError, match=message) as raised:
        find_task(describe(tmp_path, text))
    assert "\n" not in str(raised.value)


def test_a_column_that_two_names_could_mean_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "two/train.csv", [{"text": "a", "sentence": "b", "label": "c"}])
    with pytest.raises(
        BadData, match=r"'text' and 'sentence' could both be the text; say it in a file: --task FILE.toml"
    ):
        find_task(str(tmp_path / "two"))


def test_a_folder_without_training_data_and_a_path_that_is_not_there_are_named(tmp_path: Path) -> None:
    write(tmp_path / "a/test.csv", ROWS)
    with pytest.raises(BadData, match=r"no file of the split train .*holds test.csv"):
        find_task(str(tmp_path / "a"))
    with pytest.raises(BadData, match=r"there is no .*/b.toml, the file or folder of a task; .* holds a"):
        find_task(str(tmp_path / "b.toml"))
    with pytest.raises(BadValue):
        find_task("/\0")


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_numbers_are_read_from_every_kind_of_file(tmp_path: Path, kind: str) -> None:
    write(tmp_path / f"train.{kind}", [{"a": f"text {i}", "b": f"other {i}", "score": i / 4} for i in range(10)])
    write(tmp_path / f"test.{kind}", [{"a": "one", "b": "two", "score": 2.5}])
    data = data_of(describe(tmp_path, 'format = "regression"\ncolumns = ["a", "b", "score"]\n'))
    assert data.evaluation == (NumberExample("one", 2.5, "two"),)
    assert [example.reference for example in data.train] == [i / 4 for i in range(10)]
    assert data.task.metrics == ("pearson",)


def test_a_number_that_is_none_is_named_with_its_row(tmp_path: Path) -> None:
    write(tmp_path / "train.csv", [{"a": "x", "b": "y", "score": "1.5"}, {"a": "x", "b": "z", "score": "high"}])
    write(tmp_path / "test.csv", [{"a": "x", "b": "y", "score": "1.5"}])
    with pytest.raises(BadData, match=r"train\.csv, row 1 .* score is 'high'; expected a finite number"):
        data_of(describe(tmp_path, 'format = "regression"\ncolumns = ["a", "b", "score"]\n'))


@pytest.mark.parametrize(("labels", "named"), [("", True), ('labels = ["anger", "fear", "joy"]\n', False)])
def test_sets_of_labels_are_read_by_name_and_by_index(tmp_path: Path, labels: str, named: bool) -> None:
    sets = [["joy"], ["fear", "anger"], [], ["joy", "fear"]]
    index = {"anger": 0, "fear": 1, "joy": 2}
    rows = [
        {"text": f"text {i}", "tags": one if named else [index[name] for name in one]} for i, one in enumerate(sets)
    ]
    write(tmp_path / "train.jsonl", rows)
    write(tmp_path / "test.jsonl", rows[:1])
    data = data_of(describe(tmp_path, f'format = "multi_label"\ncolumns = ["text", "tags"]\n{labels}'))
    assert data.task.labels == ("anger", "fear", "joy")
    assert [example.reference for example in data.train] == [(2,), (0, 1), (), (1, 2)]


def test_a_set_that_is_none_is_named_with_its_row(tmp_path: Path) -> None:
    write(tmp_path / "train.jsonl", [{"text": "a", "tags": ["x", "y"]}, {"text": "b", "tags": "x"}])
    with pytest.raises(BadData, match=r"row 1 .* tags is 'x'; expected a list"):
        data_of(describe(tmp_path, 'format = "multi_label"\ncolumns = ["text", "tags"]\n'))
