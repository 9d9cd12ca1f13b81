from __future__ import annotations

import dataclasses
import pickle

import pytest

from bench_lib.core.errors import BenchError, UnknownName, Unsupported
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import (
    FORMATS,
    QUESTION_ANSWERING,
    TOKEN_CLASSIFICATION,
    Format,
    GenerationExample,
    LabelSetExample,
    NumberExample,
    SpanExample,
    TagExample,
    TextExample,
)
from bench_lib.tasks.formats.text_metrics import Written

TEXT, PAIR = TextExample("x y", 1), TextExample("x", 0, "y z")
TAGGED = TagExample(("x", "y"), (3, 0))
WRITTEN = GenerationExample("x", ("y", "z"), "say ", ":")
SPAN = SpanExample("1", "x y", "z?", ("x", "y"), (0, 2))


def test_formats_are_named_as_they_are_stored_and_printed() -> None:
    assert FORMATS.names() == ("sequence", "tokens", "span", "generation", "multi_label", "regression")
    assert [f"{task_format}" for task_format in FORMATS] == list(FORMATS.names())
    with pytest.raises(UnknownName, match="unknown task format 'tokes': did you mean 'tokens'"):
        FORMATS.get("tokes")


def test_a_technique_of_ones_own_may_compare_a_format_with_a_kind_or_with_its_name() -> None:
    span = TASKS.get("squad").format
    assert span is QUESTION_ANSWERING
    assert span == "span"
    assert span != TOKEN_CLASSIFICATION
    assert {QUESTION_ANSWERING: 1}[span] == 1
    assert pickle.loads(pickle.dumps(span)) == span


def test_a_task_of_no_format_is_refused() -> None:
    with pytest.raises(
        BenchError, match=r"format of task sst2 is 'sequence'; allowed: a task format, .*TEXT_CLASSIFICATION"
    ):
        dataclasses.replace(TASKS.get("sst2"), format="sequence")


def test_a_format_that_lacks_a_part_cannot_be_made() -> None:
    class Half(Format):
        name = "half"

    with pytest.raises(TypeError, match="abstract"):
        Half()


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_a_format_says_one_thing_about_its_targets(task_format: Format) -> None:
    says = ("labels_texts", "labels_words", "labels_sets", "predicts_numbers", "points_at_tokens", "writes_text")
    assert [getattr(task_format, name) for name in says].count(True) == 1
    assert TASKS.get(task_format.sample_task).format is task_format


@pytest.mark.parametrize(
    ("example", "inputs", "reference", "indices"),
    [
        (TEXT, ("x y",), 1, (1,)),
        (PAIR, ("x", "y z"), 0, (0,)),
        (TAGGED, ("x", "y"), (3, 0), (3, 0)),
        (SPAN, ("z?", "x y"), ("x", "y"), ()),
        (WRITTEN, ("x",), ("y", "z"), ()),
    ],
)
def test_an_example_says_what_is_read_and_what_is_right(example, inputs, reference, indices) -> None:
    assert (example.inputs, example.reference, tuple(example.label_indices)) == (inputs, reference, indices)
    assert example.accepted_answers == (frozenset(reference) if example in (SPAN, WRITTEN) else frozenset([reference]))


@pytest.mark.parametrize(
    ("example", "answer", "labels", "words", "right"),
    [
        (TEXT, 0, ("bad", "good"), "bad", ("good",)),
        (TAGGED, [0, 1], ("O", "B-PER", "I-PER", "B-LOC"), "y/B-PER", ("x/B-LOC",)),
        (TAGGED, [0, 0], ("O", "B-PER", "I-PER", "B-LOC"), "O", ("x/B-LOC",)),
        (SPAN, "x y", (), "x y", ("x", "y")),
        (dataclasses.replace(SPAN, answers=(), starts=()), "", (), "no answer", ("no answer",)),
        (WRITTEN, Written("v w"), (), "v w", ("y", "z")),
        (WRITTEN, Written(""), (), "nothing", ("y", "z")),
        (NumberExample("x", 2.5), -0.126, (), "-0.13", ("2.50",)),
        (LabelSetExample("x", (0, 2)), (), ("a", "b", "c"), "no label", ("a, c",)),
    ],
)
def test_answers_are_put_in_words(example, answer, labels, words, right) -> None:
    assert example.format.in_words(example, answer, labels) == words
    assert example.format.right_in_words(example, labels) == right


def test_what_only_names_an_example_is_no_part_of_its_content() -> None:
    assert (
        dataclasses.replace(SPAN, id="2").content == SPAN.content != dataclasses.replace(SPAN, context="x yz").content
    )
    assert TEXT.content is TEXT


def test_predicted_labels_take_the_place_of_an_examples_own() -> None:
    assert TEXT.answered([0]) == TextExample("x y", 0)
    assert TAGGED.answered([0, 2]) == TagExample(("x", "y"), (0, 2))
    with pytest.raises(Unsupported, match="span examples bear no labels"):
        SPAN.answered([0])


def test_what_may_be_reworded_is_never_what_a_target_stands_in() -> None:
    said = {"x": "a", "y z": "b", "z?": "c?"}
    assert (PAIR.rewordable, PAIR.reworded(said)) == (("x", "y z"), TextExample("a", 0, "b"))
    assert (SPAN.rewordable, SPAN.reworded(said)) == (("z?",), dataclasses.replace(SPAN, question="c?"))
    assert (TAGGED.rewordable, TAGGED.reworded(said)) == ((), TAGGED)
