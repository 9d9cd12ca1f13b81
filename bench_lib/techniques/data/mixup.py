"""Mixup: between two texts the prediction should lie between their labels."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from bench_lib.models.interventions import last_hidden_changed
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Mixup(
    Technique,
    name="mixup",
    family="data",
    paper="Zhang et al. 2018, arXiv:1710.09412",
    identity={"alpha": 0.0},
    space={"alpha": (0.1, 0.2, 0.4, 1.0)},  # 0.1 to 0.4 as quoted by public notes on the paper, 1 as in mixup-cifar10
    trimmable=True,
):
    """Each text's representation is mixed with that of another text of its batch, and its loss accordingly.

    h~_i = lambda * h_i + (1 - lambda) * h_j,  L = lambda * CE(h~_i, y_i) + (1 - lambda) * CE(h~_i, y_j),
    lambda ~ Beta(alpha, alpha), one for each batch;  j a shuffle of i

    Zhang et al. 2018, "mixup: Beyond Empirical Risk Minimization"; one lambda and one shuffle for each batch, as in
    facebookresearch/mixup-cifar10, whose alpha for CIFAR is 1. Alpha 0.2 is for ImageNet, where 0.1 to 0.4 helped, as
    quoted by public notes on the paper. What is mixed are sentence representations, the last block's output, as Sun et
    al. 2020, "Mixup-Transformer" (arXiv:2010.02394), do: word embeddings of two texts do not belong together place by
    place, nor do their paddings; in a causal model they are the output at the last token. A batch in parts is shuffled
    within its parts. For regression the loss is that of the mixed number, but for a term without a gradient.
    """

    alpha: float = bounded(0.2, "[0, inf)")

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    def declines(self, task_format: Format) -> str | None:
        if task_format.labels_words:
            return "the words of two sentences have nothing to do with each other place by place"
        mixes = task_format.labels_texts or task_format.labels_sets or task_format.predicts_numbers
        return None if mixes else "answers of two contexts lie at places of their own"

    def backward(self, step: Step) -> Tensor:
        if not self.alpha:
            loss = step.loss(step.forward())
        else:
            weight, order = self._drawn(step)
            with last_hidden_changed(
                step.training.model, step.training.architecture, lambda h: _mixed(step, h, weight, order)
            ):
                output = step.forward()
            other = replace(output, targets=tuple(_partners(target, order) for target in output.targets))
            loss = weight * step.loss(output) + (1 - weight) * step.loss(other)
        step.backward(loss)
        return loss.detach()

    def _drawn(self, step: Step) -> tuple[float, Tensor]:
        """The batch's lambda, and for each text of the micro-batch the index of its partner."""
        training, size = step.training, len(step.real_tokens)
        weight = np.random.default_rng(training.seed("augment", self.name, training.step)).beta(self.alpha, self.alpha)
        generator = training.generator("augment", self.name, training.step, step.number)
        return float(weight), torch.randperm(size, generator=generator).to(step.real_tokens.device)


def _partners(targets: Tensor, order: Tensor) -> Tensor:
    """The targets of each text's partner; a text has one row, or one for each label, (rows,)."""
    return targets.view(len(order), -1)[order].flatten()


def _mixed(step: Step, hidden: Tensor, weight: float, order: Tensor) -> Tensor:
    """The texts mixed place by place; in a causal model at their last tokens, which have places of their own."""
    if not step.training.architecture.causal:
        return weight * hidden + (1 - weight) * hidden[order]
    rows, mixed = hidden[step.places], hidden.clone()
    mixed[step.places] = weight * rows + (1 - weight) * rows[order]
    return mixed
