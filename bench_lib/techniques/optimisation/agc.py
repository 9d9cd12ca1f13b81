"""Adaptive gradient clipping: each unit by the size of its weights."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training, with_gradients
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class AGC(
    Technique,
    name="agc",
    family="optimisation",
    paper="Brock et al. 2021, arXiv:2102.06171",
    identity={"clipping": float("inf")},
    space={"clipping": (0.01, 0.02, 0.04, 0.08, 0.16)},  # section 4.1 of the paper
    trimmable=True,
):
    """Keep each unit's gradient small in proportion to the unit's weights, before the profile clips the norm.

    g_i <- g_i * min(1, clipping * max(||w_i||, eps) / ||g_i||),  w_i the weights of one unit

    Brock et al. 2021, "High-Performance Large-Scale Image Recognition Without Normalization", equation 3; eps 1e-3 is
    that of their code, which has no default for clipping: 0.01 is the paper's for its largest batches. A unit is a row
    of a matrix, over its inputs, so one word of an embedding (our choice); a vector of biases or gains is one unit, as
    in their code. The final linear layer, the new head, is left out as in the paper.
    Source: google-deepmind/deepmind-research:nfnets/agc_optax.py; Brock et al. 2021, sections 4.1 (final layer, values
    to tune over, the larger ones for smaller batches) and 5.1 (0.01 for batches from 1,024 to 4,096).
    """

    clipping: float = bounded(0.01, "(0, inf]", "above 0; inf for no clipping")
    eps: float = bounded(1e-3, "(0, inf)")

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        final = _final_layer(training)
        pairs = [pair for name, pair in with_gradients(training).items() if name.rpartition(".")[0] != final]
        if self.clipping != float("inf") and pairs:
            weights, gradients = (list(tensors) for tensors in zip(*pairs, strict=True))
            torch._foreach_mul_(gradients, self._scales(weights, gradients))

    def _scales(self, weights: list[Tensor], gradients: list[Tensor]) -> list[Tensor]:
        """The factor of each unit's gradient, at most 1, in a shape to broadcast."""
        limits = torch._foreach_clamp_min([_unit_norms(w) for w in weights], self.eps)
        torch._foreach_mul_(limits, self.clipping)
        # A gradient of zero gives infinity here, and then 1.
        torch._foreach_div_(limits, [_unit_norms(g) for g in gradients])
        torch._foreach_clamp_max_(limits, 1.0)
        return list(limits)


def _unit_norms(tensor: Tensor) -> Tensor:
    """Norms over all dimensions but the first, kept as 1; for a vector its whole norm."""
    inputs = list(range(1, tensor.dim()))
    norms: Tensor = torch.linalg.vector_norm(tensor, dim=inputs or None, keepdim=bool(inputs))
    return norms


def _final_layer(training: Training) -> str | None:
    """The module of the last trained parameter outside the body; None where the head is frozen."""
    name, architecture = next(reversed(training.trainable()), ""), training.architecture
    return None if architecture.is_pretrained(name) or architecture.in_pooler(name) else name.rpartition(".")[0]
