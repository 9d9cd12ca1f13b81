"""rsLoRA: LoRA whose updates are divided by the root of the rank."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank


@dataclass(frozen=True)
class RSLoRA(
    Technique,
    name="rslora",
    family="parameter-efficient",
    paper="Kalajdzievski 2023, arXiv:2312.03732",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (1e-4, 4e-4, 5e-4, 1e-3, 3e-3),  # our choice
        "alpha": (8, 16, 32, 64),  # our choice
    },
    trimmable=True,
):
    """LoRA with a scale that does not fade as the rank rises, through peft; the new head trains whole.

    W <- W_pretrained + (alpha / sqrt(rank)) * B A,  A random, B = 0 at the start

    Kalajdzievski 2023, "A Rank Stabilization Scaling Factor for Fine-Tuning with LoRA". Rank, alpha and rate are
    LoRA's for RoBERTa-base, so that the divisor alone differs: it is 2.83 in place of 8, and the scale 5.66 in place
    of 2. Compare it with `lora` at equal alpha, and with `lora:alpha=45` at nearly equal scale; it differs from both
    in kind at ranks other than 8 only.
    Source: huggingface/peft:src/peft/tuners/lora/layer.py; the paper's alpha and rates are not verified.
    """

    rank: int = bounded(8, "[1, inf]")
    alpha: int = bounded(16, "[1, inf]")
    learning_rate: float = bounded(5e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.alpha, {"use_rslora": True})
