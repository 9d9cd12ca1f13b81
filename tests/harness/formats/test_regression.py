from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.tasks.formats import REGRESSION, NumberExample
from bench_lib.techniques.interface.context import Training

CPU = torch.device("cpu")


def test_a_number_is_the_target_of_a_text_or_a_pair(featurise: Callable[..., list[Feature]]) -> None:
    pair, text = featurise(REGRESSION, [NumberExample("It rained.", 1.25, "It was wet."), NumberExample("dull", -3)])
    assert pair.token_types is not None
    assert pair.token_types.tolist() == [0] * 5 + [1] * 5
    batch = collate([pair, text], REGRESSION, 0, CPU)
    assert (batch.targets.tolist(), batch.targets.dtype, batch.counted) == ([1.25, -3.0], torch.float32, 2)


def test_outputs_are_numbers_with_the_squared_error(
    prepare: Callable[..., Training], featurise: Callable[..., list[Feature]]
) -> None:
    training, batch = prepare(REGRESSION), collate(featurise(REGRESSION), REGRESSION, 0, CPU)
    step = MicroStep(training, batch, 0, 1.0, Passes(), torch.amp.GradScaler("cpu", enabled=False))
    output = step.forward()
    (logits,), (targets,) = output.logits, output.targets
    assert output.numbers
    assert (logits.shape, targets.shape) == ((3, 1), (3,))
    expected = sum((one - other) ** 2 for one, other in zip(logits[:, 0].tolist(), targets.tolist(), strict=True)) / 3
    assert abs(step.loss(output).item() - expected) < 1e-5


def test_predictions_are_the_outputs(evaluation: Callable[..., Evaluation]) -> None:
    built = evaluation(REGRESSION)
    outputs = [np.array([value], dtype=np.float32) for value in (4.5, 0.25, 2.0)]
    found = torch_half(REGRESSION).decode(built.examples, built.features, outputs, ())
    assert found.values.shape == (3, 1)
    assert REGRESSION.answers(built.examples, found) == [4.5, 0.25, 2.0]
