from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadData, BadValue, BenchError
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import SpanExample
from bench_lib.tasks.formats.span_metrics import ANSWERABLE, em, f1, has_answer_f1, no_answer_accuracy
from bench_lib.tasks.formats.squad_metrics import answer_f1, answer_or_none_f1, exact_match, match_or_none
from bench_lib.tasks.scoring.constant_baseline import constant_baseline, room
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.transforms.label_noise import mislabelled
from bench_lib.tasks.transforms.sampling import choose_per_class

V2 = TASKS.get("squad_v2")
WORDS = st.lists(st.sampled_from(["red", "blue", "the", "a", "."]), max_size=4).map(" ".join)


def row(name: str, answer: str = "", context: str = "The door is red. The wall is blue.") -> dict[str, Any]:
    answers = (
        {"text": [answer], "answer_start": [context.index(answer)]} if answer else {"text": [], "answer_start": []}
    )
    return {"id": name, "context": context, "question": f"what, {name}?", "answers": answers}


ROWS = [row("1", "red"), row("2"), row("3", "blue"), row("4"), row("5")]
EXAMPLES = parse(V2, ROWS, "here")


@given(WORDS, st.lists(WORDS, min_size=1, max_size=3))
def test_with_words_on_both_sides_the_scores_are_those_of_the_first_version(guess: str, answers: list[str]) -> None:
    told = [answer for answer in answers if answer.replace("the", "").replace("a", "").strip(" .")]
    if guess.replace("the", "").replace("a", "").strip(" .") and told:
        assert answer_or_none_f1(guess, answers) == answer_f1(guess, told)
    if told:
        assert match_or_none(guess, answers) == exact_match(guess, told)


@pytest.mark.parametrize(
    ("guess", "answers", "expected"),
    [
        ("", (), (1.0, 1.0)),
        ("the", (), (1.0, 1.0)),  # no word is left of it, as in the official script
        ("red", (), (0.0, 0.0)),
        ("", ("red",), (0.0, 0.0)),
        ("", ("red", "the"), (0.0, 0.0)),
        ("", ("the",), (1.0, 1.0)),
        ("a red door", ("red", "red wall"), (2 / 3, 0.0)),
        ("The red!", ("red",), (1.0, 1.0)),
    ],
)
def test_no_answer_is_right_where_there_is_none(
    guess: str, answers: tuple[str, ...], expected: tuple[float, float]
) -> None:
    assert (answer_or_none_f1(guess, answers), match_or_none(guess, answers)) == pytest.approx(expected)


def test_the_metrics_of_a_set_tell_both_kinds_of_questions() -> None:
    references = [example.reference for example in EXAMPLES]
    guesses = ["red", "red", "", "", ""]
    assert score(V2, guesses, references) == {
        "f1": 0.6,
        "em": 0.6,
        "has_answer_f1": 0.5,
        "no_answer_accuracy": pytest.approx(2 / 3),
    }
    assert has_answer_f1(ANSWERABLE, [""], [()]) == no_answer_accuracy(ANSWERABLE, ["x"], [("x",)]) == 0.0
    # Without labels the scores are those of the first version, in which nothing is never right.
    assert f1((), [""], [("the",)]) == 0.0
    assert em((), [""], [("the",)]) == 1.0


def test_the_constant_baseline_is_no_answer_or_the_best_position() -> None:
    assert constant_baseline(V2, EXAMPLES) == 0.6
    assert constant_baseline(V2, EXAMPLES[:1]) == 1.0
    assert constant_baseline(dataclasses.replace(V2, metrics=("has_answer_f1",)), EXAMPLES) == 0.5
    assert constant_baseline(dataclasses.replace(V2, metrics=("no_answer_accuracy",)), EXAMPLES) == 1.0
    assert room(V2, EXAMPLES).best == 1.0
    assert not room(V2, EXAMPLES[1:2])


def test_questions_without_an_answer_are_read_edited_sampled_and_corrupted() -> None:
    nothing = EXAMPLES[1]
    assert isinstance(nothing, SpanExample)
    assert (nothing.answers, nothing.accepted_answers) == ((), frozenset([""]))
    assert [next(iter(example.classes(V2.labels))) for example in EXAMPLES[:2]] == [*ANSWERABLE]
    words = nothing.passages(V2.labels)
    assert not any(word.protected for word in words[0])
    assert nothing.rewritten((words[0][1:], words[1]), V2.labels) == dataclasses.replace(
        nothing, context="door is red. The wall is blue."
    )
    chosen = choose_per_class(EXAMPLES, V2.labels, 2, np.random.default_rng(0))
    assert [bool(EXAMPLES[i].reference) for i in chosen].count(True) == 2
    for clean, wrong in zip(EXAMPLES, mislabelled(EXAMPLES, 1.0, V2.labels, np.random.default_rng(0)), strict=True):
        assert wrong.reference != clean.reference
        assert len(wrong.reference) == 1


def test_tasks_say_whether_questions_may_have_no_answer() -> None:
    with pytest.raises(BadData, match=r"row 1 .*: answers is .*; expected at least one text, and as many answer_start"):
        parse(TASKS.get("squad"), ROWS, "here")
    with pytest.raises(BadData, match="expected as many texts as answer_start"):
        parse(V2, [{**ROWS[0], "answers": {"text": [], "answer_start": [3]}}], "here")
    with pytest.raises(BadValue, match=r"labels of task squad_v2 .span. is .*; allowed: none, .* or"):
        dataclasses.replace(V2, labels=("yes", "no"))
    with pytest.raises(BenchError, match="metric has_answer_f1 of task squad_v2 needs the labels"):
        dataclasses.replace(V2, labels=())
