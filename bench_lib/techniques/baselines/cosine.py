"""The cosine schedule alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Cosine(
    Technique,
    name="cosine",
    family="baselines",
    paper="Loshchilov & Hutter 2017, arXiv:1608.03983",
    identity=None,
    no_identity="a schedule is one or another; all else is the profile's",
    supersedes={"constant+": "a schedule is one or another, the last that is asked for"},
    trimmable=True,
):
    """After the profile's warm-up of w steps, the learning rate falls to zero along half a cosine wave.

    lr_t = lr * (1 + cos(pi * (t - w) / (steps - w))) / 2 for t >= w

    Loshchilov & Hutter 2017, "SGDR", with one cycle and no restart, ending at zero. Source: their rule with a minimum
    of 0, as quoted by public notes on the paper.
    """

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, schedule="cosine")
