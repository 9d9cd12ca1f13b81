from __future__ import annotations

import dataclasses

import pytest

from bench_lib.harness.datasets import Subset, data_key, evaluation_set, train_features
from bench_lib.runner import forecast as module
from bench_lib.runner.forecast import LENGTH, SETUP, TEXTS, Speed, forecast, speed
from bench_lib.runner.resolved import spec_data

STEP, EVALUATION = 3.0, 0.5


@pytest.fixture
def known(monkeypatch):
    monkeypatch.setattr(module, "speed", lambda *_: Speed(STEP, EVALUATION))


def tokens(spec):
    """Of one epoch and of one evaluation."""
    key = data_key(spec_data(spec), spec.model, spec.profile)
    parts = train_features(key, Subset.of(spec.profile, 0)), evaluation_set(key, spec.profile.eval_examples).features
    return [sum(map(len, part)) for part in parts]


@pytest.mark.usefixtures("known")
@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_tokens_are_counted_in_steps(make_spec, task):
    spec = make_spec(task, epochs=3, evaluations=2)
    read, evaluated = tokens(spec)
    expected = SETUP + (3 * read * STEP + 2 * evaluated * EVALUATION) / (TEXTS * LENGTH)
    assert forecast([spec]) == pytest.approx(expected)


@pytest.mark.usefixtures("known")
def test_further_passes_take_their_share(make_spec):
    plain, twice, forward = (forecast([make_spec("sst2", name)]) for name in ("adamw", "sam", "r_drop"))
    read = tokens(make_spec("sst2"))[0] / (TEXTS * LENGTH) * STEP
    assert twice - plain == pytest.approx(read)
    assert forward - plain == pytest.approx(read / 3)


@pytest.mark.usefixtures("known")
def test_passes_of_some_steps_take_their_share(make_spec):
    plain, some = (forecast([make_spec("sst2", name)]) for name in ("adamw", "deni:members=3"))
    # Two further passes in three steps of ten.
    assert some - plain == pytest.approx(0.6 * tokens(make_spec("sst2"))[0] / (TEXTS * LENGTH) * STEP)


@pytest.mark.usefixtures("known")
def test_observers_ride_along_and_pools_and_what_is_declined_take_nothing(make_spec):
    alone = make_spec("sst2")
    assert forecast([alone, make_spec("sst2", "ema"), make_spec("sst2", "ensemble")]) == forecast([alone])
    assert forecast([make_spec("squad", "mixup")]) == 0
    assert forecast([alone, dataclasses.replace(alone, seed=1)]) == pytest.approx(2 * forecast([alone]))


@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_the_speed_of_a_model_is_tried(make_spec, precision):
    found = speed(make_spec("sst2").model, precision)
    assert found.evaluation > 0
    assert found.step > 0
    assert speed(make_spec("sst2").model, precision) is found
