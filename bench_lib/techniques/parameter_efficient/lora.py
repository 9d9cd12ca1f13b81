"""LoRA: low-rank updates of frozen weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank


@dataclass(frozen=True)
class LoRA(
    Technique,
    name="lora",
    family="parameter-efficient",
    paper="Hu et al. 2022, arXiv:2106.09685",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_lora.py shows that it starts as the baseline to the bit",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (4e-4, 5e-4, 1e-3, 3e-3, 1e-2),  # our choice above 5e-4
        "alpha": (8, 16, 32, 64),  # our choice but for 16
    },
    trimmable=True,
):
    """Queries and values learn a low-rank update of their frozen weights, through peft; the new head trains whole.

    W <- W_pretrained + (alpha / rank) * B A,  A random, B = 0 at the start

    Hu et al. 2022, "LoRA", section 4: rank 8, alpha 16 and rate 5e-4 are the authors' command for RoBERTa-base on RTE,
    for 80 epochs from what it learnt on MNLI; for MRPC the rate is 4e-4, over 30 epochs. A few epochs from the start
    are little at these rates.
    Source: microsoft/LoRA:examples/NLU/roberta_base_rte.sh and roberta_base_mrpc.sh.
    """

    rank: int = bounded(8, "[1, inf]")
    alpha: int = bounded(16, "[1, inf]")
    learning_rate: float = bounded(5e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.alpha)
