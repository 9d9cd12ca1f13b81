"""Selective projection decay: a pull to the pre-trained weights where the gradient points there too."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.pretrained_anchors import Anchors, anchors, with_start, without_decay


@dataclass(frozen=True)
class SPD(
    Technique,
    name="spd",
    family="regularisation",
    paper="Tian et al. 2024, arXiv:2411.01713",
    identity={"strength": 0.0},
    space={"strength": (0.1, 0.5, 1.0, 1.5, 2.0)},  # our choice
    trimmable=True,
):
    """Tensors that move on from their pre-trained values, while the gradient points back, are pulled to them.

    theta <- theta' - strength * r * (theta' - theta_pretrained)  where g . (theta - theta_pretrained) > 0,
    r = max(0, ||theta' - theta_pretrained|| - ||theta - theta_pretrained||) / ||theta' - theta_pretrained||,
    theta' the optimiser's step from theta, tensor by tensor and without decay

    Tian et al. 2024, "Rethinking Weight Decay for Robust Fine-Tuning of Foundation Models", equations 3, 4 and 9;
    strength 1, which undoes the growth of the distance, is where the paper says to begin. A momentum that still leads
    away makes a case: under plain gradient descent there is none. It replaces the decay of what has a pre-trained
    value, norms and biases included; new parts decay as in the baseline, where the authors pull them to their random
    start. A pull ends at the pre-trained value. `reported` has the share of steps and tensors that were pulled.
    Source: GT-RIPL/Selective-Projection-Decay:README.md; equations and strength as quoted by public code after the
    paper.
    """

    strength: float = bounded(1.0, "[0, 1000]")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        return without_decay(groups, with_start(training, self.name)) if self.strength else groups

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        if self.strength:
            self._state(training).look()

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        if self.strength:
            state = self._state(training)
            state.pull(self.strength)
            if training.step + 1 == training.total_steps:
                training.report(self.name, "pulled", state.pulled_share())

    def _state(self, training: Training) -> _Distances:
        return training.keep(self, lambda: _Distances(anchors(training, with_start(training, self.name))))


@dataclass(eq=False)
class _Distances:
    """Distances of tensors from their anchors before a step, and whether their gradients pointed back."""

    anchored: Anchors
    before: Tensor = field(default_factory=lambda: torch.zeros(0))  # (tensors,)
    back: Tensor = field(default_factory=lambda: torch.zeros(0))  # (tensors,), bool
    steps: int = 0
    pulled: Tensor | float = 0.0

    def look(self) -> None:
        """Measure before the update; a tensor without a gradient stays where it is."""
        ways = self._ways()
        self.before = torch.stack(torch._foreach_norm(ways))
        gradients = [way if p.grad is None else p.grad for way, (p, _) in zip(ways, self.anchored, strict=True)]
        self.back = torch.stack([(g * way).sum() for g, way in zip(gradients, ways, strict=True)]) > 0

    def pull(self, strength: float) -> None:
        ways = self._ways()
        after = torch.stack(torch._foreach_norm(ways))
        grown = (after - self.before).clamp(min=0.0) / after.clamp(min=torch.finfo(after.dtype).tiny)
        shares = (strength * grown * self.back).clamp(max=1.0)
        torch._foreach_mul_(ways, list(shares.unbind()))
        torch._foreach_sub_([parameter for parameter, _ in self.anchored], ways)
        self.steps += 1
        self.pulled = self.pulled + (shares > 0).float().mean()

    def pulled_share(self) -> float:
        return float(self.pulled) / max(1, self.steps)

    def _ways(self) -> list[Tensor]:
        return [parameter - start for parameter, start in self.anchored]
