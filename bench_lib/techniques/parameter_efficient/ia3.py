"""(IA)^3: frozen activations are rescaled."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.layouts import Layout, separate_stacks
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, expect, new_parts, wrap


@dataclass(frozen=True)
class IA3(
    Technique,
    name="ia3",
    family="parameter-efficient",
    paper="Liu et al. 2022, arXiv:2205.05638",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    supersedes=OTHER_PARTS,
    space={"learning_rate": (1e-3, 3e-3, 1e-2, 3e-2)},  # our choice but for 3e-3
    trimmable=True,
):
    """Keys, values and the inner activations of the feed-forward parts are scaled by learnt vectors, through peft.

    k <- l_k * k,  v <- l_v * v,  W_2 gelu(W_1 h) <- W_2 (l_ff * gelu(W_1 h)),  l = 1 at the start

    Liu et al. 2022, "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper than In-Context Learning"; rate
    3e-3 as in the authors' configuration for T5, over 1,000 steps. peft's own choice of layers for BERT would scale the
    input of the attention's output as well, which is not in the paper. The vectors do not decay, which would pull the
    factors to 0 and not to 1. The new head trains whole.
    Source: r-three/t-few:configs/ia3.json.
    """

    learning_rate: float = bounded(3e-3, "(0, inf]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        with optional("peft"):
            import peft  # heavy: only runs that use it pay for it

        stacks = separate_stacks(training, self.name)
        config = peft.IA3Config(
            target_modules=stacks.pattern(_scaled),
            feedforward_modules=stacks.pattern(lambda layout: (layout.outer,)),
            modules_to_save=new_parts(training),
        )
        wrap(training, self.name, config)
        expect(training, self.name, "ia3_l", stacks.count(_scaled))

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        split: list[Group] = []
        for group in groups:
            factors = {n: p for n, p in group.parameters.items() if ".ia3_l." in n}
            others = {n: p for n, p in group.parameters.items() if n not in factors}
            split += [
                dataclasses.replace(group, parameters=factors, weight_decay=0.0),
                dataclasses.replace(group, parameters=others),
            ]
        return [group for group in split if group.parameters]


def _scaled(layout: Layout) -> tuple[str, str, str]:
    return layout.key, layout.value, layout.outer
