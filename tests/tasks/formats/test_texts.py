from __future__ import annotations

import pytest

from bench_lib.tasks.formats import LabelSetExample, NumberExample, TextExample
from bench_lib.tasks.formats.rows import RowReader
from bench_lib.tasks.formats.texts import (
    changed_texts,
    inputs_of,
    passages_of,
    read_texts,
    rewordable_texts,
    reworded_texts,
    text_columns,
)

EXAMPLES = [
    TextExample("One  two", 1, "<e1>three</e1> four"),
    LabelSetExample("One  two", (0, 1), "<e1>three</e1> four"),
    NumberExample("One  two", 0.5, "<e1>three</e1> four"),
]
every_example = pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: str(example.format))


def test_texts_are_all_columns_but_the_last() -> None:
    row = {"a": "x", "b": "y", "c": "z", "d": 1}
    assert read_texts(RowReader(("a", "d"), (), row, "here", 0)) == ("x", None)
    assert read_texts(RowReader(("a", "b", "d"), (), row, "here", 0)) == ("x", "y")
    assert read_texts(RowReader(("a", "b", "c", "d"), (), row, "here", 0)) == ("x: y", "z")


@every_example
def test_words_of_marked_entities_are_protected(example) -> None:
    assert inputs_of(example) == example.inputs == ("One  two", "<e1>three</e1> four")
    assert [[(word.text, word.protected) for word in words] for words in passages_of(example)] == [
        [("One", False), ("two", False)],
        [("<e1>three</e1>", True), ("four", False)],
    ]


@every_example
def test_a_text_without_edits_keeps_its_white_space(example) -> None:
    first, second = passages_of(example)
    assert changed_texts(example, (first, second)) == example.inputs
    assert changed_texts(example, (first[::-1], second)) == ("two One", example.pair)
    changed = example.rewritten((first[:1], second), ())
    assert (changed.inputs, changed.reference) == (("One", example.pair), example.reference)


@every_example
def test_texts_without_marked_entities_may_be_reworded(example) -> None:
    assert rewordable_texts(example) == example.rewordable == ("One  two",)
    assert reworded_texts(example, {"One  two": "1 2"}) == ("1 2", example.pair)
    assert example.reworded({"One  two": "1 2"}).reference == example.reference


def test_a_column_of_second_texts_is_there_where_some_text_has_one() -> None:
    alone = TextExample("a", 0)
    assert text_columns([alone]) == [["a"]]
    assert text_columns([alone, EXAMPLES[0]]) == [["a", "One  two"], ["", "<e1>three</e1> four"]]
