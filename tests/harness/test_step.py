from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench_lib.harness.batches import collate
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.precision import autocast
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.tasks.formats import (
    FORMATS,
    MULTI_LABEL_CLASSIFICATION,
    QUESTION_ANSWERING,
    REGRESSION,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    Format,
)
from bench_lib.techniques.interface.context import Training

Featurise = Callable[..., list[Feature]]
Prepare = Callable[..., Training]
CPU = torch.device("cpu")


def micro(
    training: Training, batch: Batch, share: float = 1.0, number: int = 0, scale: float | None = None
) -> MicroStep:
    scaler = torch.amp.GradScaler("cpu", init_scale=scale or 1.0, enabled=scale is not None)
    return MicroStep(training, batch, number, share, Passes(), scaler)


def gradients(training: Training) -> dict[str, Tensor]:
    return {name: p.grad.clone() for name, p in training.trainable().items() if p.grad is not None}


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_micro_batches_add_up_to_the_batch(prepare: Prepare, featurise: Featurise, task_format: Format) -> None:
    features = featurise(task_format)
    whole, parts = prepare(task_format), prepare(task_format)
    batch = collate(features, task_format, 0, CPU)
    step = micro(whole, batch)
    loss = step.loss(step.forward())
    step.backward(loss)
    total = torch.zeros(())
    for number, rows in enumerate((features[:1], features[1:])):  # of unequal size, on purpose
        part = collate(rows, task_format, 0, CPU)
        step = micro(parts, part, part.counted / batch.counted, number)
        piece = step.loss(step.forward())
        step.backward(piece)
        total = total + piece.detach() * step.share
    torch.testing.assert_close(total, loss.detach(), rtol=1e-5, atol=1e-6)
    expected, found = gradients(whole), gradients(parts)
    assert expected.keys() == found.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_the_loss_is_the_mean_cross_entropy_of_what_has_a_target(
    prepare: Prepare, featurise: Featurise, task_format: Format
) -> None:
    training, batch = prepare(task_format), collate(featurise(task_format), task_format, 0, CPU)
    step = micro(training, batch)
    output = step.forward()
    by_hand = []
    for logits, targets in zip(output.logits, output.targets, strict=True):
        rows = [
            (row[0] - target) ** 2 if task_format is REGRESSION else torch.logsumexp(row, 0) - row[target]
            for row, target in zip(logits, targets, strict=True)
        ]
        by_hand.append(torch.stack(rows).mean())
    torch.testing.assert_close(step.loss(output), torch.stack(by_hand).mean())
    assert len(output.logits) == (2 if task_format is QUESTION_ANSWERING else 1)
    rows_of_each = 28 if task_format is MULTI_LABEL_CLASSIFICATION else len(output.logits)
    assert sum(len(targets) for targets in output.targets) == batch.counted * rows_of_each


def test_the_loss_of_a_set_of_labels_is_the_binary_cross_entropy(prepare: Prepare, featurise: Featurise) -> None:
    task_format = MULTI_LABEL_CLASSIFICATION
    training, batch = prepare(task_format), collate(featurise(task_format), task_format, 0, CPU)
    step = micro(training, batch)
    truth = torch.zeros(4, 28)
    for text, labels in enumerate(((1, 17), (27,), (0, 15, 26), ())):
        truth[text, list(labels)] = 1
    logits = training.model(**batch.inputs).logits
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits, truth)
    torch.testing.assert_close(step.loss(step.forward()), expected)


def test_masks_depend_on_the_place_in_the_run_alone(prepare: Prepare, featurise: Featurise) -> None:
    training = prepare(TEXT_CLASSIFICATION, dropout=0.3)
    batch = collate(featurise(TEXT_CLASSIFICATION), TEXT_CLASSIFICATION, 0, CPU)

    def logits(at: int = 0, number: int = 0, repeat: int = 0) -> Tensor:
        training.step = at
        torch.rand(7)  # whatever was drawn before
        return micro(training, batch, number=number).forward(repeat).logits[0].detach()

    first = logits()
    assert torch.equal(logits(), first)
    others = [logits(at=1), logits(number=1), logits(repeat=1)]
    assert not any(torch.equal(other, first) for other in others)
    assert not torch.equal(others[0], others[1])


def test_other_seeds_have_other_masks(prepare: Prepare, featurise: Featurise) -> None:
    batch = collate(featurise(TEXT_CLASSIFICATION), TEXT_CLASSIFICATION, 0, CPU)
    one, other = prepare(TEXT_CLASSIFICATION, 0, dropout=0.3), prepare(TEXT_CLASSIFICATION, 0, dropout=0.3)
    other.seed = lambda stream, *names: 12345
    assert not torch.equal(micro(one, batch).forward().logits[0], micro(other, batch).forward().logits[0])


def test_passes_are_counted_and_losses_scaled(prepare: Prepare, featurise: Featurise) -> None:
    batch = collate(featurise(TEXT_CLASSIFICATION), TEXT_CLASSIFICATION, 0, CPU)
    plain, scaled = prepare(TEXT_CLASSIFICATION), prepare(TEXT_CLASSIFICATION)
    for training, share, scale in ((plain, 1.0, None), (scaled, 0.25, 1024.0)):
        step = micro(training, batch, share, scale=scale)
        step.forward()
        step.backward(step.loss(step.forward(1)))
        assert (step.passes.forward, step.passes.backward) == (2, 1)
    for name, value in gradients(plain).items():
        torch.testing.assert_close(gradients(scaled)[name], value * 256, rtol=1e-4, atol=1e-5)


def test_padding_can_be_no_answer(prepare: Prepare, featurise: Featurise) -> None:
    batch = collate(featurise(QUESTION_ANSWERING), QUESTION_ANSWERING, 0, CPU)
    padding = batch.inputs["attention_mask"] == 0
    assert padding.any()
    for logits in micro(prepare(QUESTION_ANSWERING), batch).forward().logits:
        assert torch.isneginf(logits[padding]).all()
        assert torch.isfinite(logits[~padding]).all()


@pytest.mark.parametrize(
    ("precision", "inside"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_logits_are_fp32_whatever_the_precision(
    prepare: Prepare, featurise: Featurise, precision: str, inside: torch.dtype
) -> None:
    training = prepare(TOKEN_CLASSIFICATION, precision=precision)
    with autocast(training):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype is inside
    (logits,) = micro(training, collate(featurise(TOKEN_CLASSIFICATION), TOKEN_CLASSIFICATION, 0, CPU)).forward().logits
    assert logits.dtype is torch.float32


def test_real_tokens_are_the_batchs(prepare: Prepare, featurise: Featurise) -> None:
    batch = collate(featurise(TEXT_CLASSIFICATION), TEXT_CLASSIFICATION, 0, CPU)
    assert micro(prepare(TEXT_CLASSIFICATION), batch).real_tokens is batch.real_tokens


@pytest.mark.parametrize("task_format", FORMATS, ids=str)
def test_hidden_states_are_those_of_transformers_and_no_hook_stays(
    prepare: Prepare, featurise: Featurise, task_format: Format
) -> None:
    training = prepare(task_format)
    batch = collate(featurise(task_format)[:2], task_format, 0, CPU)
    step = micro(training, batch)
    plain, output = step.forward(), step.forward(hidden=True)
    left = [name for name, module in training.model.named_modules() if module._forward_hooks]
    assert left == []
    expected = training.model(**batch.inputs, output_hidden_states=True).hidden_states
    assert plain.hidden == ()
    assert len(output.hidden) == training.architecture.depth + 1
    assert all(torch.equal(a, b) for a, b in zip(output.hidden, expected, strict=True))
    assert torch.equal(plain.logits[0], output.logits[0])
    assert output.features().shape == (output.places.sum(), output.hidden[0].shape[-1])
