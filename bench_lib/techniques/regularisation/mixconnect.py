"""Mixconnect: at random, single weights have their pre-trained values."""

from __future__ import annotations

from dataclasses import dataclass

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.mixing import mix_layers, pretrained_layers


@dataclass(frozen=True)
class MixConnect(
    Technique,
    name="mixconnect",
    family="regularisation",
    paper="Lee et al. 2020, arXiv:1909.11299",
    identity={"p": 0.0},
    space={"p": (0.1, 0.7, 0.8, 0.9)},  # those of mixout; none are published for single weights
    trimmable=True,
):
    """Beside dropout, random single weights of the linear layers of the blocks get their pre-trained value back.

    w_mix = ((1 - M) w + M u - p u) / (1 - p),  M ~ Bernoulli(p) for each weight,  u pre-trained

    Lee et al. 2020, "Mixout", with a draw for each weight instead of each input neuron, to which their code gives this
    name. It is version 1 of `mixout` to the bit: dropout stays; pooler, head and biases are left out. p 0.1 is what is
    published for `mixout`.
    Source: bloodwass/mixout:README.md.
    """

    p: float = bounded(0.1, "[0, 1)")

    def prepare(self, training: Training) -> None:
        if self.p == 0:
            return
        layers = pretrained_layers(training)
        lower = {name: layer for name, layer in layers.items() if training.architecture.is_pretrained(f"{name}.weight")}
        mix_layers(training, lower, self.p, False, self.name)
