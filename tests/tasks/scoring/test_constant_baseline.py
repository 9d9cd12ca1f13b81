from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import SpanExample, TagExample, TextExample
from bench_lib.tasks.scoring.constant_baseline import constant_baseline, room
from bench_lib.tasks.scoring.metrics import score

LABELS = st.lists(st.integers(0, 1), min_size=1, max_size=30)
WORDS = st.lists(st.sampled_from(["the", "Roman", "army", "of", "1066,", "1066", "won."]), min_size=1, max_size=12)


def texts(labels: list[int]) -> list[TextExample]:
    return [TextExample(f"text {number}", label) for number, label in enumerate(labels)]


def question(context: str, *answers: str) -> SpanExample:
    return SpanExample("q", context, "?", answers, tuple(context.index(answer) for answer in answers))


@given(labels=LABELS)
def test_accuracy_is_that_of_the_larger_class(labels: list[int]) -> None:
    share = sum(labels) / len(labels)
    assert constant_baseline(TASKS.get("imdb"), texts(labels)) == pytest.approx(max(share, 1 - share))


@given(labels=LABELS)
def test_f1_is_that_of_always_yes(labels: list[int]) -> None:
    # Precision is the share of paraphrases and recall is 1.
    share = sum(labels) / len(labels)
    assert constant_baseline(TASKS.get("mrpc"), texts(labels)) == pytest.approx(2 * share / (share + 1))


@given(labels=LABELS)
def test_mcc_is_0(labels: list[int]) -> None:
    assert constant_baseline(TASKS.get("cola"), texts(labels)) == 0.0


@given(labels=LABELS, constant=st.integers(0, 1))
def test_a_collapsed_run_never_scores_above_it_by_a_rounding(labels: list[int], constant: int) -> None:
    for name in ("imdb", "mrpc", "cola"):
        task, examples = TASKS.get(name), texts(labels)
        collapsed = score(task, [constant] * len(labels), [example.reference for example in examples])
        assert collapsed[task.primary] <= constant_baseline(task, examples)


def test_tags_are_all_outside() -> None:
    examples = [TagExample(("Peter", "spoke"), (1, 0))]
    assert constant_baseline(TASKS.get("conll2003"), examples) == 0.0
    assert score(TASKS.get("conll2003"), [(0, 0)], [(1, 0)]) == {"entity_f1": 0.0}


def test_spans_by_hand() -> None:
    examples = [
        question("In 1066 the Normans won at Hastings.", "Normans", "the Normans"),
        question("By 1204 a Fourth Crusade had begun.", "1204"),
        question("Since 1479 Spain was one kingdom.", "1479 Spain", "Spain"),
    ]
    # Words 1 to 2 (`1066 the`, `1204 a`, `1479 Spain`) have 0, 1 and 1; words 1 to 3 (`1066 the Normans`, `1204 a
    # Fourth`, `1479 Spain was`) have 1 of 2 right, 1 of 2 and 2 of 3, with nothing missed.
    assert constant_baseline(TASKS.get("squad"), examples) == pytest.approx((2 / 3 + 2 / 3 + 4 / 5) / 3)


@pytest.mark.parametrize(
    ("answer", "best"),
    [
        ("w0", 1.0),
        ("w4 w5 w6 w7", 1.0),
        # Out of reach by one word: at best 3 of 4 words right, or 4 of 5 found.
        ("w5 w6 w7 w8", 0.75),
        ("w0 w1 w2 w3 w4", 2 * 0.8 / 1.8),
    ],
)
def test_the_positions_end_where_documented(answer: str, best: float) -> None:
    context = " ".join(f"w{number}" for number in range(10))
    assert constant_baseline(TASKS.get("squad"), [question(context, answer)]) == pytest.approx(best)


@given(contexts=st.lists(WORDS, min_size=1, max_size=4), place=st.integers(0, 11), length=st.integers(1, 3))
def test_spans_against_the_metric_itself(contexts: list[list[str]], place: int, length: int) -> None:
    task, examples = TASKS.get("squad"), []
    for words in contexts:
        first = min(place, len(words) - 1)
        examples.append(question(" ".join(words), " ".join(words[first : first + length]), words[0]))
    references = [example.answers for example in examples]
    by_metric = [
        score(task, [" ".join(words[first : first + n]) for words in contexts], references)["f1"]
        for first in range(5)
        for n in range(1, 5)
    ]
    assert constant_baseline(task, examples) == pytest.approx(max(by_metric))


def test_no_examples_are_refused() -> None:
    with pytest.raises(BadValue, match="number of evaluation examples is 0"):
        constant_baseline(TASKS.get("imdb"), [])


@settings(max_examples=30)
@given(labels=LABELS)
def test_a_set_tells_models_from_constants_if_it_has_two_classes(labels: list[int]) -> None:
    for name in ("imdb", "mrpc", "cola"):
        task, examples = TASKS.get(name), texts(labels)
        found, right = room(task, examples), [example.reference for example in examples]
        assert bool(found) == (len(set(labels)) == 2)
        assert found.constant_baseline == constant_baseline(task, examples) <= found.constant <= found.best
        assert found.best == score(task, right, right)[task.primary]


@pytest.mark.parametrize(
    ("tags", "constant", "best"),
    [([(0, 0)], 0.0, 0.0), ([(1,), (1, 1)], 1.0, 1.0), ([(1, 0)], 0.0, 1.0), ([(1, 2)], 0.0, 1.0)],
)
def test_tags_tell_nothing_where_all_are_one(tags: list[tuple[int, ...]], constant: float, best: float) -> None:
    found = room(TASKS.get("conll2003"), [TagExample(("w",) * len(own), own) for own in tags])
    assert (found.constant_baseline, found.constant, found.best) == (0.0, constant, best)


def test_a_perfect_answer_to_nothing_but_an_article_scores_nothing() -> None:
    found = room(TASKS.get("squad"), [question("the end", "the")])
    assert (found.constant, found.best, bool(found)) == (0.0, 0.0, False)
    assert not room(TASKS.get("squad"), [question("the end", "the"), question("one two", "two")])
    assert room(TASKS.get("squad"), [question("the end", "the"), question("one two", "two"), question("no six", "no")])


def test_the_constant_is_of_the_metric_that_comes_first() -> None:
    by_match = dataclasses.replace(TASKS.get("squad"), metrics=("em", "f1"))
    examples = [question("one two three", "two three"), question("one two three", "one")]
    assert constant_baseline(by_match, examples) == 0.5
    # Words 1 to 3: 2 of 3 right with nothing missed, and 1 of 3.
    assert constant_baseline(TASKS.get("squad"), examples) == pytest.approx((4 / 5 + 1 / 2) / 2)
