from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.harness.formats import torch_half
from bench_lib.models import MODELS
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import (
    QUESTION_ANSWERING,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Example,
    SpanExample,
    TagExample,
    TextExample,
)
from bench_lib.tasks.sources.load import load_data
from bench_lib.validation.token_coverage import TokenCoverage, token_coverage

PROFILE = Profile(max_length=16, stride=4)


@pytest.fixture(scope="module")
def tokenizer() -> PreTrainedTokenizerBase:
    return load_tokenizer(resolve("tiny", MODELS))


def test_words_and_tokens_are_counted(tokenizer: PreTrainedTokenizerBase) -> None:
    # By hand: "the movie" 2 words of 1 token; "unfathomably" 1 word of several; "\u1f19" is no sign of the vocabulary.
    pieces = len(tokenizer.tokenize("unfathomably"))
    assert pieces > 1
    found = token_coverage(
        TEXT_CLASSIFICATION,
        [TextExample("the movie unfathomably", 0), TextExample("the \U0001f9ff.", 1)],
        tokenizer,
        PROFILE,
    )
    tokens = 2 + pieces + 3
    assert (found.words, found.whole, found.unknown) == (6, pytest.approx(4 / 6), pytest.approx(1 / tokens))
    assert (found.median, found.longest) == ((4 + pieces + 5) / 2, max(4 + pieces, 5))
    assert (found.cut, found.lost, found.too_long, found.model_length) == (0.0, 0.0, 0, 512)


def test_what_is_beyond_the_length_is_lost(tokenizer: PreTrainedTokenizerBase) -> None:
    rows = [TextExample("a " * 14, 0), TextExample("a " * 20, 0), TextExample("a " * 600, 0), TextExample("", 0)]
    found = token_coverage(TEXT_CLASSIFICATION, rows, tokenizer, PROFILE)
    assert (found.cut, found.lost) == (0.5, pytest.approx((6 + 586) / 634))
    assert (found.too_long, found.longest) == (1, 602)


def test_a_text_without_a_token_has_no_share(tokenizer: PreTrainedTokenizerBase) -> None:
    found = token_coverage(TEXT_CLASSIFICATION, [TextExample(" ", 0)], tokenizer, PROFILE)
    assert np.isnan([found.whole, found.unknown, found.lost]).all()
    assert (found.words, found.longest) == (0, 2)


def test_words_are_those_of_the_task(tokenizer: PreTrainedTokenizerBase) -> None:
    found = token_coverage(
        TOKEN_CLASSIFICATION, [TagExample(("the", "1996-12-06", "in"), (0, 0, 0))], tokenizer, PROFILE
    )
    assert (found.words, found.whole) == (3, pytest.approx(2 / 3))


def test_questions_that_crowd_out_their_context_are_those_that_encoding_refuses(
    tokenizer: PreTrainedTokenizerBase,
) -> None:
    rows = [SpanExample(f"{n}", "a b", "a " * n, ("a",), (0,)) for n in (8, 9)]
    # Three special tokens and a question of 9 leave 4 of 16, which the stride takes up.
    assert token_coverage(QUESTION_ANSWERING, rows, tokenizer, PROFILE).too_long_questions == 1
    assert torch_half(QUESTION_ANSWERING).encode(rows[:1], tokenizer, 16, 4)
    with pytest.raises(Unsupported, match="question '9' has 9 tokens"):
        torch_half(QUESTION_ANSWERING).encode(rows[1:], tokenizer, 16, 4)


def test_a_tokenizer_without_a_limit_has_none(
    tokenizer: PreTrainedTokenizerBase, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tokenizer, "model_max_length", int(1e30))
    found = token_coverage(TEXT_CLASSIFICATION, [TextExample("a " * 600, 0)], tokenizer, PROFILE)
    assert (found.model_length, found.too_long) == (None, 0)


@pytest.mark.parametrize("name", ["sst2", "rte", "conll2003", "squad"])
@pytest.mark.parametrize("length", [16, 24, 48])
def test_what_is_cut_is_what_encoding_cuts(
    name: str, length: int, data_folder: Any, tokenizer: PreTrainedTokenizerBase
) -> None:
    task = TASKS.get(name)
    examples = load_data(task, str(data_folder)).train
    profile = dataclasses.replace(PROFILE, max_length=length, stride=2)
    found = token_coverage(task.format, examples, tokenizer, profile)
    whole, cut = (torch_half(task.format).encode(examples, tokenizer, most, 2) for most in (10_000, length))
    assert found.longest == max(map(len, whole))
    assert found.median == np.median([len(feature) for feature in whole])
    if task.format is QUESTION_ANSWERING:
        windows = [sum(feature.item == item for feature in cut) for item in range(len(examples))]
        assert (found.cut, found.lost) == (np.mean(np.array(windows) > 1), 0.0)
        return
    assert found.cut == np.mean([len(a) > len(b) for a, b in zip(whole, cut, strict=True)])
    content = sum((~feature.special).sum() for feature in whole)
    assert found.lost == pytest.approx(sum(len(a) - len(b) for a, b in zip(whole, cut, strict=True)) / content)
    assert found.cut > 0


def test_texts_that_repeat_count_as_often(tokenizer: PreTrainedTokenizerBase) -> None:
    rows: list[Example] = [TextExample("unfathomably", 0), *[TextExample("film", 0)] * 3]
    found = token_coverage(TEXT_CLASSIFICATION, rows, tokenizer, PROFILE)
    assert isinstance(found, TokenCoverage)
    assert (found.words, found.whole) == (4, 0.75)
