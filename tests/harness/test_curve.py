from __future__ import annotations

import math

import pytest
import torch

from bench_lib.core.errors import Diverged
from bench_lib.harness.curve import FLUSH_STEPS, Curve
from bench_lib.harness.gradients import Norms


def norms(whole: float, clipped: bool = False, usable: bool = True) -> Norms:
    whole, first, last = torch.tensor([whole, whole / 2, whole / 4])
    return Norms(whole, first, last, torch.tensor(clipped), usable)


def add(curve: Curve, *losses: float) -> None:
    for number, loss in enumerate(losses):
        curve.add(torch.tensor(loss), number / 8, norms(2.0 * number))


def steady(steps: int) -> list[float]:
    return [1.0] * steps


def test_every_step_is_kept_in_order() -> None:
    curve = Curve()
    add(curve, *range(25))
    curve.flush()
    assert curve.loss == list(map(float, range(25)))
    assert curve.learning_rate == [number / 8 for number in range(25)]
    assert curve.grad_norm == [2.0 * number for number in range(25)]
    assert curve.grad_norm_first == [1.0 * number for number in range(25)]
    assert curve.grad_norm_last == [0.5 * number for number in range(25)]


def test_a_step_that_was_skipped_was_not_clipped() -> None:
    curve = Curve()
    for clipped, usable in ((True, True), (True, False), (False, True), (False, False)):
        curve.add(torch.tensor(1.0), 0.0, norms(1.0, clipped, usable))
    curve.flush()
    assert curve.clipped == [True, False, False, False]
    assert curve.skipped == [False, True, False, True]


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
    # It is a step that is skipped.
    curve = Curve()
    curve.add(torch.tensor(1.0), 0.1, norms(math.inf, usable=False))
    curve.flush()
    assert curve.grad_norm == [math.inf]


def test_a_curve_holds_on_to_no_graph() -> None:
    weight = torch.ones((), requires_grad=True)
    curve = Curve()
    curve.add(weight * 2, 0.1, norms(3.0))
    assert not any(loss.requires_grad for loss, _, _ in curve._pending)


def test_nothing_to_read_is_fine() -> None:
    Curve().flush()
