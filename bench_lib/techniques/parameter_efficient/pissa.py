"""PiSSA: LoRA of the largest singular values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.errors import Unsupported
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank, factors, low_rank_layers


@dataclass(frozen=True)
class PiSSA(
    Technique,
    name="pissa",
    family="parameter-efficient",
    paper="Meng et al. 2024, arXiv:2404.02948",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; its test shows that it starts as the baseline up to rounding",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (2e-5, 1e-4, 2e-4, 5e-4, 1e-3),  # 2e-5 as in the authors' script, the rest our choice
        "rank": (4, 8, 16, 32),  # our choice
    },
    trimmable=True,
):
    """The largest singular values of queries and values train, with their vectors; what is left of them is frozen.

    W = W_rest + B A,  A = sqrt(S) V^T,  B = U sqrt(S) at the start,  U S V^T the rank largest of W_pretrained's
    singular value decomposition,  W_rest = W_pretrained - U S V^T

    Meng et al. 2024, "PiSSA: Principal Singular Values and Singular Vectors Adaptation of Large Language Models",
    through peft. The scale is 1, as the authors have it, and their comparison changes nothing but the start; rank and
    rate are LoRA's for RoBERTa-base therefore. Their script for Llama 3 of 8 billion weights has rank 128 and rate
    2e-5. The frozen weights are others than those that were loaded, and a stored file, which has the factors alone,
    belongs to them. The decomposition is approximate, by 16 iterations from a draw of the stream `init`; the new head
    trains whole.
    Source: GraphPKU/PiSSA:README.md and scripts/run_pissa.sh.
    """

    rank: int = bounded(8, "[1, inf]")
    learning_rate: float = bounded(5e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.rank, {"init_lora_weights": "pissa_niter_16"})
        for name, layer in low_rank_layers(training).items():
            if (found := len(factors(layer)[0])) < self.rank:
                raise Unsupported(f"pissa: {name} has {found} singular values, below the rank of {self.rank}")
