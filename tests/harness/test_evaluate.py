from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext

import numpy as np
import pytest
import torch

from bench_lib.core.record import Predictions
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.evaluate import evaluate
from bench_lib.harness.formats.features import Feature
from bench_lib.models.interventions import weights_replaced
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, TEXT_CLASSIFICATION, Format, TagExample
from bench_lib.tasks.scoring.metrics import score
from bench_lib.techniques.interface.context import Committee, Training

Featurise = Callable[..., list[Feature]]
Prepare = Callable[..., Training]


# ---- a whole evaluation ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_stored_predictions_score_as_they_did(
    prepare: Prepare, evaluation: Callable[..., Evaluation], task_format: Format
) -> None:
    task, built = TASKS.get(task_format.sample_task), evaluation(task_format)
    scored = evaluate(prepare(task_format), task, built, 0)
    assert tuple(scored.metrics) == task.metrics
    assert scored.predictions.values.dtype == np.float32
    rows = sum(len(e.words) for e in built.examples if isinstance(e, TagExample)) or len(built.examples)
    assert scored.predictions.values.shape == (rows, {"squad": 3, "stsb": 1}.get(task.name, len(task.labels)))
    references = [example.reference for example in built.examples]
    assert score(task, task_format.answers(built.examples, scored.predictions), references) == scored.metrics


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_evaluation_is_without_dropout_and_leaves_the_model_as_it_was(
    prepare: Prepare, evaluation: Callable[..., Evaluation], task_format: Format
) -> None:
    training = prepare(task_format, dropout=0.5)
    before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    torch.manual_seed(0)
    state = torch.get_rng_state()
    one, other = (evaluate(training, TASKS.get(task_format.sample_task), evaluation(task_format), 0) for _ in range(2))
    assert np.array_equal(one.predictions.values, other.predictions.values)
    assert torch.equal(torch.get_rng_state(), state)
    assert training.model.training
    assert all(torch.equal(before[name], p) for name, p in training.model.named_parameters())
    assert all(p.grad is None for p in training.model.parameters())


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_predictions_come_in_the_examples_order_whatever_the_batches(
    prepare: Prepare, evaluation: Callable[..., Evaluation], task_format: Format
) -> None:
    task, built = TASKS.get(task_format.sample_task), evaluation(task_format)
    alone, together = (evaluate(prepare(task_format, eval_batch_size=size), task, built, 0) for size in (1, 3))
    np.testing.assert_allclose(alone.predictions.values, together.predictions.values, rtol=1e-4, atol=1e-5)
    # The rows differ from one another, so that a wrong order would be seen.
    assert len(np.unique(alone.predictions.values[:, -1])) > 1


# ---- several states that predict as one ------------------------------------------------------------------------------


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_each_member_predicts_with_its_own_weights_and_all_are_combined(
    evaluation: Callable[..., Evaluation], prepare: Prepare, task_format: Format, precision: str
) -> None:
    training, task, built = (
        prepare(task_format, precision=precision),
        TASKS.get(task_format.sample_task),
        evaluation(task_format),
    )
    parameters = list(training.model.parameters())
    others = [p.detach() * 3 for p in parameters]
    before = [p.detach().clone() for p in parameters]
    alone = evaluate(training, task, built, 0).predictions
    with weights_replaced(parameters, others):
        other = evaluate(training, task, built, 0).predictions
    seen: list[Sequence[Predictions]] = []

    def combine(predictions: Sequence[Predictions]) -> Predictions:
        seen.append(predictions)
        return predictions[1]

    committee = Committee((nullcontext, lambda: weights_replaced(parameters, others)), combine)
    with training.predicting_as(committee):
        found = [evaluate(training, task, built, 0) for _ in range(2)]
    assert not np.array_equal(alone.values, other.values)
    for members, result in zip(seen, found, strict=True):
        assert [np.array_equal(m.values, v.values) for m, v in zip(members, (alone, other), strict=True)] == [True] * 2
        assert np.array_equal(result.predictions.values, other.values)
    assert found[0].metrics == found[1].metrics
    assert all(torch.equal(p, b) for p, b in zip(parameters, before, strict=True))
    assert training.committee is None


def test_a_committee_that_raises_is_undone(prepare: Prepare) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    with pytest.raises(KeyError), training.predicting_as(Committee((), lambda predictions: predictions[0])):
        raise KeyError
    assert training.committee is None
