"""WiSE-FT: half of the way back to the pre-trained weights."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch

from bench_lib.models.interventions import weights_replaced
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.pretrained_anchors import anchors, with_start


@dataclass(frozen=True)
class WiSEFT(
    Technique,
    name="wise_ft",
    family="optimisation",
    paper="Wortsman et al. 2022, arXiv:2109.01903",
    identity={"alpha": 1.0},
    observer=True,
    space={"alpha": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)},
    trimmable=True,
):
    """Evaluate a body between its pre-trained and its fine-tuned weights, under the head as it was trained.

    theta = (1 - alpha) * theta_pretrained + alpha * theta_tuned

    Wortsman et al. 2022, "Robust fine-tuning of zero-shot models"; alpha 0.5, which they recommend where nothing is
    tuned. Their model works at both ends, since its head is made of text; ours is new and has no pre-trained end, so
    that it stays as trained, and below alpha 1 it reads features that it has not seen. The best of several alphas would
    be chosen on the evaluation set.
    Source: mlfoundations/wise-ft:src/wise_ft.py and src/args.py.
    """

    alpha: float = bounded(0.5, "[0, 1]", "0 (the pre-trained body) to 1 (the tuned one)")

    @torch.no_grad()
    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        if self.alpha == 1:
            return nullcontext()
        parameters, values = [], []
        for parameter, start in anchors(training, with_start(training, self.name)):
            parameters.append(parameter)
            values.append(start.lerp(parameter, self.alpha))
        return weights_replaced(parameters, values)
