"""DoRA: low-rank updates of a weight's direction beside its length."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank, low_rank_layers
from bench_lib.techniques.toolkit.peft_injection import read_in_fp32


@dataclass(frozen=True)
class DoRA(
    Technique,
    name="dora",
    family="parameter-efficient",
    paper="Liu et al. 2024, arXiv:2402.09353",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (2e-4, 4e-4, 5e-4, 1e-3, 3e-3),  # 2e-4 as in the authors' script, the rest our choice
        "alpha": (8, 16, 32, 64),  # our choice but for 16
    },
    trimmable=True,
):
    """LoRA that learns the length of each output's weights apart from their direction; the new head trains whole.

    W <- m * V / ||V||,  V = W_pretrained + (alpha / rank) * B A,  the norm of each row;  at the start B = 0 and
    m = ||W_pretrained||, A random

    Liu et al. 2024, "DoRA: Weight-Decomposed Low-Rank Adaptation", through peft, which takes the norm for a constant in
    the gradient as section 4.3 does. Rank, alpha and rate are LoRA's for RoBERTa-base, so that the lengths alone
    differ; the authors' scripts, for Llama of 7 and 8 billion weights, have alpha twice the rank as well, the rate 2e-4
    and more layers.
    Source: NVlabs/DoRA:commonsense_reasoning/llama2_7B_DoRA.sh and README.md;
    huggingface/peft:src/peft/tuners/lora/dora.py.
    """

    rank: int = bounded(8, "[1, inf]")
    alpha: int = bounded(16, "[1, inf]")
    learning_rate: float = bounded(5e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.alpha, {"use_dora": True})
        # Their lengths are part of every pass.
        read_in_fp32(training).extend(layer.get_base_layer().weight for layer in low_rank_layers(training).values())
