"""SAM: sharpness-aware minimisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Update
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.sharpness import factor_to, gradients, gradients_above


@dataclass(frozen=True)
class SAM(
    Technique,
    name="sam",
    family="optimisation",
    paper="Foret et al. 2021, arXiv:2010.01412",
    identity={"rho": 0.0},
    space={"rho": (0.01, 0.02, 0.05, 0.1, 0.2, 0.5)},  # section 3.1 of the paper
    trimmable=True,
):
    """Each update is made with the gradient of the worst weights close by, where the loss rises most steeply.

    e = rho * g / ||g||,  g = dL/dw over all parameters as one vector;  w <- optimiser(w, dL/dw at w + e)

    Foret et al. 2021, "Sharpness-Aware Minimization", equation 2 and algorithm 1; rho 0.05 is their default (section
    3.1, footnote 3). Rho is absolute: beside weights of a larger norm, as of a larger model, it is a smaller step. g is
    of the whole batch, and both passes have the same dropout masks, where public code draws anew. The loss scale of
    fp16 cancels in e. A gradient that is not finite, or is zero, has no direction: there is no climb then, and the
    harness has the gradient as it is.
    Source: davda54/sam:sam.py; SamsungLabs/ASAM:asam.py.
    """

    rho: float = bounded(0.05, "[0, inf)")

    def passes(self) -> tuple[int, int]:
        return (2, 2) if self.rho else (1, 1)

    def update(self, update: Update) -> Tensor:
        return gradients_above(update, self._shifts) if self.rho else update.backward()

    def _shifts(self, named: Mapping[str, nn.Parameter]) -> Sequence[Tensor]:
        factor = factor_to(self.rho, gradients(named))
        return torch._foreach_mul(gradients(named), factor) if factor else ()
