from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from bench_lib.errors import BadData
from bench_lib.examples import Kind, SpanExample, TagExample, TextExample
from bench_lib.harness.encode import IGNORED, Feature, encode
from bench_lib.models import MODELS
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve

Featurise = Callable[..., list[Feature]]
WORDS = st.sampled_from(
    ["the", "Blackburn", "unbelievably", "1879", "café", "U.S.", "antidisestablishment", "-", "o'clock", "x"]
)


def tiny_tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(resolve("tiny", MODELS))


def text_of(feature: Feature, tokenizer: PreTrainedTokenizerBase) -> str:
    return tokenizer.decode(feature.input_ids)


def same(one: Feature, other: Feature) -> bool:
    return all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in ("input_ids", "targets", "spots", "places")
    )


# ---- texts -----------------------------------------------------------------------------------------------------------


def test_a_text_is_one_sequence_with_its_class(featurise: Featurise, tokenizer: PreTrainedTokenizerBase) -> None:
    one, other = featurise(Kind.SEQUENCE, [TextExample("A fine film", 1), TextExample("dull", 0)])
    assert text_of(one, tokenizer) == "[CLS] a fine film [SEP]"
    assert (one.item, other.item) == (0, 1)
    assert (one.targets.tolist(), other.targets.tolist()) == ([1], [0])
    assert one.special.tolist() == [True, False, False, False, True]
    assert len(one) == 5


def test_a_pair_is_one_sequence_with_two_types(featurise: Featurise, tokenizer: PreTrainedTokenizerBase) -> None:
    (one,) = featurise(Kind.SEQUENCE, [TextExample("It rained.", 0, "It was wet.")])
    assert text_of(one, tokenizer) == "[CLS] it rained. [SEP] it was wet. [SEP]"
    assert one.token_types is not None
    assert one.token_types.tolist() == [0] * 5 + [1] * 5


def test_a_long_text_is_cut(featurise: Featurise) -> None:
    (one,) = featurise(Kind.SEQUENCE, [TextExample("word " * 100, 0)], max_length=16)
    assert len(one) == 16
    assert one.special.tolist() == [True] + [False] * 14 + [True]


def test_both_halves_of_a_long_pair_are_cut(featurise: Featurise) -> None:
    (one,) = featurise(Kind.SEQUENCE, [TextExample("a " * 100, 0, "b " * 100)], max_length=17)
    assert one.token_types is not None
    assert len(one) == 17
    assert one.token_types.sum() == 8


# ---- words -----------------------------------------------------------------------------------------------------------


def test_the_first_sub_token_of_a_word_has_its_label(featurise: Featurise, tokenizer: PreTrainedTokenizerBase) -> None:
    (one,) = featurise(Kind.TOKENS, [TagExample(("Blackburn", "antidisestablishment", "x"), (1, 2, 3))])
    tokens = tokenizer.convert_ids_to_tokens(one.input_ids)
    assert tokens[2].startswith("anti")
    assert any(token.startswith("##") for token in tokens)
    labelled = {tokens[i]: int(t) for i, t in enumerate(one.targets) if t != IGNORED}
    assert labelled == {"blackburn": 1, tokens[2]: 2, "x": 3}
    assert one.places.tolist() == [0, 1, 2]


@given(st.lists(st.tuples(WORDS, st.integers(0, 8)), min_size=1, max_size=12))
@settings(max_examples=50)
def test_every_word_is_labelled_once_at_its_first_sub_token(sentence: list[tuple[str, int]]) -> None:
    words, tags = (tuple(column) for column in zip(*sentence, strict=True))
    tokenizer = tiny_tokenizer()
    (one,) = encode(Kind.TOKENS, [TagExample(words, tags)], tokenizer, 256, 0)
    # Where each word begins, from tokenising the words one by one.
    lengths = [len(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words]
    first = (1 + np.cumsum([0, *lengths[:-1]])).tolist()
    assert one.spots.tolist() == first
    assert one.places.tolist() == list(range(len(words)))
    assert one.targets[first].tolist() == list(tags)
    assert (np.delete(one.targets, first) == IGNORED).all()


def test_words_that_are_cut_off_have_no_spot(featurise: Featurise) -> None:
    (one,) = featurise(Kind.TOKENS, [TagExample(("word",) * 40, (1,) * 40)], max_length=16)
    assert len(one) == 16
    assert one.places.tolist() == list(range(14))


def test_a_word_without_a_token_shifts_no_label(featurise: Featurise) -> None:
    (one,) = featurise(Kind.TOKENS, [TagExample(("a", "\u200b", "b"), (1, 2, 3))])
    assert one.places.tolist() == [0, 2]
    assert one.targets[one.spots].tolist() == [1, 3]


def test_a_sentence_without_any_token_is_left_out(featurise: Featurise) -> None:
    (kept,) = featurise(Kind.TOKENS, [TagExample(("\u200b",), (0,)), TagExample(("Oslo",), (5,))])
    assert kept.item == 1


# ---- spans -----------------------------------------------------------------------------------------------------------


def answer_of(feature: Feature, context: str) -> str:
    """The text between the first and last token of a feature's target."""
    first, last = (int(np.flatnonzero(feature.spots == token)[0]) for token in feature.targets)
    return context[feature.places[first, 0] : feature.places[last, 1]]


@st.composite
def questions(draw: st.DrawFn) -> SpanExample:
    words = draw(st.lists(WORDS, min_size=1, max_size=60))
    first = draw(st.integers(0, len(words) - 1))
    last = draw(st.integers(first, min(first + 2, len(words) - 1)))
    context = " ".join(words)
    start = len(" ".join(words[:first])) + (first > 0)
    return SpanExample("q", context, "which one is it?", (" ".join(words[first : last + 1]),), (start,))


@given(questions())
@settings(max_examples=60)
def test_targets_decode_to_the_answer_and_windows_cover_the_context(example: SpanExample) -> None:
    stride = 16  # more tokens than any answer here has, so that some window holds it whole
    tokenizer = tiny_tokenizer()
    windows = encode(Kind.SPAN, [example], tokenizer, 40, stride)
    whole = tokenizer(example.context, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
    assert sorted({tuple(place) for window in windows for place in window.places.tolist()}) == sorted(whole)
    start = example.starts[0]
    end = start + len(example.answers[0])
    holding = [w for w in windows if w.places[0, 0] <= start and w.places[-1, 1] >= end]
    assert holding
    for window in windows:
        if window in holding:
            assert answer_of(window, example.context) == example.answers[0]
        else:
            assert window.targets.tolist() == [0, 0]
        assert len(window) <= 40
        assert window.item == 0


def test_neighbouring_windows_share_as_many_tokens_as_the_stride(featurise: Featurise) -> None:
    context = " ".join(f"word{i}" for i in range(30))
    windows = featurise(Kind.SPAN, [SpanExample("q", context, "who?", ("word0",), (0,))], max_length=24, stride=6)
    assert len(windows) > 2
    for one, other in pairwise(windows):
        shared = {tuple(p) for p in one.places.tolist()} & {tuple(p) for p in other.places.tolist()}
        assert len(shared) == 6


def test_spots_are_the_contexts_tokens_and_never_the_questions(
    featurise: Featurise, tokenizer: PreTrainedTokenizerBase
) -> None:
    (one,) = featurise(Kind.SPAN, [SpanExample("q", "red boat", "red boat?", ("boat",), (4,))])
    assert text_of(one, tokenizer) == "[CLS] red boat? [SEP] red boat [SEP]"
    assert one.spots.tolist() == [5, 6]
    assert one.places.tolist() == [[0, 3], [4, 8]]
    assert one.targets.tolist() == [6, 6]


def test_an_answer_inside_a_token_is_the_whole_token(featurise: Featurise) -> None:
    context = "built in 1879 there"
    (one,) = featurise(Kind.SPAN, [SpanExample("q", context, "when?", ("87",), (10,))])
    assert answer_of(one, context) == "1879"


def test_the_first_of_several_answers_is_the_target(featurise: Featurise) -> None:
    context = "in the city of Berne"
    (one,) = featurise(Kind.SPAN, [SpanExample("q", context, "where?", ("Berne", "the city of Berne"), (15, 3))])
    assert answer_of(one, context) == "Berne"


def test_windows_of_several_questions_know_whose_they_are(featurise: Featurise) -> None:
    short = SpanExample("a", "one two", "q?", ("two",), (4,))
    long = SpanExample("b", " ".join(["word"] * 60), "q?", ("word",), (0,))
    items = [window.item for window in featurise(Kind.SPAN, [short, long, short])]
    assert items[0] == 0
    assert items[-1] == 2
    assert items.count(1) > 1
    assert items == sorted(items)


@pytest.mark.parametrize("words", [21, 25, 28, 29, 30, 60])
def test_a_question_that_leaves_no_room_is_refused_by_name(featurise: Featurise, words: int) -> None:
    long = SpanExample("5733be28", "It was built in 1879.", "why " * words, ("1879",), (16,))
    with pytest.raises(BadData, match=f"'5733be28' has {words} tokens and leaves no room .* 32 tokens .* stride of 8"):
        featurise(Kind.SPAN, [long])


def test_a_question_that_leaves_just_enough_room_is_taken(featurise: Featurise) -> None:
    context = " ".join(f"{i}" for i in range(40))
    windows = featurise(Kind.SPAN, [SpanExample("q", context, "why " * 20, ("39",), (len(context) - 2,))])
    assert answer_of(windows[-1], context) == "39"
    assert {len(window.spots) for window in windows[:-1]} == {9}


def test_encoding_again_gives_the_same(featurise: Featurise, examples: dict[Kind, list[object]]) -> None:
    for kind in Kind:
        assert all(same(a, b) for a, b in zip(featurise(kind), featurise(kind), strict=True))
