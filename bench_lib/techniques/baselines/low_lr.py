"""A smaller learning rate alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class LowLr(
    Technique,
    name="low_lr",
    family="baselines",
    paper="Mosbach et al. 2021, arXiv:2006.04884",
    identity={"factor": 1.0},
    trimmable=True,
):
    """The profile's learning rate times a factor, everything else being equal.

    lr <- factor * lr

    Mosbach et al. 2021 recommend low rates with longer training, and try 5e-5 down to 1e-5. Source:
    uds-lsv/bert-stable-fine-tuning:examples/bert_stable_fine_tuning/configs/rte. Half the profile's rate is our choice
    within that range.
    """

    factor: float = bounded(0.5, "(0, 1]")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=profile.learning_rate * self.factor)
