"""LoRA-GA: LoRA whose first step is near that of the whole matrix."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank, factors, low_rank_layers


@dataclass(frozen=True)
class LoRAGA(
    Technique,
    name="lora_ga",
    family="parameter-efficient",
    paper="Wang et al. 2024, arXiv:2407.05000",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; its test shows that it starts as the baseline up to rounding",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (2e-5, 5e-5, 1e-4, 5e-4, 1e-3),  # our choice but for 1e-4
        "gamma": (16.0, 64.0),  # 64 is our choice
    },
    trimmable=True,
):
    """LoRA begins with the singular vectors of the gradient of each matrix; the new head trains whole.

    W = W_rest + (alpha / rank) * B A,  W_rest = W_pretrained - (alpha / rank) * B A at the start,  where
    A = s V^T of the rank largest singular values and B = s U of the rank next ones,  s = rows^(1/4) / sqrt(gamma),
    U S V^T the gradient's singular value decomposition

    Wang et al. 2024, "LoRA-GA: Low-Rank Adaptation with Gradient Approximation", with the authors' scale, which is not
    peft's: that keeps the gradient's size in B. Their examples for the gradient, 128, their gamma and their rate for
    T5-base on SST-2, where all linear layers are updated; rank and alpha are LoRA's for RoBERTa-base. The gradient is
    the sum over micro-batches of an epoch of its own until so many examples are read, with dropout. The decomposition
    is approximate, from a draw of the stream `init`. A stored file has the factors alone, which belong to W_rest.
    Source: Outsider565/LoRA-GA:peft/src/peft/tuners/lora/layer.py, conf/init/gradient.yaml and
    examples/float_t5_sst2.py.
    """

    rank: int = bounded(8, "[1, inf]")
    alpha: int = bounded(16, "[1, inf]")
    gamma: float = bounded(16.0, "(0, inf)")
    examples: int = bounded(128, "[1, inf]")
    learning_rate: float = bounded(1e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.alpha)
        for name, layer in low_rank_layers(training).items():
            if (found := min(layer.get_base_layer().weight.shape)) < 2 * self.rank:
                raise Unsupported(f"lora_ga: {name} has {found} singular values, below twice the rank of {self.rank}")

    def passes_in_fp32(self) -> bool:
        return True

    def estimation_passes(self) -> tuple[int, int]:
        return (1, 1)

    def estimate(self, training: Training, steps: Iterable[Step]) -> None:
        layers = list(low_rank_layers(training).values())
        weights = [layer.get_base_layer().weight for layer in layers]
        read = 0
        for weight in weights:
            weight.requires_grad_(True)
        for step in steps:
            step.backward(step.loss(step.forward(full_precision=True)))
            read += len(step.real_tokens)
            if read >= self.examples:
                break
        with training.seeded("init", self.name), torch.no_grad():
            for layer, weight in zip(layers, weights, strict=True):
                weight.requires_grad_(False)
                self._begin(layer, weight, weight.grad.float())
                weight.grad = None

    def _begin(self, layer: Any, weight: Tensor, gradient: Tensor) -> None:
        left, _, right = torch.svd_lowrank(gradient, q=min(4 * self.rank, *gradient.shape), niter=4)
        scale = (len(gradient) ** 0.25) / self.gamma**0.5
        a, b = factors(layer)
        a.copy_(scale * right[:, : self.rank].T)
        b.copy_(scale * left[:, self.rank : 2 * self.rank])
        weight.sub_(layer.scaling["default"] * b @ a)
