"""The constant schedule alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.core.spec import Profile, Scalar
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Constant(Technique):
    """After the profile's warm-up of w steps, the learning rate stays where it is.

    lr_t = lr for t >= w

    A control of ours, without a source: the schedules of fine-tuning let the rate fall to zero or nearly so, and this
    shows what the fall is worth.
    """

    name: ClassVar[str] = "constant"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = (
        "control, against Devlin et al. 2019, arXiv:1810.04805; Howard & Ruder 2018, arXiv:1801.06146"
    )
    identity: ClassVar[Mapping[str, Scalar] | None] = None
    no_identity: ClassVar[str] = "a schedule is one or another; all else is the profile's"

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, schedule="constant_with_warmup")
