from __future__ import annotations

from typing import Any

import pytest

from bench_lib.core.errors import BadData
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import SpanExample, TagExample, TextExample
from bench_lib.tasks.sources.parse import parse

Rows = dict[str, list[dict[str, Any]]]


def refused(task: str, rows: list[dict[str, Any]]) -> str:
    with pytest.raises(BadData) as caught:
        parse(TASKS.get(task), rows, "data/x.parquet")
    message = str(caught.value)
    assert message.startswith("data/x.parquet")
    return message


def test_texts_and_pairs(rows: Rows) -> None:
    assert parse(TASKS.get("imdb"), rows["imdb"], "here") == (
        TextExample("A bore.<br />", 0),
        TextExample("A joy — truly.", 1),
    )
    assert parse(TASKS.get("rte"), rows["rte"], "here") == (TextExample("It rained.", 0, "It was wet."),)


def test_tags_as_names_and_as_indices_are_the_same(rows: Rows) -> None:
    named = rows["conll2003"]
    numbered = [{**named[0], "ner_tags": [3, 0, 1, 2]}]
    example = TagExample(("EU", "rejects", "Peter", "Blackburn"), (3, 0, 1, 2))
    task = TASKS.get("conll2003")
    assert parse(task, named, "here") == parse(task, numbered, "here") == (example,)


def test_spans(rows: Rows) -> None:
    context = "It was built in 1879 by the Fathers."
    example = SpanExample("a1", context, "When was it built?", ("1879", "in 1879"), (16, 13))
    assert parse(TASKS.get("squad"), rows["squad"], "here") == (example,)


@pytest.mark.parametrize(
    ("text", "start", "answer"),
    [
        (" 1879", 15, ("1879", 16)),
        ("1879 ", 16, ("1879", 16)),
        (" in 1879 ", 12, ("in 1879", 13)),
        ("It ", 0, ("It", 0)),
    ],
)
def test_white_space_at_the_ends_of_an_answer_is_no_part_of_it(
    text: str, start: int, answer: tuple[str, int], rows: Rows
) -> None:
    row = {**rows["squad"][0], "answers": {"text": ["1879", text], "answer_start": [16, start]}}
    (example,) = parse(TASKS.get("squad"), [row], "here")
    assert isinstance(example, SpanExample)
    assert (example.answers[1], example.starts[1]) == answer
    assert (example.answers[0], example.starts[0]) == ("1879", 16)


@pytest.mark.parametrize("task", ["imdb", "conll2003", "squad"])
def test_an_empty_split_is_refused(task: str) -> None:
    message = refused(task, [])
    assert "empty" in message
    assert ", ".join(TASKS.get(task).columns) in message


@pytest.mark.parametrize("task", ["imdb", "conll2003", "squad", "rte"])
def test_every_missing_column_is_named_with_those_that_are_there(task: str, rows: Rows) -> None:
    for column in TASKS.get(task).columns:
        row = {key: value for key, value in rows[task][0].items() if key != column}
        message = refused(task, [row])
        assert f"column {column!r} is missing" in message
        assert f"there are {', '.join(row)}" in message


@pytest.mark.parametrize("label", [2, -1, True, 1.0, "pos", None])
def test_an_unknown_label_is_named_with_its_row(label: object, rows: Rows) -> None:
    message = refused("imdb", [rows["imdb"][0], {"text": "Fine.", "label": label}])
    assert "row 1 (the first is 0)" in message
    assert f"label is {label!r}" in message
    assert "expected 0 (neg) or 1 (pos)" in message


def test_text_that_is_none_is_refused(rows: Rows) -> None:
    assert "sentence2 is None; expected text" in refused("rte", [{**rows["rte"][0], "sentence2": None}])


def test_a_long_value_is_cut_in_the_message() -> None:
    assert len(refused("imdb", [{"text": ["x" * 10_000], "label": 0}])) < 200


@pytest.mark.parametrize(
    ("tokens", "tags", "expected"),
    [
        ([], [], "at least one word"),
        (["a", ""], ["O", "O"], "text that is not blank"),
        (["a", "\u3000"], ["O", "O"], "text that is not blank"),
        (["a", None], ["O", "O"], "text that is not blank"),
        ("a b", ["O", "O"], "expected a list"),
        (["a"], None, "expected a list"),
        (["a", "b"], ["O"], "is 1; expected 2, one for each word"),
        (["a"], ["B-PERS"], "'B-PERS'; expected one of O, B-PER"),
        (["a"], [9], "its index, 0 to 8"),
        (["a"], [-1], "is -1"),
        (["a"], [True], "is True"),
        (["a"], [["O"]], "a tag in ner_tags"),
        (["a"], ["I-PER"], "ner_tags[0] is 'I-PER'; expected strict IOB2: B-PER or I-PER before it, not O"),
        (["a", "b"], ["O", "I-LOC"], "ner_tags[1] is 'I-LOC'"),
        (["a", "b"], ["B-PER", "I-LOC"], "B-LOC or I-LOC before it, not B-PER"),
        (["a", "b", "c"], [1, 2, 4], "B-ORG or I-ORG before it, not I-PER"),
    ],
)
def test_bad_tags_are_refused(tokens: object, tags: object, expected: str, rows: Rows) -> None:
    message = refused("conll2003", [*rows["conll2003"], {"tokens": tokens, "ner_tags": tags}])
    assert "row 1" in message
    assert expected in message


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        (None, "a struct of two lists"),
        ({"text": ["1879"]}, "a struct of two lists"),
        ([{"text": "1879", "answer_start": 16}], "a struct of two lists"),
        ({"text": [], "answer_start": []}, "at least one text"),
        ({"text": None, "answer_start": None}, "at least one text"),
        ({"text": ["1879"], "answer_start": [16, 13]}, "as many answer_start"),
        ({"text": ["1879"], "answer_start": [15]}, "is '1879'; expected the text of the context there, ' 187'"),
        ({"text": ["1879"], "answer_start": [400]}, "the context there, ''"),
        ({"text": ["1879", "1880"], "answer_start": [16, 16]}, "is '1880'"),
        ({"text": ["s."], "answer_start": [-2]}, "answer_start is -2"),
        ({"text": ["1879"], "answer_start": [None]}, "answer_start is None"),
        ({"text": [""], "answer_start": [3]}, "text that is not blank"),
        ({"text": [" "], "answer_start": [2]}, "text that is not blank"),
        ({"text": [1879], "answer_start": [16]}, "text that is not blank"),
    ],
)
def test_bad_spans_are_refused(answers: object, expected: str, rows: Rows) -> None:
    message = refused("squad", [*rows["squad"], {**rows["squad"][0], "answers": answers}])
    assert "row 1" in message
    assert expected in message
