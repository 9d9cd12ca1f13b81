"""The cosine schedule alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.core.spec import Profile, Scalar
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Cosine(Technique):
    """After the profile's warm-up of w steps, the learning rate falls to zero along half a cosine wave.

    lr_t = lr * (1 + cos(pi * (t - w) / (steps - w))) / 2 for t >= w

    Loshchilov & Hutter 2017, "SGDR", with one cycle and no restart, ending at zero. Source: their rule with a minimum
    of 0, as quoted by public notes on the paper.
    """

    name: ClassVar[str] = "cosine"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = "Loshchilov & Hutter 2017, arXiv:1608.03983"
    identity: ClassVar[Mapping[str, Scalar] | None] = None
    no_identity: ClassVar[str] = "a schedule is one or another; all else is the profile's"
    supersedes: ClassVar[Mapping[str, str]] = {"constant+": "a schedule is one or another, the last that is asked for"}

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, schedule="cosine")
