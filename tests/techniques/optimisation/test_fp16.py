from __future__ import annotations

import pytest
import torch

from bench_lib.core.spec import Profile
from bench_lib.techniques.optimisation.fp16 import FP16


def test_only_the_precision_changes():
    for precision in ("fp32", "bf16", "fp16"):
        assert FP16().configure(Profile(precision=precision)) == Profile(precision="fp16")


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_it_is_the_profile_in_that_precision(train, task):
    chosen, told = train(task, "fp16", eval_examples=8), train(task, precision="fp16", eval_examples=8)
    assert chosen.record.curve.loss == told.record.curve.loss
    assert chosen.record.predictions.values.tobytes() == told.record.predictions.values.tobytes()
    assert all(torch.equal(p, told.parameters[name]) for name, p in chosen.parameters.items())


def test_weights_stay_in_fp32_and_the_loss_is_recorded_unscaled(train):
    usual, low = train("sst2", eval_examples=4), train("sst2", "fp16", eval_examples=4)
    assert {p.dtype for p in low.parameters.values()} == {torch.float32}
    assert low.record.curve.loss[0] != usual.record.curve.loss[0]
    assert low.record.curve.loss[0] == pytest.approx(usual.record.curve.loss[0], rel=0.02)
