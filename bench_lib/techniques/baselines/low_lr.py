"""A smaller learning rate alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.core.errors import require
from bench_lib.core.spec import Profile, Scalar
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class LowLr(Technique):
    """The profile's learning rate times a factor, everything else being equal.

    lr <- factor * lr

    Mosbach et al. 2021 recommend low rates with longer training, and try 5e-5 down to 1e-5. Source:
    uds-lsv/bert-stable-fine-tuning:examples/bert_stable_fine_tuning/configs/rte. Half the profile's rate is our choice
    within that range.
    """

    name: ClassVar[str] = "low_lr"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = "Mosbach et al. 2021, arXiv:2006.04884"
    identity: ClassVar[Mapping[str, Scalar] | None] = {"factor": 1.0}

    factor: float = 0.5

    def __post_init__(self) -> None:
        require(0 < self.factor <= 1, "low_lr:factor", self.factor, "above 0, at most 1")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=profile.learning_rate * self.factor)
