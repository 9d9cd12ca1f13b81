"""Mixout: at random, neurons have their pre-trained outgoing weights."""

from __future__ import annotations

from dataclasses import dataclass

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.dropout_rates import check_needed, set_dropout
from bench_lib.techniques.toolkit.mixing import mix_layers, pretrained_layers
from bench_lib.techniques.toolkit.peft_injection import LOW_RANK


@dataclass(frozen=True)
class Mixout(
    Technique,
    name="mixout",
    family="regularisation",
    paper="Lee et al. 2020, arXiv:1909.11299",
    identity={"p": 0.0},
    supersedes={
        "dropout+": "it takes all dropout away",
        "r_drop": "declined: it takes away the dropout that r_drop goes by",
        "mixconnect": "declined: the layers are mixed already",
        **dict.fromkeys(
            (*LOW_RANK, "adalora", "ia3"),
            "declined: peft knows plain linear layers only, and freezes the weights that are mixed",
        ),
    },
    version="2",  # draws for each input neuron without dropout; version 1 was what mixconnect is
    space={"p": (0.1, 0.7, 0.8, 0.9)},  # 0.1 as in public code, the rest as quoted by public notes on the paper
    trimmable=True,
):
    """In place of dropout, random input neurons of the linear layers get their pre-trained outgoing weights back.

    w_mix = ((1 - M) w + M u - p u) / (1 - p),  M ~ Bernoulli(p) for each input neuron,  u pre-trained

    Lee et al. 2020, "Mixout", equation 4; `mixconnect` draws for each weight. All linear layers of the body are mixed,
    but not their biases; the pooler's is where it is pre-trained. The new head has no pre-trained weights and is left
    out, where public code holds it to its random start. As there, every dropout of the model is 0 and p is 0.1; Lee et
    al. take 0.7 to 0.9, under an Adam without bias correction. The gradient is the equation's, (1 - M) / (1 - p) of
    that of w_mix; the authors' backward pass lacks the division.
    Source: bloodwass/mixout:mixout/mixout.py; asappresearch/revisit-bert-finetuning:run_glue.py and
    sample_commands/mixout.sh; nlpsoc/instability_measurement:ft_save_model.py; 0.7, of the main results, to 0.9 as
    quoted by public notes on the paper.
    """

    p: float = bounded(0.1, "[0, 1)")

    def prepare(self, training: Training) -> None:
        if self.p == 0:
            return
        mix_layers(training, pretrained_layers(training), self.p, True, self.name)
        set_dropout(training.model, 0.0)
        check_needed(training)
