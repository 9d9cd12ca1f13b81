"""Pre-trained weight decay, as its authors name and set it."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.pretrained_anchors import SlowPull, anchors, with_start, without_decay


@dataclass(frozen=True)
class WdPre(
    Technique,
    name="wd_pre",
    family="regularisation",
    paper="Zhang et al. 2021, arXiv:2006.05987",
    identity={"strength": 0.0},
    version="2",  # matrices alone, and sums of small pulls, which version 1 lost in rounding
    space={
        "strength": (
            1.0,
            10.0,
            100.0,
            1000.0,
        ),  # our choice: the published strength does next to nothing in a short run
    },
    trimmable=True,
):
    """Decoupled weight decay whose target is the pre-trained weights, for the matrices of the body.

    theta <- theta - lr * strength * (theta - theta_pretrained), in place of the decay towards zero

    Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", section 6; strength 1e-3 is that of their script. It is
    weak: a whole run shrinks the distance by exp(-strength * sum of lr), at 2e-5 and 1,000 steps of a linear schedule
    by 1e-5 of itself, and strengths that show begin at 1 / sum of lr, here 100. Each pull is far less than fp32 tells
    apart beside a weight, and would be lost whole; ours are summed up apart until they count. It acts after the step,
    as in nlpsoc's code, where the authors' acts before it. Theirs pulls the head to its random start as well, past a
    test that was to leave it out; here the new head, and a pooler that was not pre-trained, decay as in the baseline.
    Source: asappresearch/revisit-bert-finetuning:prior_wd_optim.py and sample_commands/pretrained_wd.sh;
    nlpsoc/instability_measurement:model_utils.py.
    """

    strength: float = bounded(1e-3, "[0, 1000]")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        return without_decay(groups, self._pulled(training)) if self.strength else groups

    def after_update(self, training: Training) -> None:
        if self.strength:
            slow = training.keep(self, lambda: SlowPull(anchors(training, self._pulled(training))))
            slow.step(training, self.strength)

    def _pulled(self, training: Training) -> dict[str, nn.Parameter]:
        return with_start(training, self.name, matrices_only=True)
