from __future__ import annotations

import dataclasses
import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.models.interventions import block_inputs_changed
from bench_lib.techniques.adversarial.hype import HyPe
from bench_lib.techniques.toolkit.dropout_rates import dropout_places, need_dropout


def added(step, technique):
    """What each block is given beyond what the part below gives out, and the text of the batch."""
    model, given, taken = step.training.model, [], []
    blocks = [*model.get_submodule("bert.encoder.layer").children()]
    for part in (model.get_submodule("bert.embeddings"), *blocks[:-1]):
        part.register_forward_hook(lambda _m, _i, out: given.append(out[0] if isinstance(out, tuple) else out))
    for block in blocks:
        # Within the block, since what is set before the noise's own hook sees its inputs without the noise.
        block.attention.register_forward_pre_hook(lambda _m, inputs: taken.append(inputs[0].detach()))
    technique.backward(step)
    assert len(given) == len(taken) == len(blocks) > 1
    return [(t - g).detach() for t, g in zip(taken, given, strict=True)], step.batch.inputs["attention_mask"].bool()


@pytest.mark.parametrize("normal", [False, True])
@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_every_block_gets_its_own_noise_by_hand(micro_step, task, normal):
    step = micro_step(task)
    noises, text = added(step, HyPe(epsilon=0.25, normal=normal))
    generator = step.training.generator("dropout", "hype", step.training.step, step.number)
    for noise in noises:
        draws = torch.empty(noise.shape)
        draws = draws.normal_(0, 0.25, generator=generator) if normal else draws.uniform_(0, 0.25, generator=generator)
        torch.testing.assert_close(noise, draws * text[..., None], atol=1e-5, rtol=1e-5)
        assert torch.equal(noise.abs().amax(-1) > 0, text), "all tokens but padding"
    assert (text & ~step.real_tokens).any()
    assert (~text).any()


def test_uniform_noise_is_above_zero_and_normal_noise_has_both_signs(micro_step):
    noises, text = added(micro_step("sst2"), HyPe(epsilon=0.25))
    values = torch.cat([noise[text].flatten() for noise in noises])
    assert values.min().item() > -1e-5
    assert values.max().item() <= 0.25 + 1e-5
    assert values.mean().item() == pytest.approx(0.125, rel=0.05)
    assert values.std().item() == pytest.approx(0.25 / math.sqrt(12), rel=0.05)
    noises, text = added(micro_step("sst2"), HyPe(epsilon=0.25, normal=True))
    values = torch.cat([noise[text].flatten() for noise in noises])
    assert values.mean().item() == pytest.approx(0, abs=0.02)
    assert values.std().item() == pytest.approx(0.25, rel=0.05)


def test_nearly_all_of_the_published_noise_survives_in_a_profile_of_bf16(micro_step):
    step = micro_step("sst2")
    step.training.profile = dataclasses.replace(step.training.profile, precision="bf16")
    noises, text = added(step, HyPe())
    changed = [(noise[text] != 0).float().mean().item() for noise in noises]
    assert min(changed) > 0.9, changed


def test_one_block_by_hand():
    """Embeddings e, then two blocks of 2 x: 2 (2 (e + 1) + 1) for an addition of 1 before each; 4 e on padding."""

    class Twice(nn.Module):
        def forward(self, hidden):
            return (2 * hidden, "attention")

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.embeddings, self.layer = nn.Identity(), nn.ModuleList([Twice(), Twice()])

        def forward(self, hidden, attention_mask):
            hidden = self.embeddings(hidden)
            for block in self.layer:
                hidden, _ = block(hidden)
            return hidden

    model, architecture = Model(), SimpleNamespace(embeddings="embeddings", block_list="layer")
    hidden, mask = torch.tensor([[[3.0], [5.0]]]), torch.tensor([[1, 0]])
    with block_inputs_changed(model, architecture, lambda h, text: h + text[..., None]):
        assert model(hidden, attention_mask=mask).tolist() == [[[18.0], [20.0]]]
    assert model(hidden, attention_mask=mask).tolist() == [[[12.0], [20.0]]]


@pytest.mark.parametrize(("stack", "hidden"), [("hype", 0.0), ("hype:dropout=None", 0.2), ("hype:dropout=0.3", 0.3)])
def test_the_noise_stands_in_place_of_dropout_on_hidden_states_alone(train, stack, hidden):
    training = train("sst2", stack, train_examples=8, eval_examples=4, dropout=0.2).training
    rates = {(place, site.rate) for site, place in dropout_places(training)}
    assert rates == {("hidden", hidden), ("head", hidden), ("attention", 0.2)}


def test_what_needs_dropout_hears_that_none_is_left(train):
    training = train("sst2", "hype", train_examples=8, eval_examples=4).training
    need_dropout(training, "other")  # attention still drops out
    for site, _ in dropout_places(training):
        site.set(0.0)
    with pytest.raises(Unsupported, match="other compares two passes with dropout"):
        HyPe().prepare(training)


def test_it_declares_its_passes():
    assert HyPe().passes() == HyPe(epsilon=0.0).passes() == (1, 1)
