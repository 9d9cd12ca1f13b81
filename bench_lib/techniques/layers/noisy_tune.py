"""NoisyTune: a little noise on the pre-trained weights before fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class NoisyTune(
    Technique,
    name="noisy_tune",
    family="layers",
    paper="Wu et al. 2022, arXiv:2202.12024",
    identity={"strength": 0.0},
    space={"strength": (0.05, 0.1, 0.15, 0.2, 0.25, 0.3)},  # not verified
    no_trimming="its noise is drawn for whole matrices, and relative to their spread",
):
    """Every pre-trained parameter gets uniform noise relative to its own spread, once, before training.

    theta <- theta + U(-strength / 2, strength / 2) * std(theta), for each parameter matrix or vector

    Wu et al. 2022, "NoisyTune", equation 1, with strength 0.15. The new head, which has no pre-trained values, is left
    out, where the public code that was read adds noise to it as well; frozen parameters are not, being as pre-trained
    as the others.
    Source: Yuanhy1997/HyPe:main.py for the equation; strength 0.15 is that of public code, and what Wu et al. 2022 take
    is not verified.
    """

    strength: float = bounded(0.15, "[0, 10]")

    @torch.no_grad()
    def prepare(self, training: Training) -> None:
        if self.strength == 0:
            return
        found = {n: p for n, p in training.model.named_parameters() if n in training.pretrained}
        if not found:
            raise Unsupported("noisy_tune finds no pre-trained parameter under its name to add noise to")
        for name, parameter in found.items():
            generator = training.generator("init", self.name, name)
            noise = (torch.rand(parameter.shape, generator=generator) - 0.5) * self.strength
            # Without Bessel's correction, so that a single value has a spread of 0 and not an undefined one.
            parameter.add_(noise.to(parameter.device) * parameter.std(correction=0))
