from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import IGNORED, Feature
from bench_lib.harness.formats.multi_label_classification import present
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import MULTI_LABEL_CLASSIFICATION
from bench_lib.techniques.interface.context import Training

CPU = torch.device("cpu")


def test_sets_of_a_batch_are_filled_up(featurise: Callable[..., list[Feature]]) -> None:
    batch = collate(featurise(MULTI_LABEL_CLASSIFICATION), MULTI_LABEL_CLASSIFICATION, 0, CPU)
    filled = [[1, 17, IGNORED], [27, IGNORED, IGNORED], [0, 15, 26], [IGNORED] * 3]
    assert (batch.targets.tolist(), batch.counted) == (filled, 4)
    empty = collate(featurise(MULTI_LABEL_CLASSIFICATION)[3:], MULTI_LABEL_CLASSIFICATION, 0, CPU)
    assert empty.targets.shape == (1, 0)


def test_every_label_is_present_or_absent() -> None:
    sets = torch.tensor([[0, 2], [1, IGNORED], [IGNORED, IGNORED]])
    assert present(sets, 3).tolist() == [[1, 0, 1], [0, 1, 0], [0, 0, 0]]
    assert present(torch.zeros(1, 0, dtype=torch.int64), 2).tolist() == [[0, 0]]


def test_a_row_is_a_label_of_a_text(prepare: Callable[..., Training], featurise: Callable[..., list[Feature]]) -> None:
    task_format = MULTI_LABEL_CLASSIFICATION
    training, batch = prepare(task_format), collate(featurise(task_format), task_format, 0, CPU)
    step = MicroStep(training, batch, 0, 1.0, Passes(), torch.amp.GradScaler("cpu", enabled=False))
    (rows,), (targets,) = step.forward().logits, step.forward().targets
    logits = training.model(**batch.inputs).logits
    torch.testing.assert_close(rows.softmax(-1)[:, 1].view(4, 28), logits.sigmoid())
    assert targets.view(4, 28).sum(1).tolist() == [2, 1, 3, 0]


def test_predictions_are_logits_of_all_labels(evaluation: Callable[..., Evaluation]) -> None:
    built, labels = evaluation(MULTI_LABEL_CLASSIFICATION), TASKS.get("go_emotions").labels
    outputs = [np.full(28, -1.0, dtype=np.float32) for _ in built.examples]
    outputs[2][[3, 9]] = 0.5
    found = torch_half(MULTI_LABEL_CLASSIFICATION).decode(built.examples, built.features, outputs, labels)
    assert found.values.shape == (4, 28)
    assert MULTI_LABEL_CLASSIFICATION.answers(built.examples, found) == [(), (), (3, 9), ()]
