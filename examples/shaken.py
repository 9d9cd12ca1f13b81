"""A technique from a file of one's own: `stabbench check examples/shaken.py:Shaken`. It is meant to be found out."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from bench_lib import Technique, Training, bounded


@dataclass(frozen=True)
class Shaken(
    Technique,
    name="shaken",
    family="baselines",
    paper="none",
    identity={"strength": 0.0},
    space={"strength": (0.005, 0.01, 0.02, 0.05)},
):
    """Shake every weight after each update: a saboteur, for trying what a comparison finds.

    theta <- theta + strength * rms(theta) * N(0, 1)

    No paper; the strength is a choice.
    """

    strength: float = bounded(0.02, "[0, 1)", "0 (nothing) up to, not including, 1")

    def draws(self) -> tuple[str, ...]:
        return ("augment",)

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        generator = training.generator("augment", self.name, training.step)
        for weight in training.trainable().values():
            noise = torch.randn(weight.shape, generator=generator).to(weight.device)
            weight.add_(noise * weight.square().mean().sqrt(), alpha=self.strength)
