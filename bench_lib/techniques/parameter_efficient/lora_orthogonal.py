"""LoRA from two factors that are not zero and whose product is."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.errors import require
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank


@dataclass(frozen=True)
class LoRAOrthogonal(
    Technique,
    name="lora_orthogonal",
    family="parameter-efficient",
    paper="Nimmaturi 2024, https://datta0.github.io/posts/rethink-lora-init/",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; its test shows that it starts as the baseline up to rounding",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (4e-4, 5e-4, 1e-3, 3e-3, 1e-2),  # our choice, as for lora
        "alpha": (8, 16, 32, 64),  # our choice but for 16
    },
    trimmable=True,
):
    """LoRA in which both factors have a gradient from the first step on; the new head trains whole.

    W <- W_pretrained + (alpha / rank) * B A,  A^T = X Q_even / 10,  B = Y Q_odd / 10 at the start,  X and Y normal,
    Q_even and Q_odd every other row of a random orthogonal matrix, so that B A = 0

    Nimmaturi 2024, "Rethinking LoRA initialisation", a blog post, through peft. Elsewhere B = 0 leaves A without a
    gradient at first. Rank, alpha and rate are LoRA's for RoBERTa-base, so that the start alone differs; the rank has
    to be even.
    Source: huggingface/peft:src/peft/tuners/lora/layer.py; the blog post is not verified.
    """

    rank: int = bounded(8, "[2, inf]")
    alpha: int = bounded(16, "[1, inf]")
    learning_rate: float = bounded(5e-4, "(0, inf]")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.rank % 2 == 0, "lora_orthogonal:rank", self.rank, "an even number, 2 or more")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.alpha, {"init_lora_weights": "orthogonal"})
