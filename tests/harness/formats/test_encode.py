from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import IGNORED, Feature
from bench_lib.models import MODELS
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.models.words import PROBES
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import (
    FORMATS,
    QUESTION_ANSWERING,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Format,
    SpanExample,
    TagExample,
    TextExample,
)
from bench_lib.tasks.sources.load import load_data

Featurise = Callable[..., list[Feature]]
TOKENIZERS = ["wordpiece", "byte_level", "deberta_bytes", "modern_bytes", "llama3_bytes", "gemma_pieces", "xlm_pieces"]
TOKENIZERS += ["albert_pieces", "deberta_pieces"]
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
    one, other = featurise(TEXT_CLASSIFICATION, [TextExample("A fine film", 1), TextExample("dull", 0)])
    assert text_of(one, tokenizer) == "[CLS] a fine film [SEP]"
    assert (one.item, other.item) == (0, 1)
    assert (one.targets.tolist(), other.targets.tolist()) == ([1], [0])
    assert one.special.tolist() == [True, False, False, False, True]
    assert len(one) == 5


def test_a_pair_is_one_sequence_with_two_types(featurise: Featurise, tokenizer: PreTrainedTokenizerBase) -> None:
    (one,) = featurise(TEXT_CLASSIFICATION, [TextExample("It rained.", 0, "It was wet.")])
    assert text_of(one, tokenizer) == "[CLS] it rained. [SEP] it was wet. [SEP]"
    assert one.token_types is not None
    assert one.token_types.tolist() == [0] * 5 + [1] * 5


def test_a_long_text_is_cut(featurise: Featurise) -> None:
    (one,) = featurise(TEXT_CLASSIFICATION, [TextExample("word " * 100, 0)], max_length=16)
    assert len(one) == 16
    assert one.special.tolist() == [True] + [False] * 14 + [True]


def test_both_halves_of_a_long_pair_are_cut(featurise: Featurise) -> None:
    (one,) = featurise(TEXT_CLASSIFICATION, [TextExample("a " * 100, 0, "b " * 100)], max_length=17)
    assert one.token_types is not None
    assert len(one) == 17
    assert one.token_types.sum() == 8


# ---- words -----------------------------------------------------------------------------------------------------------


def test_the_first_sub_token_of_a_word_has_its_label(featurise: Featurise, tokenizer: PreTrainedTokenizerBase) -> None:
    (one,) = featurise(TOKEN_CLASSIFICATION, [TagExample(("Blackburn", "antidisestablishment", "x"), (1, 2, 3))])
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
    (one,) = torch_half(TOKEN_CLASSIFICATION).encode([TagExample(words, tags)], tokenizer, 256, 0)
    # Where each word begins, from tokenising the words one by one.
    lengths = [len(tokenizer(word, add_special_tokens=False)["input_ids"]) for word in words]
    first = (1 + np.cumsum([0, *lengths[:-1]])).tolist()
    assert one.spots.tolist() == first
    assert one.places.tolist() == list(range(len(words)))
    assert one.targets[first].tolist() == list(tags)
    assert (np.delete(one.targets, first) == IGNORED).all()


def test_words_that_are_cut_off_have_no_spot(featurise: Featurise) -> None:
    (one,) = featurise(TOKEN_CLASSIFICATION, [TagExample(("word",) * 40, (1,) * 40)], max_length=16)
    assert len(one) == 16
    assert one.places.tolist() == list(range(14))


def test_a_word_without_a_token_shifts_no_label(featurise: Featurise) -> None:
    (one,) = featurise(TOKEN_CLASSIFICATION, [TagExample(("a", "\u200b", "b"), (1, 2, 3))])
    assert one.places.tolist() == [0, 2]
    assert one.targets[one.spots].tolist() == [1, 3]


def test_a_sentence_without_any_token_is_left_out(featurise: Featurise) -> None:
    (kept,) = featurise(TOKEN_CLASSIFICATION, [TagExample(("\u200b",), (0,)), TagExample(("Oslo",), (5,))])
    assert kept.item == 1


def test_words_given_by_themselves_have_the_features_that_they_always_had(data_folder: Path) -> None:
    """Stored runs of WordPiece models stay what they are: the tokenizer's own way of taking words, to the bit."""
    tokenizer = tiny_tokenizer()
    made_up = [TagExample(words, tuple(range(len(words)))) for words in (*PROBES, ("a", "\u200b", "b"), ("New York",))]
    rows = [*load_data(TASKS.get("conll2003"), str(data_folder)).train, *made_up]
    for length in (16, 64):
        split = tokenizer(
            [list(row.words) for row in rows], is_split_into_words=True, truncation=True, max_length=length
        )
        for feature, row in zip(torch_half(TOKEN_CLASSIFICATION).encode(rows, tokenizer, length, 0), rows, strict=True):
            assert feature.input_ids.tolist() == split["input_ids"][feature.item]
            of = split.word_ids(feature.item)
            first = [t for t, word in enumerate(of) if word is not None and word != of[t - 1]]
            assert feature.spots.tolist() == first
            assert feature.places.tolist() == [of[t] for t in first]
            assert feature.targets[feature.spots].tolist() == [row.tags[of[t]] for t in first]


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(st.lists(WORDS | st.sampled_from(["北京", "a\tb", "\u200b", "(", "isn't"]), min_size=1, max_size=8))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_tokens_of_words_are_those_of_running_text(families: Any, kind: str, words: list[str]) -> None:
    tokenizer = families.tokenizer(kind)
    running = tokenizer(" ".join(words), return_offsets_mapping=True)
    features = torch_half(TOKEN_CLASSIFICATION).encode(
        [TagExample(tuple(words), tuple(range(len(words))))], tokenizer, 256, 0
    )
    starts = np.cumsum([0, *(len(word) + 1 for word in words)])
    for feature in features:
        assert feature.input_ids.tolist() == running["input_ids"]
        # A word's first token is the first that ends inside it: it begins there, or with the space before.
        for spot, place in zip(feature.spots, feature.places, strict=True):
            begin, end = running["offset_mapping"][spot]
            assert starts[place] - 1 <= begin <= end <= max(starts[place + 1] - 1, begin)
        assert feature.targets[feature.spots].tolist() == feature.places.tolist() == sorted(set(feature.places))


def test_a_word_inside_a_sentence_is_no_rest_of_a_word(families: Any) -> None:
    tokenizer = families.tokenizer("roberta")
    (one,) = torch_half(TOKEN_CLASSIFICATION).encode(
        [TagExample(("the", "film", "is", "good"), (0,) * 4)], tokenizer, 32, 0
    )
    assert tokenizer.convert_ids_to_tokens(one.input_ids) == ["<s>", "the", "Ġfilm", "Ġis", "Ġgood", "</s>"]
    assert one.spots.tolist() == [1, 2, 3, 4]


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
    windows = torch_half(QUESTION_ANSWERING).encode([example], tokenizer, 40, stride)
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
    windows = featurise(
        QUESTION_ANSWERING, [SpanExample("q", context, "who?", ("word0",), (0,))], max_length=24, stride=6
    )
    assert len(windows) > 2
    for one, other in pairwise(windows):
        shared = {tuple(p) for p in one.places.tolist()} & {tuple(p) for p in other.places.tolist()}
        assert len(shared) == 6


def test_spots_are_the_contexts_tokens_and_never_the_questions(
    featurise: Featurise, tokenizer: PreTrainedTokenizerBase
) -> None:
    (one,) = featurise(QUESTION_ANSWERING, [SpanExample("q", "red boat", "red boat?", ("boat",), (4,))])
    assert text_of(one, tokenizer) == "[CLS] red boat? [SEP] red boat [SEP]"
    assert one.spots.tolist() == [5, 6]
    assert one.places.tolist() == [[0, 3], [4, 8]]
    assert one.targets.tolist() == [6, 6]


def test_an_answer_inside_a_token_is_the_whole_token(featurise: Featurise) -> None:
    context = "built in 1879 there"
    (one,) = featurise(QUESTION_ANSWERING, [SpanExample("q", context, "when?", ("87",), (10,))])
    assert answer_of(one, context) == "1879"


@pytest.mark.parametrize(
    ("context", "answer", "start", "tokens"),
    [
        ("in Paris now", " Paris", 2, "Paris"),
        ("in Paris now", "Paris ", 3, "Paris"),
        ("in \u200bParis\u200b now", "\u200bParis\u200b", 3, "Paris"),
        ("\u200bParis now", "\u200bParis", 0, "Paris"),
        ("now Paris\u00ad", "Paris\u00ad", 4, "Paris"),
        (" in Paris", " in", 0, "in"),
    ],
)
def test_what_the_tokenizer_drops_at_the_ends_of_an_answer_moves_no_target(
    featurise: Featurise, context: str, answer: str, start: int, tokens: str
) -> None:
    assert context[start : start + len(answer)] == answer
    (one,) = featurise(QUESTION_ANSWERING, [SpanExample("q", context, "where?", (answer,), (start,))])
    assert answer_of(one, context) == tokens


def test_an_answer_at_the_edge_of_a_window_is_held_by_its_tokens(featurise: Featurise) -> None:
    """Each window with all tokens of the answer has it as its target, also where what is dropped lies outside."""
    context = " ".join(f"\u200b{i}" for i in range(100, 160))
    windows = featurise(
        QUESTION_ANSWERING, [SpanExample("q", context, "?", ("\u200b120",), (5 * 20,))], max_length=24, stride=6
    )
    start = 5 * 20 + 1
    holding = [start in window.places[:, 0] for window in windows]
    assert sum(holding) >= 1
    assert [window.targets[0] > 0 for window in windows] == holding
    assert {answer_of(window, context) for window, held in zip(windows, holding, strict=True) if held} == {"120"}


def test_an_answer_without_a_token_is_refused_by_name(featurise: Featurise) -> None:
    with pytest.raises(Unsupported, match=r"answer '\\u200b' to question 'q7' has no token"):
        featurise(QUESTION_ANSWERING, [SpanExample("q7", "in \u200b Paris", "where?", ("\u200b",), (3,))])


def test_the_first_of_several_answers_is_the_target(featurise: Featurise) -> None:
    context = "in the city of Berne"
    (one,) = featurise(
        QUESTION_ANSWERING, [SpanExample("q", context, "where?", ("Berne", "the city of Berne"), (15, 3))]
    )
    assert answer_of(one, context) == "Berne"


def test_windows_of_several_questions_know_whose_they_are(featurise: Featurise) -> None:
    short = SpanExample("a", "one two", "q?", ("two",), (4,))
    long = SpanExample("b", " ".join(["word"] * 60), "q?", ("word",), (0,))
    items = [window.item for window in featurise(QUESTION_ANSWERING, [short, long, short])]
    assert items[0] == 0
    assert items[-1] == 2
    assert items.count(1) > 1
    assert items == sorted(items)


@pytest.mark.parametrize("words", [21, 25, 28, 29, 30, 60])
def test_a_question_that_leaves_no_room_is_refused_by_name(featurise: Featurise, words: int) -> None:
    long = SpanExample("5733be28", "It was built in 1879.", "why " * words, ("1879",), (16,))
    with pytest.raises(
        Unsupported, match=f"'5733be28' has {words} tokens and leaves no room .* 32 tokens .* stride of 8"
    ):
        featurise(QUESTION_ANSWERING, [long])


def test_a_question_that_leaves_just_enough_room_is_taken(featurise: Featurise) -> None:
    context = " ".join(f"{i}" for i in range(40))
    windows = featurise(QUESTION_ANSWERING, [SpanExample("q", context, "why " * 20, ("39",), (len(context) - 2,))])
    assert answer_of(windows[-1], context) == "39"
    assert {len(window.spots) for window in windows[:-1]} == {9}


def test_encoding_again_gives_the_same(featurise: Featurise, examples: dict[Format, list[object]]) -> None:
    for kind in FORMATS:
        assert all(same(a, b) for a, b in zip(featurise(kind), featurise(kind), strict=True))
