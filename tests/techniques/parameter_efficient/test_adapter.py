from __future__ import annotations

import pytest
import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.parameter_efficient.adapter import Adapter, Bottleneck

FEW = {"train_examples": 8, "eval_examples": 4}
GELU_OF_1 = 0.8411919906  # 0.5 * (1 + tanh(sqrt(2 / pi) * 1.044715))


@pytest.fixture
def bottleneck():
    """Two wide, one unit inside: it reads the first value, and adds twice the unit and its negative."""
    made = Bottleneck(nn.Dropout(0.0), width=2, bottleneck=1, spread=1e-3)
    with torch.no_grad():
        made.down.weight.copy_(torch.tensor([[1.0, 0.0]]))
        made.up.weight.copy_(torch.tensor([[2.0], [-1.0]]))
        made.up.bias.copy_(torch.tensor([0.5, 0.0]))
    return made


def test_the_bottleneck_by_hand(bottleneck):
    out = bottleneck(torch.tensor([[1.0, 3.0]]))
    torch.testing.assert_close(out, torch.tensor([[1.5 + 2 * GELU_OF_1, 3 - GELU_OF_1]]))
    out[0, 0].backward()
    torch.testing.assert_close(bottleneck.up.weight.grad, torch.tensor([[GELU_OF_1], [0.0]]))
    slope = 1.0829640838  # of gelu at 1
    torch.testing.assert_close(bottleneck.down.weight.grad, 2 * slope * torch.tensor([[1.0, 3.0]]))


def test_it_comes_after_the_dropout(bottleneck):
    bottleneck.dropout.p = 1.0
    assert bottleneck(torch.tensor([[1.0, 3.0]])).tolist() == [[0.5, 0.0]]


def places(training):
    return {n: m for n, m in training.model.named_modules() if isinstance(m, Bottleneck)}


def test_two_in_each_block_before_residual_and_norm(train):
    training = train("sst2", "adapter", **FEW).training
    found = places(training)
    ends = [f"bert.encoder.layer.{i}{part}.output.dropout" for i in (0, 1) for part in (".attention", "")]
    assert sorted(found) == sorted(ends)
    states, residual = torch.randn(2, 1, 5, 64, generator=torch.Generator().manual_seed(0))[..., :32]
    output = training.model.eval().get_submodule("bert.encoder.layer.0.attention.output")
    expected = output.LayerNorm(found["bert.encoder.layer.0.attention.output.dropout"](output.dense(states)) + residual)
    assert torch.equal(output(states, residual), expected)


def test_weights_start_small_from_the_seed_and_biases_at_zero(train):
    def drawn(seed):
        training = train("sst2", learning_rate=0.0, seed=seed, **FEW).training
        Adapter(bottleneck=500).prepare(training)
        return [(m.down.weight, m.up.weight, m.down.bias, m.up.bias) for m in places(training).values()]

    first, again, other = drawn(0), drawn(0), drawn(1)
    for (*weights, low, high), same, different in zip(first, again, other, strict=True):
        assert not low.any()
        assert not high.any()
        assert all(w.abs().max() <= 2e-3 for w in weights)
        assert all(
            w.std().item() == pytest.approx(0.8796e-3, rel=0.03) for w in weights
        )  # of a normal cut at 2 spreads
        assert all(
            torch.equal(a, b) and not torch.equal(a, c) for a, b, c in zip(weights, same, different, strict=False)
        )
    assert not torch.equal(first[0][0], first[1][0])


def test_without_its_last_layer_it_is_the_base_model_to_the_bit(train):
    base, training = (train("sst2", stack, learning_rate=0.0, **FEW).training for stack in ("adamw", "adamw"))
    Adapter().prepare(training)
    for part in places(training).values():
        nn.init.zeros_(part.up.weight)
    ids = torch.randint(1000, 2000, (3, 7), generator=torch.Generator().manual_seed(0))
    assert torch.equal(base.model.eval()(ids).logits, training.model.eval()(ids).logits)


def test_a_model_of_another_build_is_refused(toy):
    with pytest.raises(Unsupported, match="finds 0 places in 2 blocks"):
        Adapter().prepare(toy)


def test_it_has_a_rate_of_its_own():
    assert Adapter().configure(Profile()) == Profile(learning_rate=3e-4)
