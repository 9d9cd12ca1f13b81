"""SMART: predictions that neither a shift of the input nor a step of the training may change much."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Output, Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.consistency import disagreement
from bench_lib.techniques.toolkit.embedding_perturbation import (
    backward_at,
    embedding_watched,
    gradient_of,
    normal_noise,
    shifted,
    steepest_by_token,
    weights_spared,
)

EARLY = 0.1
"""The share of the updates that have the early decay."""


@dataclass(frozen=True)
class SMART(
    Technique,
    name="smart",
    family="adversarial",
    paper="Jiang et al. 2020, arXiv:1911.03437",
    identity={"alpha": 0.0, "mu": 0.0},
    space={
        "alpha": (1.0, 3.0, 5.0),  # as quoted by public notes on the paper
        "eta": (1e-5, 1e-3),
    },
    trimmable=True,
):
    """Beside the loss, pull predictions to those at a bad shift of the embeddings and to those of averaged weights.

    L = CE(f(x)) + alpha * S(f(x), f(x + r)) + mu * S(f(x), f_avg(x)),  S(p, q) = KL(p || q) + KL(q || p);
    r ~ N(0, sigma^2) on every value, then `steps` times r <- r + eta * g / max|g|,  g = dS/dr, the maximum token by
    token;  avg <- b * avg + (1 - b) * theta after each update, b = beta in the first tenth and late_beta then

    Jiang et al. 2020, "SMART", algorithm 1: alpha 1 (of 1, 3 and 5), mu 1, beta 0.99 and then 0.999, as quoted by
    public notes on the paper. The single step, sigma 1e-5 and eta 1e-3 are those of
    namisan/mt-dnn:mt_dnn/perturbation.py; the command line of its train.py, which decides in a run, has eta 1e-5. That
    code lacks the last term, climbs by KL one way, and its r is the step alone (first version) or is scaled to a
    maximum of 1 (last); it shifts what the embedding layer gives out, here the word embeddings, against whose size eta
    is absolute. As there, r is not projected onto the paper's ball of 1e-5, and can be 100 times as large. Our choice:
    all passes have the same dropout masks, so that r and the averaged weights alone make the difference, and are in
    fp32, which alone can hold so small a shift. For regression S(p, q) = (p - q)^2, as theirs.
    """

    alpha: float = bounded(1.0, "[0, inf)")
    mu: float = bounded(1.0, "[0, inf)")
    steps: int = bounded(1, "[1, inf]")
    sigma: float = bounded(1e-5, "(0, inf)")  # at 0, the clean point, the divergence is least, and its gradient zero
    eta: float = bounded(1e-3, "[0, inf)")
    beta: float = bounded(0.99, "[0, 1]")
    late_beta: float = bounded(0.999, "[0, 1]")

    def passes_in_fp32(self) -> bool:
        return bool(self.alpha or self.mu)

    def passes(self) -> tuple[int, int]:
        smooth, proximal = bool(self.alpha), bool(self.mu)
        return 1 + (self.steps + 1) * smooth + proximal, 1 + self.steps * smooth

    def backward(self, step: Step) -> Tensor:
        if not (self.alpha or self.mu):
            return backward_at(step)
        averaged = self._averaged(step) if self.mu else None
        clean = step.forward(full_precision=True)
        loss = step.loss(clean)
        if self.alpha:
            loss = loss + self.alpha * penalty(clean, self._attacked(step, clean))
        if averaged:
            loss = loss + self.mu * penalty(clean, averaged)
        step.backward(loss)
        return loss.detach()

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        if self.mu:
            early = training.step + 1 <= EARLY * training.total_steps
            weight = 1 - (self.beta if early else self.late_beta)
            torch._foreach_lerp_(self._averages(training), list(training.trainable().values()), weight)

    @torch.no_grad()
    def _averaged(self, step: Step) -> Output:
        """The output of the averaged weights on the clean batch."""
        with weights_replaced(step.training.trainable().values(), self._averages(step.training)):
            return step.forward(full_precision=True)

    def _averages(self, training: Training) -> list[Tensor]:
        return training.keep(self, lambda: [p.detach().clone() for p in training.trainable().values()])

    def _attacked(self, step: Step, clean: Output) -> Output:
        """The output at the adversarial shift."""
        model, fixed = step.training.model, replace(clean, logits=tuple(logits.detach() for logits in clean.logits))
        shift = normal_noise(step, self.sigma, self.name)
        for _ in range(self.steps):
            with weights_spared(model), embedding_watched(model, shift) as embedded:
                step.backward(disagreement(fixed, step.forward(full_precision=True)))
            shift = shift + steepest_by_token(gradient_of(embedded), step.real_tokens, self.eta)
        with shifted(model, shift):
            return step.forward(full_precision=True)


def penalty(a: Output, b: Output) -> Tensor:
    """Both divergences together, a mean over the rows; of numbers the squared difference."""
    return disagreement(a, b) if a.numbers else 2 * disagreement(a, b)
