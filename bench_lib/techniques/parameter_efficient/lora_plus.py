"""LoRA+: the factor that starts at zero learns faster."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from torch import nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.low_rank import LOW_RANK_SUPERSEDES, add_low_rank


@dataclass(frozen=True)
class LoRAPlus(
    Technique,
    name="lora_plus",
    family="parameter-efficient",
    paper="Hayou et al. 2024, arXiv:2402.12354",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    supersedes=LOW_RANK_SUPERSEDES,
    space={
        "learning_rate": (5e-5, 1e-4, 2e-4, 4e-4, 1e-3),  # 5e-5 and 1e-4 as in the authors' code, the rest our choice
        "ratio": (4.0, 10.0, 16.0, 20.0),  # 20 as in the authors' code, the rest our choice
    },
    trimmable=True,
):
    """LoRA whose B has a higher learning rate than its A; the new head trains whole.

    W <- W_pretrained + (alpha / rank) * B A,  A random, B = 0 at the start;  rate of B = ratio * rate of A

    Hayou et al. 2024, "LoRA+: Efficient Low Rank Adaptation of Large Models"; rank, alpha, rate and ratio are the
    authors' for RoBERTa-base on MNLI, where queries and keys are updated. As in their code, and in peft's, vectors have
    the rate of B, the bias of the head among them, and the matrix of the head that of A. A technique after it that sets
    rates by layer multiplies them. At ratio 1 it is `lora`.
    Source: nikhil-ghosh-berkeley/loraplus:glue/scripts/run_roberta_lora.sh;
    huggingface/peft:src/peft/optimizers/loraplus.py.
    """

    rank: int = bounded(8, "[1, inf]")
    alpha: int = bounded(8, "[1, inf]")
    ratio: float = bounded(20.0, "(0, inf)")
    learning_rate: float = bounded(1e-4, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        add_low_rank(training, self.name, self.rank, self.alpha)

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        """Those of higher rate first, since the last group's rate stands for the run."""
        split = []
        for fast, factor in ((True, self.ratio), (False, 1.0)):
            for group in groups:
                chosen = {n: p for n, p in group.parameters.items() if _fast(n, p) == fast}
                if chosen:
                    split.append(Group(chosen, group.learning_rate * factor, group.weight_decay))
        return split


def _fast(name: str, parameter: nn.Parameter) -> bool:
    return ".lora_B." in name or parameter.dim() == 1
