"""Scores on perturbed inputs and under an attack, measured beside the score and never trained on."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.errors import Unsupported
from bench_lib.core.seeds import derive
from bench_lib.harness.datasets import EVALUATION_SEED, DataKey, Evaluation
from bench_lib.harness.evaluate import Scored, evaluate, logits_table, predict, scored, together
from bench_lib.harness.forgetting import check_forgetting, forgetting
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Batch
from bench_lib.harness.further import further_scores
from bench_lib.harness.precision import autocast
from bench_lib.harness.step import plain_loss
from bench_lib.models.interventions import embedding_changed
from bench_lib.tasks.formats import Example
from bench_lib.tasks.transforms.input_noise import perturbed
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Selects
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.toolkit.embedding_perturbation import steepest


@dataclass(frozen=True, eq=False)
class Examination:
    """Evaluates a training, also on perturbed inputs, under an attack and on robustness sets if its profile says so.

    These are measured at the last evaluation, or at every one if `always`, for observers that may select an earlier
    checkpoint. `dev` is None where no observer selects on it. All happens in evaluation mode, draws nothing and leaves
    weights and gradients as they are, so that the training does not change.
    """

    training: Training
    key: DataKey
    evaluation: Evaluation
    noisy: Evaluation | None
    pad_id: int
    always: bool
    dev: Evaluation | None = None

    @classmethod
    def of(
        cls, training: Training, key: DataKey, evaluation: Evaluation, pad_id: int, observers: Sequence[Stack] = ()
    ) -> Examination:
        """The examination of a training with observers, as yet without a dev set."""
        profile = training.profile
        if profile.attack and training.format.writes_text:
            raise Unsupported("attack is 0 for written answers: it changes what is read, and the outputs are read too")
        if profile.attack:
            training.architecture.need_one_stack("place of embeddings to attack")
        check_forgetting(key)
        noisy = perturbed_set(key, evaluation, profile.perturb) if profile.perturb else None
        return cls(training, key, evaluation, noisy, pad_id, any(stack.having(Selects) for stack in observers))

    def __call__(self) -> Scored:
        training, task = self.training, self.key.task
        found = evaluate(training, task, self.evaluation, self.pad_id)
        if not self.always and training.step < training.total_steps:
            return found
        noisy = None if self.noisy is None else evaluate(training, task, self.noisy, self.pad_id).primary
        epsilon = training.profile.attack
        under = attacked(training, self.key, self.evaluation, self.pad_id) if epsilon else None
        further = {**further_scores(training, self.key, self.pad_id), **forgetting(training, self.key)}
        return replace(found, robust=noisy, adversarial=under, also=further)

    def on_dev(self) -> float:
        """The primary metric on the dev set."""
        assert self.dev is not None, "asked only for an observer that selects on the dev set"
        return evaluate(self.training, self.key.task, self.dev, self.pad_id).primary


@functools.lru_cache(maxsize=4)
def perturbed_set(key: DataKey, clean: Evaluation, share: float) -> Evaluation:
    """An evaluation set with a share of its words changed, the same for all seeds and techniques."""
    examples = tuple(_perturbed(example, share, key, number) for number, example in enumerate(clean.examples))
    return key.evaluation(examples, clean.constant_baseline)


def _perturbed(example: Example, share: float, key: DataKey, number: int) -> Example:
    generator = np.random.default_rng(derive(EVALUATION_SEED, "augment", key.task.name, "perturbed", number))
    found = perturbed(example, share, key.task.labels, generator)
    return torch_half(key.format).fitted(found, example, key.tokenizer(), key.window)


def attacked(training: Training, key: DataKey, evaluation: Evaluation, pad_id: int) -> float:
    """The primary metric under one step of the gradient's direction on the word embeddings, of the norm of `attack`.

    r = epsilon * g / ||g||,  g = dL/de over the embedded sequence e of one example (Miyato et al. 2017, equation 5),
    real tokens only; each window of a long context is attacked, and each member of a committee.
    """
    predictions = together(training, lambda: predict(training, key.task, evaluation, pad_id, _under_attack))
    return scored(key.task, evaluation, predictions).primary


def _under_attack(training: Training, batch: Batch) -> Tensor:
    shift = steepest(_gradient(training, batch), batch.real_tokens, training.profile.attack)
    with embedding_changed(training.model, lambda e: e + shift), torch.inference_mode(), autocast(training):
        return logits_table(training, batch)


def _gradient(training: Training, batch: Batch) -> Tensor:
    """The gradient of the loss with respect to the embedded words, (batch, length, hidden); weights get none."""
    words: list[Tensor] = []

    def watched(embedded: Tensor) -> Tensor:
        words.append(embedded.detach().requires_grad_())
        return words[0]

    # In fp16 it would vanish without the loss scale of training.
    full = training.profile.precision == "fp16"
    with embedding_changed(training.model, watched), autocast(training, full_precision=full):
        half = torch_half(training.format)
        loss = plain_loss(half.output(half.forward(training.model, batch), batch))
    (gradient,) = torch.autograd.grad(loss, words)
    return gradient
