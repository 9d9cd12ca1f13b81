"""ASAM: sharpness-aware minimisation that does not depend on the scale of the weights."""

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
class ASAM(
    Technique,
    name="asam",
    family="optimisation",
    paper="Kwon et al. 2021, arXiv:2102.11600",
    identity={"rho": 0.0},
    space={"rho": (0.1, 0.2, 0.5, 1.0, 2.0)},  # 0.5 and 1 as in the README, the rest our choice
    trimmable=True,
):
    """As SAM, but the neighbourhood is scaled with each weight's size: large weights move further.

    e = rho * T^2 g / ||T g||,  T = |w| + eta for weights and 1 for biases;  w <- optimiser(w, dL/dw at w + e)

    Kwon et al. 2021, "ASAM", algorithm 1; rho 0.5, eta 0.01, and what counts as a weight, norms' included, as in the
    authors' code. Rho hangs not on the weights' size but on their number: each of N moves by some rho / sqrt(N) of
    itself. What is said of `sam` on masks, fp16 and zero gradients holds.
    Source: SamsungLabs/ASAM:asam.py.
    """

    rho: float = bounded(0.5, "[0, inf)")
    eta: float = bounded(0.01, "[0, inf)")

    def passes(self) -> tuple[int, int]:
        return (2, 2) if self.rho else (1, 1)

    def update(self, update: Update) -> Tensor:
        return gradients_above(update, self._shifts) if self.rho else update.backward()

    def _shifts(self, named: Mapping[str, nn.Parameter]) -> Sequence[Tensor]:
        sizes = [self._size(name, parameter) for name, parameter in named.items()]
        shifts = torch._foreach_mul(gradients(named), sizes)  # T g
        factor = factor_to(self.rho, shifts)
        torch._foreach_mul_(shifts, sizes)
        torch._foreach_mul_(shifts, factor)
        return shifts if factor else ()

    def _size(self, name: str, parameter: nn.Parameter) -> Tensor:
        return parameter.abs().add_(self.eta) if "weight" in name else torch.ones_like(parameter)
