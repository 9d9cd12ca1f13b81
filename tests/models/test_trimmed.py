"""Trimmed word embeddings: the outputs and gradients of the whole matrix, and another token is refused."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.architecture import word_embeddings
from bench_lib.models.trimmed import Trimmed, TrimmedEmbedding, trim, untrimmable

VOCABULARY, WIDTH = 12, 4


class Worded(nn.Module):
    """Words, a layer over them, and what else a test needs."""

    def __init__(self, words: nn.Module) -> None:
        super().__init__()
        self.words, self.layer = words, nn.Linear(WIDTH, 1)

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(self, ids: Tensor) -> Tensor:
        found: Tensor = self.layer(self.words(ids))
        return found


def worded(padding: int | None = None) -> Worded:
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return Worded(nn.Embedding(VOCABULARY, WIDTH, padding_idx=padding))


def trimmed(model: Worded, tokens: list[int]) -> Trimmed:
    whole = model.words.get_parameter("weight").detach().clone()
    name, kept = trim(model, tokens)
    return Trimmed(name, kept, whole)


@given(st.lists(st.integers(0, VOCABULARY - 1), min_size=1), st.sampled_from([None, 0, 5]), st.data())
def test_outputs_and_gradients_are_those_of_the_whole_matrix(tokens: list[int], pad: int | None, data: Any) -> None:
    model, other = worded(pad), worded(pad)
    found = trimmed(other, tokens)
    ids = torch.tensor(data.draw(st.lists(st.sampled_from(found.kept.tolist()), min_size=1)))
    assert torch.equal(model(ids), other(ids))
    model(ids).square().sum().backward()
    other(ids).square().sum().backward()
    whole, rows = (m.words.get_parameter("weight").grad for m in (model, other))
    assert torch.equal(whole[found.kept], rows)
    assert rows.shape == (len({*tokens} | ({pad} if pad is not None else set())), WIDTH)
    assert int(whole.count_nonzero()) == int(rows.count_nonzero())


def test_another_token_is_refused_by_its_number() -> None:
    model = worded()
    trim(model, [1, 4])
    assert model(torch.tensor([[4, 1]])).shape == (1, 2, 1)
    with pytest.raises(Unsupported, match=r"token 3 is none of the 2 .* \(2 such tokens in this batch\); set trim_voc"):
        model(torch.tensor([[4, 3], [7, 7]]))
    trim(other := worded(), [VOCABULARY - 1])
    with pytest.raises(Unsupported, match="token -1 is none of the 1 "):
        other(torch.tensor([[-1]]))


def test_a_frozen_matrix_stays_frozen_and_the_mode_stays() -> None:
    model = worded().eval()
    model.words.get_parameter("weight").requires_grad_(False)
    trim(model, [1, 4])
    assert not model.words.get_parameter("weight").requires_grad
    assert not model.words.training


def test_weights_are_filled_by_what_was_pretrained() -> None:
    model = worded()
    found = trimmed(model, [7, 2])
    with torch.no_grad():
        model.words.get_parameter("weight").fill_(5.0)
    weights = dict(model.named_parameters())
    for name, filled in (("words.weight", found.filled(weights)), ("a.words.weight", found.filled(prefixed(weights)))):
        assert [*filled] == [name.replace("words.weight", own) for own in weights]
        assert filled[name][found.kept].eq(5.0).all()
        left = [token for token in range(VOCABULARY) if token not in (2, 7)]
        assert torch.equal(filled[name][left], found.whole[left])
    assert found.whole[2].ne(5.0).all()


def prefixed(weights: dict[str, nn.Parameter]) -> dict[str, nn.Parameter]:
    return {f"a.{name}": value for name, value in weights.items()}


@pytest.mark.parametrize("pad", [None, 2])
def test_a_restored_model_reads_every_token(pad: int | None) -> None:
    model, whole = worded(pad).eval(), worded(pad).eval()
    found = trimmed(model, [7, 2])
    found.restore(model)
    assert type(model.words) is nn.Embedding
    assert model.words.padding_idx == pad
    assert not model.words.training
    ids = torch.arange(VOCABULARY)
    assert torch.equal(model(ids), whole(ids))


def test_what_is_left_out_is_measured() -> None:
    found = trimmed(worded(), [7, 2])
    others = [token for token in range(VOCABULARY) if token not in (2, 7)]
    assert float(found.left_out()) == pytest.approx(float(found.whole[others].square().sum()))
    assert torch.equal(found.lengths, found.whole.norm(dim=1))


def test_a_module_in_two_places_is_replaced_in_both() -> None:
    model = worded()
    model.again = model.words
    with pytest.raises(Unsupported, match=r"its word embeddings are also again\.weight, which may read all"):
        trim(model, [1])


class Scaled(nn.Embedding):
    """As Gemma's."""


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (Scaled(VOCABULARY, WIDTH), "its word embeddings are a Scaled, which may do more than look up rows"),
        (nn.Embedding(VOCABULARY, WIDTH, max_norm=1.0), "they are rescaled"),
        (nn.Embedding(VOCABULARY, WIDTH, scale_grad_by_freq=True), "gradients of another kind"),
        (nn.Embedding(VOCABULARY, WIDTH, sparse=True), "gradients of another kind"),
    ],
)
def test_what_does_more_than_look_up_rows_is_refused(words: nn.Module, reason: str) -> None:
    model = Worded(words)
    assert reason in untrimmable(model)
    with pytest.raises(Unsupported, match=reason):
        trim(model, [1])


def test_tied_words_are_refused() -> None:
    model = worded()
    model.head = nn.Linear(WIDTH, VOCABULARY, bias=False)
    model.head.weight = model.words.weight
    assert untrimmable(model) == "its word embeddings are also head.weight, which may read all of their rows"


def test_every_family_computes_the_same_bits_or_says_why_not(families: Any) -> None:
    refused = {}
    for name in sys.modules[type(families).__module__].ALL:
        model = families.model(name).eval()
        if reason := untrimmable(model):
            refused[name] = reason
            continue
        words = word_embeddings(model).get_parameter("weight")
        ids = torch.arange(6, 18).remainder(len(words))[None]
        with torch.no_grad():
            before = logits(model, ids)
            trim(model, ids.flatten().tolist())
            after = logits(model, ids)
        assert isinstance(word_embeddings(model), TrimmedEmbedding), name
        assert torch.equal(before, after), name
    assert refused.keys() == {"gemma", "gemma3", "bart", "t5"}
    assert "its word embeddings are also " in refused.pop("t5")
    assert all("ScaledWordEmbedding, which may do more than look up rows" in reason for reason in refused.values())


def logits(model: nn.Module, ids: Tensor) -> Tensor:
    output: SimpleNamespace = model(input_ids=ids, attention_mask=torch.ones_like(ids))
    found: Tensor = output.logits
    return found
