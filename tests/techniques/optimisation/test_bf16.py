from __future__ import annotations

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.optimisation.bf16 import BF16

FEW = {"train_examples": 16, "eval_examples": 8}


def test_only_the_precision_changes():
    for precision in ("fp32", "bf16", "fp16"):
        assert BF16().configure(Profile(precision=precision)) == Profile(precision="bf16")


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_it_is_the_profile_in_that_precision(train, task):
    chosen, told = train(task, "bf16", **FEW), train(task, precision="bf16", **FEW)
    assert chosen.record.curve.loss == told.record.curve.loss
    assert chosen.record.predictions.values.tobytes() == told.record.predictions.values.tobytes()
    assert all(torch.equal(p, told.parameters[name]) for name, p in chosen.parameters.items())


def test_weights_stay_in_fp32_and_products_do_not(train):
    usual, low = train("sst2", **FEW), train("sst2", "bf16", **FEW)
    assert {p.dtype for p in low.parameters.values()} == {torch.float32}
    assert low.record.curve.loss[0] != usual.record.curve.loss[0]
    assert low.record.curve.loss[0] == pytest.approx(usual.record.curve.loss[0], rel=0.02)
