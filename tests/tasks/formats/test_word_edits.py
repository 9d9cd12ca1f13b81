"""Edits of words keep tags in strict IOB2 and answers at their starts."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import LabelSetExample, NumberExample, SpanExample, TagExample, TextExample
from bench_lib.tasks.formats.word_edits import (
    Word,
    exchanged,
    gaps,
    with_word,
    with_words,
    without,
)

NER = TASKS.get("conll2003").labels
word = st.text(st.sampled_from("abkQz9.,é-"), min_size=1, max_size=6)
seeds = st.integers(0, 2**32)


@st.composite
def texts(draw):
    parts = draw(st.lists(st.tuples(word, st.sampled_from([" ", " ", "  ", "\n", " \t"])), max_size=10))
    return draw(st.sampled_from(["", " ", "\n "])) + "".join(w + s for w, s in parts)


@st.composite
def questions(draw):
    """A context in any white space, and up to four answers anywhere in it: inside words, overlapping, of blanks."""
    context = draw(texts()) + draw(word)
    spans = draw(st.lists(st.tuples(st.integers(0, len(context) - 1), st.integers(1, 12)), min_size=1, max_size=4))
    answers = [(context[start : start + size], start) for start, size in spans]
    return SpanExample("q", context, draw(texts()), *map(tuple, zip(*answers, strict=True)))


@st.composite
def sentences(draw):
    kinds = st.sampled_from(["O", "O", "PER", "PER", "LOC"])
    parts = draw(st.lists(st.tuples(kinds, st.integers(1, 3)), min_size=1, max_size=7))
    names = [
        name
        for kind, length in parts
        for name in (["O"] * length if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * (length - 1)])
    ]
    return TagExample(tuple(f"{name}{i}" for i, name in enumerate(names)), tuple(map(NER.index, names)))


examples = st.one_of(
    questions(), sentences(), st.builds(TextExample, texts(), st.just(1), st.one_of(st.none(), texts()))
)


def edited(words, generator):
    """A few edits of every sort, wherever they are allowed."""
    for _ in range(generator.integers(6)):
        places = gaps(words)
        words = with_word(words, places[generator.integers(len(places))], "new")
        movable = [i for i, w in enumerate(words) if w.movable]
        words = with_words(words, {int(generator.choice(movable)): "other"} if movable else {})
        words = exchanged(words, *generator.choice(movable, 2).tolist()) if movable else words
        free = [i for i, w in enumerate(words) if w.editable]
        words = without(words, {int(generator.choice(free))} if free else ())
    return words


def right(example):
    """Whether an example is as tasks/parse.py wants it."""
    if isinstance(example, SpanExample):
        spans = list(zip(example.starts, example.answers, strict=True))
        return all(s >= 0 and example.context[s : s + len(a)] == a for s, a in spans)
    if isinstance(example, TagExample):
        names = ["O", *(NER[tag] for tag in example.tags)]
        inside = [before[2:] == name[2:] for before, name in pairwise(names) if name.startswith("I-")]
        return all(inside) and len(example.words) == len(example.tags)
    return isinstance(example, (TextExample, LabelSetExample, NumberExample))


@given(examples, seeds)
def test_whatever_is_done_targets_stay_right(example, seed):
    generator = np.random.default_rng(seed)
    new = example.rewritten([edited(words, generator) for words in example.passages(NER)], NER)
    assert right(new)
    if isinstance(example, SpanExample):
        assert (new.answers, new.id) == (example.answers, example.id)
    if isinstance(example, TextExample):
        assert (new.label, new.pair is None) == (example.label, example.pair is None)


@given(sentences(), seeds)
def test_a_word_keeps_its_type_and_its_mention(example, seed):
    """The words have their original places as text, so that each is known after any edit."""
    (words,) = example.passages(NER)
    (before,) = [{w.text: w for w in words}]
    now = example.rewritten([edited(words, np.random.default_rng(seed))], NER)
    mention = None
    for text, tag in zip(now.words, now.tags, strict=True):
        if text not in before:  # what was put in or stands in belongs to an entity, or to none
            mention = mention if NER[tag].startswith("I-") else None
            continue
        assert NER[tag][2:] == (before[text].entity or "")
        if NER[tag].startswith("I-") and mention is not None:
            assert before[text].block == mention, "two entities became one"
        if NER[tag].startswith("B-"):
            assert before[text].block != mention, "an entity was taken apart"
        mention = before[text].block


@given(examples)
def test_words_untouched_are_the_example_to_the_letter(example):
    assert example.rewritten(example.passages(NER), NER) == example


def ner(*names):
    return TagExample(tuple("abcdef"[: len(names)]), tuple(map(NER.index, names)))


def tags_after(example, change):
    return [NER[tag] for tag in example.rewritten([change(example.passages(NER)[0])], NER).tags]


def test_tags_by_hand():
    two = ner("B-PER", "I-PER", "B-PER", "I-PER", "O")
    assert tags_after(two, lambda w: without(w, {0})) == ["B-PER", "B-PER", "I-PER", "O"]
    assert tags_after(two, lambda w: without(w, {2})) == ["B-PER", "I-PER", "B-PER", "O"]
    assert tags_after(two, lambda w: without(w, {1, 2})) == ["B-PER", "B-PER", "O"]
    assert tags_after(two, lambda w: with_word(w, 1, "x")) == ["B-PER", "I-PER", "I-PER", "B-PER", "I-PER", "O"]
    assert tags_after(two, lambda w: with_word(w, 2, "x")) == ["B-PER", "I-PER", "O", "B-PER", "I-PER", "O"]
    assert tags_after(two, lambda w: with_word(w, 0, "x")) == ["O", "B-PER", "I-PER", "B-PER", "I-PER", "O"]
    assert tags_after(two, lambda w: with_word(w, 5, "x"))[-2:] == ["O", "O"]
    assert [w.movable for w in two.passages(NER)[0]] == [False] * 4 + [True]


def test_answers_by_hand():
    example = SpanExample("q", "In May, New York City  won.", "Who?", ("New York", "York City", "May"), (8, 12, 3))
    words, _ = example.passages(NER)
    assert [w.text for w in words] == ["In", "May,", "New", "York", "City", "won."]
    assert [w.block for w in words] == [None, 0, 1, 1, 1, None]
    assert [w.protected for w in words] == [False, True, True, True, True, False]
    assert gaps(words) == [0, 1, 2, 5, 6]
    moved = exchanged(with_word(with_word(words, 2, "old"), 0, "So"), 1, 7)
    new = example.rewritten((moved, example.passages(NER)[1]), NER)
    assert new.context == "So won. May, old New York City  In"
    assert new.starts == (17, 21, 8)
    assert new.question == "Who?"


def test_an_answer_holds_the_white_space_that_it_covers():
    example = SpanExample("q", "  a b c", "?", (" a ", "b"), (1, 4))
    words, question = example.passages(NER)
    assert [(w.text, w.protected) for w in words] == [("", True), ("a", True), ("b", True), ("c", False)]
    assert gaps(words) == [0, 2, 3, 4]
    new = example.rewritten((with_word(words, 0, "x"), question), NER)
    assert (new.context, new.starts) == ("x   a b c", (3, 6))


def test_white_space_stays_as_it_was():
    example = TextExample("a  b\nc ", 0)
    (words,) = example.passages(NER)
    assert words == (Word("a", "  ", 0), Word("b", "\n", 3), Word("c", " ", 5))
    assert example.rewritten([without(words, {0})], NER).text == "b\nc"
    assert example.rewritten([with_words(words, {1: "x"})], NER).text == "a  x\nc"


@pytest.mark.parametrize("empty", ["", "  "])
def test_a_text_without_words(empty):
    (words,) = TextExample(empty, 0).passages(NER)
    assert not any(w.editable for w in words)
    assert TextExample(empty, 0).rewritten([with_word(words, 0, "x")], NER).text == "x"
