"""REPINA: representations that do not leave the pre-trained ones."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.embedding_perturbation import backward_at
from bench_lib.techniques.toolkit.pretrained_anchors import Anchors, anchors, with_start


@dataclass(frozen=True)
class Repina(
    Technique,
    name="repina",
    family="regularisation",
    paper="Razdaibiedina et al. 2023, arXiv:2205.11603",
    identity={"strength": 0.0},
    space={"strength": (0.01, 0.1, 1.0, 10.0)},  # our choice
    trimmable=True,
):
    """Beside the loss, pull each row's representation to that of the pre-trained body.

    L = CE + strength * mean((f_theta(x) - f_pretrained(x))^2) over rows and units,  f the last hidden state of a row

    Razdaibiedina et al. 2023, "Representation Projection Invariance Mitigates Representation Collapse", the form whose
    projection is the identity; their other one learns a perceptron between the two. Their strengths could not be read:
    1 on a mean over units is our choice, and a sum over units would be 768 times that. Rows are first tokens of texts
    and spans, or last ones in a causal model, and words of tagged sentences. Our choice: both passes have the same
    dropout masks, so that the term begins at 0, and are in fp32.
    Source: Razdaibiedina et al. 2023 for the idea.
    """

    strength: float = bounded(1.0, "[0, inf)")

    def passes_in_fp32(self) -> bool:
        return bool(self.strength)

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self.strength else (1, 1)

    def backward(self, step: Step) -> Tensor:
        if not self.strength:
            return backward_at(step)
        output = step.forward(hidden=True, full_precision=True)
        loss = step.loss(output) + self.strength * F.mse_loss(output.features(), self._pretrained(step))
        step.backward(loss)
        return loss.detach()

    @torch.no_grad()
    def _pretrained(self, step: Step) -> Tensor:
        """The last hidden states of the rows by the pre-trained body, (rows, hidden)."""
        parameters, starts = zip(*self._anchors(step.training), strict=True)
        with weights_replaced(parameters, starts):
            return step.forward(hidden=True, full_precision=True).features()

    def _anchors(self, training: Training) -> Anchors:
        return training.keep(self, lambda: anchors(training, with_start(training, self.name)))
