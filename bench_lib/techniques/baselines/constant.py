"""The constant schedule alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Constant(
    Technique,
    name="constant",
    family="baselines",
    paper="control, against Devlin et al. 2019, arXiv:1810.04805; Howard & Ruder 2018, arXiv:1801.06146",
    identity=None,
    no_identity="a schedule is one or another; all else is the profile's",
    trimmable=True,
):
    """After the profile's warm-up of w steps, the learning rate stays where it is.

    lr_t = lr for t >= w

    A control of ours, without a source: the schedules of fine-tuning let the rate fall to zero or nearly so, and this
    shows what the fall is worth.
    """

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, schedule="constant_with_warmup")
