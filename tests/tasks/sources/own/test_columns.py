"""Which format a folder is of, by the names of its columns and the values of its target."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BadData
from bench_lib.tasks.formats.rows import Row
from bench_lib.tasks.sources.own.columns import format_and_columns
from bench_lib.tasks.sources.own.definition import Definition, read_definition
from bench_lib.tasks.sources.own.reading import own_data
from bench_lib.tasks.sources.tables import read_rows

SHARED = Path(__file__).parents[5] / "shared" / "data"
ANSWERS = {"text": ["red"], "answer_start": [0]}


def recognised(*rows: Row) -> str:
    folder = Path("folder")
    task_format, columns = format_and_columns(Definition(folder, folder, "folder"), rows)
    return f"{task_format}: {' '.join(columns)}"


@pytest.mark.parametrize(
    ("rows", "found"),
    [
        ([{"text": "a", "score": 0.5}], "regression: text score"),
        ([{"text": "a", "rating": 4}], "regression: text rating"),
        ([{"text": "a", "score": "high"}, {"text": "a", "score": "3.5"}], "regression: text score"),
        ([{"sentence1": "a", "sentence2": "b", "label": 4.75}], "regression: sentence1 sentence2 label"),
        ([{"text": "a", "label": 1}, {"text": "b", "label": 2.5}], "regression: text label"),
        ([{"text": "a", "labels": ["x", "y"]}], "multi_label: text labels"),
        ([{"review": "a", "tags": []}], "multi_label: review tags"),
        ([{"text": "a", "label": [0, 2]}], "multi_label: text label"),
        ([{"article": "a", "summary": "b", "id": "1"}], "generation: article summary"),
        ([{"question": "a", "answer": "42"}], "generation: question answer"),
        ([{"prompt": "a", "response": ["b", "c"]}], "generation: prompt response"),
        ([{"text": "a", "translation": "b"}], "generation: text translation"),
    ],
)
def test_a_target_says_what_it_is(rows: list[Row], found: str) -> None:
    assert recognised(*rows) == found


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ({"text": "a", "label": 3}, "sequence: text label"),
        ({"text": "a", "label": "2.5"}, "sequence: text label"),
        ({"text": "a", "label": 1.0}, "sequence: text label"),
        ({"text": "a", "label": True}, "sequence: text label"),
        ({"text": "a", "label": None}, "sequence: text label"),
        ({"text": "a", "label": "x", "score": 0.5}, "sequence: text label"),
        ({"text": "a", "target": "x", "tags": ["y"]}, "sequence: text target"),
        ({"text": "a", "label": "x", "summary": "b"}, "sequence: text label"),
        ({"question": "a", "passage": "b", "label": 1}, "sequence: question passage label"),
        ({"question": "a", "sentiment": "x", "answer": "b"}, "sequence: question sentiment"),
        ({"words": ["a"], "tags": ["O"], "text": "a"}, "tokens: words tags"),
        ({"tokens": ["a"], "labels": ["O"], "score": 0.5}, "tokens: tokens labels"),
        (
            {"id": "1", "context": "red", "question": "a", "answers": ANSWERS, "answer": "b"},
            "span: id context question answers",
        ),
    ],
)
def test_labels_tags_and_spans_decide_before_numbers_sets_and_texts(row: Row, found: str) -> None:
    assert recognised(row) == found


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            {"text": "a", "score": 0.5, "summary": "b"},
            r"several task formats \(generation, regression\); say it in a file",
        ),
        ({"text": "a", "rating": 3, "topics": ["x"]}, r"several task formats \(multi_label, regression\)"),
        ({"text": "a", "score": "high"}, "the columns text, score have names as in regression, and other values"),
        ({"question": "a", "answer": 42}, "the columns question, answer have names as in generation, and other values"),
        ({"text": "a", "tags": "x, y"}, "the columns text, tags have names as in multi_label, and other values"),
        ({"en": "a", "de": "b"}, "the columns en, de are those of no task format that is known"),
        ({"question": "a", "context": "b", "answer": "c"}, "'question' and 'context' could both be the text"),
        ({"instruction": "a", "input": "b", "output": "c"}, "'input' and 'instruction' could both be the text"),
        ({"text": "a", "score": 1, "rating": 0.5}, "'score' and 'rating' could both be the number"),
    ],
)
def test_what_is_not_plain_is_asked_for(row: Row, message: str) -> None:
    with pytest.raises(BadData, match=message) as raised:
        recognised(row)
    assert "format = ... and columns = {...}" in str(raised.value)


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ('{text = "a", number = "b"}', "regression: a b"),
        ('{text = "a", pair = "c", labels = "b"}', "multi_label: a c b"),
        ('{text = "a", answer = "b"}', "generation: a b"),
        ('{text = "a", label = "b"}', "sequence: a b"),
        ('{words = "a", tags = "b"}', "tokens: a b"),
    ],
)
def test_roles_say_the_format(tmp_path: Path, columns: str, found: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(f"columns = {columns}\n")
    task_format, names = format_and_columns(read_definition(path), [{"a": "x", "b": 0.5, "c": "z", "text": "y"}])
    assert f"{task_format}: {' '.join(names)}" == found


def test_of_listed_columns_the_last_is_the_target(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text('columns = ["text", "stars"]\n')
    task_format, columns = format_and_columns(read_definition(path), [{"text": "a", "stars": "x", "label": ["y"]}])
    assert (str(task_format), columns) == ("sequence", ("text", "stars"))


def test_a_folder_of_each_format_is_a_task(tmp_path: Path) -> None:
    tasks: dict[str, list[dict[str, Any]]] = {
        "regression": [{"text": f"text {i}", "score": i / 4} for i in range(10)],
        "multi_label": [{"text": f"text {i}", "labels": ["x", "y"][: i % 3]} for i in range(10)],
        "generation": [{"article": f"text {i}", "summary": f"{i}"} for i in range(10)],
    }
    for name, rows in tasks.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "train.jsonl").write_text("\n".join(map(json.dumps, rows)))
        data = own_data(str(tmp_path / name))
        assert (str(data.task.format), len(data.train), len(data.evaluation)) == (name, 8, 2)


@pytest.mark.skipif(not SHARED.is_dir(), reason="the real data sets are not here")
@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("stsb", "regression: sentence1 sentence2 label"),
        ("go_emotions", "multi_label: text labels"),
        ("samsum", "generation: dialogue summary"),
        ("gsm8k", "generation: question answer"),
        ("e2e_nlg", "generation: meaning_representation human_reference"),
        ("mrpc", "sequence: sentence1 sentence2 label"),
        ("tnews", "sequence: sentence label"),
        ("wnut_17", "tokens: tokens ner_tags"),
    ],
)
def test_data_sets_of_the_hub_are_recognised(name: str, found: str) -> None:
    split = "validation" if name in ("stsb", "go_emotions", "mrpc", "tnews") else "test"
    assert recognised(*read_rows(SHARED / name / f"{split}.parquet")) == found
