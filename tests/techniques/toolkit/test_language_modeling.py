from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from bench_lib.techniques.interface.context import Output
from bench_lib.techniques.toolkit.language_modeling import LanguageModel, Masking, NewWordHead

MASK, VOCABULARY = 3, 1000


def masking(share=0.15, seed=0):
    return Masking(share, MASK, VOCABULARY, np.random.default_rng(seed))


@given(st.lists(st.booleans(), min_size=1, max_size=80), st.floats(0.01, 1.0), st.integers(0, 99))
def test_a_share_of_the_words_is_to_be_told_and_nothing_else_is_changed(special, share, seed):
    special = np.array([*special, False])
    ids = np.arange(len(special)) + 10
    read, told = masking(share, seed)(ids, special)
    assert told.sum() == max(1, round(share * (~special).sum()))
    assert not (told & special).any()
    assert (read == ids)[~told].all()
    assert (ids == np.arange(len(special)) + 10).all(), "the sequence itself is left alone"


def test_of_ten_words_eight_are_masked_one_is_another_one_stays():
    ids, special = np.full(40_000, 7), np.zeros(40_000, dtype=bool)
    read, told = masking(0.5)(ids, special)
    assert told.sum() == 20_000
    assert (read[told] == MASK).mean() == pytest.approx(0.8, abs=0.01)
    assert (read[told] == 7).mean() == pytest.approx(0.1, abs=0.01)
    others = read[told & (read != MASK) & (read != 7)]
    assert len(others) / 20_000 == pytest.approx(0.1, abs=0.01)
    assert others.min() < 0.02 * VOCABULARY
    assert 0.98 * VOCABULARY < others.max() < VOCABULARY


def test_every_reading_hides_other_words_and_a_seed_repeats_them():
    ids, special = np.arange(100), np.zeros(100, dtype=bool)
    mask, again = masking(), masking()
    first, second = mask(ids, special), mask(ids, special)
    assert (first[1] != second[1]).any()
    for (read, told), (other, places) in zip((first, second), (again(ids, special), again(ids, special)), strict=True):
        assert (read == other).all()
        assert (told == places).all()


def test_a_new_head_tells_words_by_their_embeddings(toy):
    """Three ids of width 2 and no state but (1, 0): logits are the first column and the bias, by hand."""
    body = nn.Module()
    body.get_input_embeddings = lambda: embeddings
    embeddings = nn.Embedding.from_pretrained(torch.tensor([[0.0, 5.0], [math.log(2), 1.0], [0.0, 7.0]]), freeze=False)
    toy.model.body = body
    toy.model.config = None
    head = NewWordHead(toy, toy.generator("init", "tapt"))
    head.transform = nn.Identity()
    model = LanguageModel(toy, head)
    states = torch.tensor([[1.0, 0.0], [1.0, 0.0]], requires_grad=True)
    output = Output((states,), (torch.tensor([1, 0]),), torch.ones(1, 2, dtype=torch.bool))
    # p = (1, 2, 1) / 4: the losses are log 2 and log 4.
    loss = model.loss(output)
    assert loss.item() == pytest.approx((math.log(2) + math.log(4)) / 2)
    loss.backward()
    # dlogits = (p - onehot) / 2, summed over both rows: (1/4 - 1/2 + 1/4 - 0, ...) for the three words.
    rows = torch.tensor([[0.25 - 1, 0.5, 0.25], [0.25, 0.5 - 1, 0.25]]) / 2
    torch.testing.assert_close(embeddings.weight.grad[:, 0], rows.sum(0))
    torch.testing.assert_close(head.bias.grad, rows.sum(0))


def test_the_model_has_the_body_of_the_run_and_a_new_head_is_drawn_from_the_generator(train):
    training = train("sst2", train_examples=8, eval_examples=4).training
    one, two = (LanguageModel(training, NewWordHead(training, torch.Generator().manual_seed(1))) for _ in range(2))
    shared = {id(p) for n, p in training.model.named_parameters() if n.startswith("bert.")}
    assert shared == {id(p) for n, p in one.named_parameters() if n.startswith("bert.")}
    head = {n: p for n, p in one.named_parameters() if not n.startswith("bert.")}
    assert {n: tuple(p.shape) for n, p in head.items()} == {
        "word_head.bias": (30522,),
        "word_head.transform.0.weight": (32, 32),
        "word_head.transform.0.bias": (32,),
        "word_head.transform.2.weight": (32,),
        "word_head.transform.2.bias": (32,),
    }
    assert all(torch.equal(p, dict(two.named_parameters())[n]) for n, p in head.items())
    assert 0.015 < head["word_head.transform.0.weight"].std() < 0.025
