from __future__ import annotations

import pytest
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.runner.execute import execute
from bench_lib.techniques.optimisation.wise_ft import WiSEFT

FEW = {"train_examples": 8, "eval_examples": 4}


def moved(toy, by=1.0):
    with torch.no_grad():
        for parameter in toy.model.parameters():
            parameter += by
    return {name: p.detach().clone() for name, p in toy.model.named_parameters()}


@pytest.mark.parametrize("alpha", [0.0, 0.25, 0.5, 1.0])
def test_the_body_is_in_between_and_the_head_as_it_was_trained(toy, alpha):
    tuned = moved(toy)
    with WiSEFT(alpha).evaluate_under(toy):
        for name, parameter in toy.model.named_parameters():
            start = toy.pretrained.get(name)
            expected = tuned[name] if start is None else (1 - alpha) * start + alpha * tuned[name]
            torch.testing.assert_close(parameter.detach(), expected)
    assert all(torch.equal(p, tuned[n]) for n, p in toy.model.named_parameters()), "the training goes on from its own"


def test_at_the_ends_it_is_either_to_the_bit(toy):
    tuned = moved(toy, 0.3)
    with WiSEFT(0.0).evaluate_under(toy):
        assert all(torch.equal(p, toy.pretrained.get(n, tuned[n])) for n, p in toy.model.named_parameters())
    with WiSEFT(1.0).evaluate_under(toy):
        assert all(torch.equal(p, tuned[n]) for n, p in toy.model.named_parameters())


def test_what_was_not_loaded_stays_as_trained(toy):
    toy.pretrained = {n: p for n, p in toy.pretrained.items() if "pooler" not in n}
    tuned = moved(toy)
    with WiSEFT().evaluate_under(toy):
        assert torch.equal(toy.model.body.pooler.weight, tuned["body.pooler.weight"])


def test_without_a_body_in_training_there_is_nothing_between(toy):
    for name in toy.pretrained:
        toy.model.get_parameter(name).requires_grad_(False)
    with pytest.raises(Unsupported, match="wise_ft finds no parameter in training that has a pre-trained value"):
        WiSEFT().evaluate_under(toy)


@pytest.mark.parametrize("base", ["linear_probe", "lora"])
def test_a_base_that_it_declines_is_untouched_by_it(make_spec, base):
    alone, *_ = execute([make_spec("sst2", base, **FEW)])
    riding, declined = execute([make_spec("sst2", stack, **FEW) for stack in (base, f"{base}+wise_ft")])
    assert declined.status == "unsupported"
    assert declined.reason.startswith("wise_ft finds no parameter in training")
    assert (riding.status, riding.score, riding.curve.loss) == (alone.status, alone.score, alone.curve.loss)


def test_several_alphas_ride_on_one_training(make_spec):
    stacks = ["adamw", "wise_ft", "wise_ft:alpha=0.1"]
    base, half, less = execute([make_spec("sst2", stack, learning_rate=0.01, **FEW) for stack in stacks])
    assert half.curve.loss == less.curve.loss == base.curve.loss
    values = [record.predictions.values.tobytes() for record in (base, half, less)]
    assert len(set(values)) == 3
