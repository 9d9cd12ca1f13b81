"""What a technique changes is measured beside the baseline, and beside what rounding alone changes."""

from __future__ import annotations

import numpy as np
import pytest

from bench_lib.core.record import Predictions, RunRecord
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.effect_measurement import ROUNDED, Bench, compared, reference

SMALL = Bench("tiny", "sst2", "smoke", 16, 8, 2)
START = {"body": np.zeros(2, np.float32)}


def record(*body: float, **changes: object) -> RunRecord:
    """A run that ended with these weights, and with predictions of which the standard deviation is 2."""
    base = RunRecord.of(
        {
            "run_id": "r",
            "training_id": "t",
            "task": "sst2",
            "technique": "adamw",
            "model": "m",
            "profile": "p",
            "data_source": "d",
            "seed": 0,
            "spec": "",
            "status": "converged",
            "steps": 4,
            "parameters": 10,
            "trainable_parameters": 10,
            "forward_passes": 4,
            "backward_passes": 4,
            "drift": (0.1, 0.2),
            "saved_bytes": 100,
            "predictions": Predictions(np.array([[2.0], [-2.0]], np.float32)),
            "weights": {"body": np.array(body, np.float32), "head": np.ones(1, np.float32)},
        },
    )
    return base.changed(changes)


def test_quantities_by_hand():
    base = record(3.0, 4.0)
    run = record(
        3.0,
        2.0,
        steps=6,
        forward_passes=8,
        trainable_parameters=5,
        saved_bytes=25,
        drift=(0.05, 0.3),
        predictions=Predictions(np.array([[3.0], [-2.0]], np.float32)),
    )
    effect = compared(run, base, START)
    assert (effect.trained, effect.steps, effect.passes, effect.saved) == (0.5, 1.5, 1.5, 0.25)
    assert effect.moved == pytest.approx((0.5 + 1.5) / 2)
    assert effect.uneven == pytest.approx(0.5)
    assert effect.apart == pytest.approx(2 / 5)
    assert effect.answers == pytest.approx((1 / 2) ** 0.5 / 2)


def test_what_cannot_be_told_is_none():
    base = record(3.0, 4.0)
    wrapped = record(drift=(), weights={"wrapped.body": np.zeros(2, np.float32)}, predictions=None)
    effect = compared(wrapped, base, START)
    assert (effect.moved, effect.uneven, effect.apart, effect.answers) == (None, None, None, None)


def test_the_baseline_changes_nothing_and_rounding_next_to_nothing():
    known = reference(SMALL)
    assert len(known.rounding) == len(ROUNDED)
    same = compared(SMALL.run(parse_stack("adamw", TECHNIQUES)), known.base, known.start)
    assert (same.apart, same.answers, same.uneven) == (0.0, 0.0, 0.0)
    assert all(0 < effect.apart < 1e-3 for effect in known.rounding if effect.apart is not None)
    assert not any(effect.acts(known.rounding) for effect in known.rounding)


@pytest.mark.parametrize(
    "name", ["llrd", "fgm", "lora", "ema", "freeze_bottom", "quantize_dynamic_int8", "longer:epochs=4"]
)
def test_techniques_of_every_kind_are_seen_to_act(name):
    known = reference(SMALL)
    run = SMALL.run(parse_stack(name, TECHNIQUES))
    assert compared(run, known.base, known.start).acts(known.rounding)


@pytest.mark.exhaustive
def test_a_pull_that_is_lost_in_rounding_is_not():
    """In the precision and at the rates of fine-tuning, with real weights."""
    bench = Bench(train_examples=16, eval_examples=4, epochs=1)
    known = reference(bench)
    weak, strong = (
        compared(bench.run(parse_stack(f"wd_pre:strength={s}", TECHNIQUES)), known.base, known.start)
        for s in (1e-3, 500.0)
    )
    assert not weak.acts(known.rounding)
    assert strong.acts(known.rounding)
