"""More epochs alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Longer(
    Technique,
    name="longer",
    family="baselines",
    paper="Mosbach et al. 2021, arXiv:2006.04884",
    identity={"epochs": None},
    space={"epochs": (5, 10, 20)},  # 5 and 10 are our choice
    trimmable=True,
):
    """Train for more epochs, with warm-up and decay over all of them; None keeps the profile's number.

    epochs <- 20

    Mosbach et al. 2021, "On the Stability of Fine-tuning BERT", section 6: 20 epochs on small sets at a rate of 2e-5,
    with which the failed runs of shorter trainings disappear. Source:
    uds-lsv/bert-stable-fine-tuning:examples/bert_stable_fine_tuning/configs/rte. The rate and all else stay as the
    profile has them. What counts are the steps: their sets have 2,500 to 8,500 examples.
    """

    epochs: int | None = bounded(20, "[1, inf] or None")

    def configure(self, profile: Profile) -> Profile:
        return profile if self.epochs is None else dataclasses.replace(profile, epochs=self.epochs)
