"""Muon: the matrices of the blocks move in an orthogonalised direction."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.optimizers import decoupled_adam, parameter_groups
from bench_lib.techniques.interface.technique import Technique

COEFFICIENTS, STEPS = (3.4445, -4.7750, 2.0315), 5
"""Of the iteration, chosen by Jordan et al. for the steepest start."""
SMALLEST = 1e-7
LIKE_ADAMW = 0.2
"""The factor of Liu et al. by which steps are the size of AdamW's."""


@dataclass(frozen=True)
class Muon(
    Technique,
    name="muon",
    family="optimisation",
    paper="Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/; Liu et al. 2025, arXiv:2502.16982",
    identity=None,
    no_identity="an optimiser of another rule; its test shows the published steps",
    supersedes={
        **dict.fromkeys(
            ("prefix", "ia3", "bitfit", "ln_only", "linear_probe"), "declined: no matrix of a block trains"
        ),
        "gradual_unfreezing": "declined where few steps are all the head's, so that no matrix of a block trains",
    },
    space={"momentum": (0.9, 0.95)},  # 0.9 is our choice
    trimmable=True,
):
    """Each matrix of a block moves by an orthogonal matrix near its momentum; all else by AdamW.

    m <- momentum * m + (1 - momentum) * g;  theta <- theta - lr * wd * theta - lr * 0.2 * sqrt(max(rows, columns)) * O,
    O near U V^T,  U S V^T the singular value decomposition of momentum * m + (1 - momentum) * g

    Jordan et al. 2024 with their settings: momentum 0.95 and five Newton-Schulz steps, in fp32 where theirs are in
    bf16, for which many processors have no kernels. The factor of Liu et al. 2025, "Muon is Scalable for LLM Training",
    gives steps the size of AdamW's, so that rate and decay are the profile's. Embeddings, pooler, head, biases and
    norms are AdamW's. Both come from pre-training with Muon throughout. With LoRA and its like it moves their factors.
    Source: KellerJordan/Muon:muon.py; torch.optim.Muon.
    """

    momentum: float = bounded(0.95, "[0, 1)", "0 or more, below 1")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        """The matrices of the blocks apart, before the others, whose rate stands for the run."""
        index, depth = training.architecture.layer_index, training.architecture.depth
        split: list[Group] = []
        for group in groups:
            apart = {
                name: parameter
                for name, parameter in group.parameters.items()
                if parameter.dim() == 2 and min(parameter.shape) > 1 and 1 <= index(name) <= depth
            }
            others = {name: parameter for name, parameter in group.parameters.items() if name not in apart}
            split = [_Matrices(apart, group.learning_rate, group.weight_decay)] * bool(apart) + split
            split += [Group(others, group.learning_rate, group.weight_decay)] * bool(others)
        if not any(isinstance(group, _Matrices) for group in split):
            raise Unsupported("muon finds no matrix in the blocks that trains")
        return split

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        matrices: list[Group] = [group for group in groups if isinstance(group, _Matrices)]
        others = [group for group in groups if not isinstance(group, _Matrices)]
        muon = _Orthogonal(parameter_groups(matrices), {"momentum": self.momentum})
        return _Together([muon, decoupled_adam(others, profile)] if others else [muon])


class _Matrices(Group):
    """Parameters for Muon; it stays one where a technique splits it by `dataclasses.replace`."""


def _refuse(closure: object) -> None:
    # torch's optimisers may call the closure and return its loss; the harness gives none, and none is ignored silently.
    if closure is not None:
        raise Unsupported("muon takes no closure")


class _Orthogonal(torch.optim.Optimizer):
    """Moves matrices in the orthogonalised direction of their momentum."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        _refuse(closure)
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is not None:
                    self._move(weight, group)

    def _move(self, weight: Tensor, group: dict[str, Any]) -> None:
        gradient, state = weight.grad, self.state[weight]
        assert gradient is not None
        average = state.setdefault("momentum_buffer", torch.zeros_like(weight))
        average.lerp_(gradient, 1 - group["momentum"])
        direction = orthogonalised(gradient.lerp(average, group["momentum"]))
        weight.mul_(1 - group["lr"] * group["weight_decay"])
        weight.add_(direction, alpha=-group["lr"] * LIKE_ADAMW * math.sqrt(max(weight.shape)))


def orthogonalised(matrix: Tensor) -> Tensor:
    """A matrix near U V^T of U S V^T = `matrix`, by the Newton-Schulz iteration of Jordan et al."""
    a, b, c = COEFFICIENTS
    wide = matrix if len(matrix) <= len(matrix.T) else matrix.T
    wide = wide / wide.norm().clamp(min=SMALLEST)
    for _ in range(STEPS):
        gram = wide @ wide.T
        wide = torch.addmm(wide, torch.addmm(gram, gram, gram, beta=b, alpha=c), wide, beta=a)
    return wide if len(matrix) <= len(matrix.T) else wide.T


class _Together(torch.optim.Optimizer):
    """Several optimisers as one; their groups and states are its own."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = parts
        for part in parts:
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> Any:
        _refuse(closure)
        for part in self.parts:
            part.step()
