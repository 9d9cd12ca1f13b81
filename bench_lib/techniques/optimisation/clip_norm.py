"""Clipping of the gradient's global norm."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class ClipNorm(
    Technique,
    name="clip_norm",
    family="optimisation",
    paper="Pascanu et al. 2013, arXiv:1211.5063",
    identity={"max_norm": float("inf")},
    version="2",
    space={"max_norm": (0.1, 0.5, 1.0)},  # our choice
    trimmable=True,
):
    """Scale the whole gradient down to a largest norm, the smaller one of this and the profile's.

    g <- g * min(1, max_norm / ||g||)

    Pascanu et al. 2013, "On the difficulty of training recurrent neural networks", algorithm 1. The baseline clips at
    1.0 already, as BERT's code does; a technique on top of it acts below 1.0 only, so the default is 0.1, our choice.
    The norm is that of all weights together, and larger the more there are. The gradient is clipped after the other
    techniques of a stack have changed it.
    Source: google-research/bert:optimization.py for 1.0.
    """

    max_norm: float = bounded(0.1, "(0, inf]", "above 0; inf for the profile's alone")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, clip_norm=min(profile.clip_norm, self.max_norm))
