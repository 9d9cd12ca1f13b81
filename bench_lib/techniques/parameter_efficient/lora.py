"""LoRA: low-rank updates of frozen weights."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.layouts import pattern, separate
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, expect, new_parts, wrap


@dataclass(frozen=True)
class LoRA(
    Technique,
    name="lora",
    family="parameter-efficient",
    paper="Hu et al. 2022, arXiv:2106.09685",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_lora.py shows that it starts as the baseline to the bit",
    supersedes={
        **OTHER_PARTS,
        **dict.fromkeys(("low_lr+", "scale_lr+"), "it sets a rate of its own, not one relative to the profile's"),
        "freeze_bottom+": "it freezes the body itself, and adds its parameters after",
        "+noisy_tune": "declined: the pre-trained weights are no more under their names",
        "prune_structured_heads": "declined: no output projection trains, by whose gradients heads are ranked",
        **dict.fromkeys(("l2_sp", "wd_pre", "recadam"), "declined: nothing trains that has a pre-trained value"),
    },
    space={
        "learning_rate": (4e-4, 5e-4, 1e-3, 3e-3, 1e-2),  # our choice above 5e-4
        "alpha": (8, 16, 32, 64),  # our choice but for 16
    },
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
        with optional("peft"):
            import peft  # heavy: only runs that use it pay for it

        layout = separate(training, self.name)
        config = peft.LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            # peft knows these by the type of the model, and not for every one that is built alike.
            target_modules=pattern(training, (layout.query, layout.value)),
            modules_to_save=new_parts(training),
        )
        wrap(training, self.name, config)
        expect(training, self.name, "lora_A", 2)
