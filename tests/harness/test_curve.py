from __future__ import annotations

import math

import pytest
import torch

from bench_lib.errors import Diverged
from bench_lib.harness.curve import FLUSH_STEPS, Curve


def add(curve: Curve, *losses: float) -> None:
    for number, loss in enumerate(losses):
        curve.add(torch.tensor(loss), number / 8, torch.tensor(2.0 * number))


def steady(steps: int) -> list[float]:
    return [1.0] * steps


def test_every_step_is_kept_in_order() -> None:
    curve = Curve()
    add(curve, *range(25))
    curve.flush()
    assert curve.loss == list(map(float, range(25)))
    assert curve.learning_rate == [number / 8 for number in range(25)]
    assert curve.grad_norm == [2.0 * number for number in range(25)]


def test_values_are_read_in_stretches() -> None:
    curve = Curve()
    add(curve, *steady(FLUSH_STEPS - 1))
    assert curve.loss == curve.learning_rate == curve.grad_norm == []
    add(curve, 1.0)
    assert len(curve.loss) == len(curve.learning_rate) == len(curve.grad_norm) == FLUSH_STEPS


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "step", [1, 2, FLUSH_STEPS - 1, FLUSH_STEPS, FLUSH_STEPS + 1, 2 * FLUSH_STEPS, 2 * FLUSH_STEPS + 3]
)
def test_a_divergence_is_found_at_its_step_where_the_curve_ends(bad: float, step: int) -> None:
    curve = Curve()
    with pytest.raises(Diverged) as caught:
        # What follows is finite again, as after a skipped update, or not: the first is what counts.
        add(curve, *steady(step - 1), bad, 1.0, math.nan, *steady(FLUSH_STEPS))
    assert caught.value.step == step
    assert curve.loss[:-1] == steady(step - 1)
    assert not math.isfinite(curve.loss[-1])
    assert len(curve.loss) == len(curve.learning_rate) == len(curve.grad_norm) == step


def test_a_divergence_is_found_at_the_end_of_a_stretch() -> None:
    curve = Curve()
    add(curve, 1.0, math.nan, 1.0)
    with pytest.raises(Diverged) as caught:
        curve.flush()
    assert caught.value.step == 2
    curve.flush()
    assert len(curve.loss) == 2


def test_an_infinite_gradient_is_no_divergence() -> None:
    # Under fp16 it is a step that the scaler skips.
    curve = Curve()
    curve.add(torch.tensor(1.0), 0.1, torch.tensor(math.inf))
    curve.flush()
    assert curve.grad_norm == [math.inf]


def test_a_curve_holds_on_to_no_graph() -> None:
    weight = torch.ones((), requires_grad=True)
    curve = Curve()
    curve.add(weight * 2, 0.1, weight * 3)
    assert not any(tensor.requires_grad for loss, _, norm in curve._pending for tensor in (loss, norm))


def test_nothing_to_read_is_fine() -> None:
    Curve().flush()
