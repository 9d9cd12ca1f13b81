"""Another learning rate, which is what every technique is tuned by."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class ScaleLr(
    Technique,
    name="scale_lr",
    family="baselines",
    paper="control, for tuning",
    identity={"factor": 1.0},
    trimmable=True,
):
    """The learning rate times any factor: that of the profile, or of the techniques before it that set one.

    lr <- factor * lr

    A control of ours, without a source: `stabbench tune` tries factors from 1/4 to 4 with every technique, so that the
    baseline is tuned as all others are; `low_lr` is the lower rate that papers recommend. A `budget` says that a tuning
    with so many trainings of the baseline chose the factor and the settings before it. It changes nothing but the run's
    id, so that a tuned arm is never taken for a run of the same settings that nobody tuned, or for another tuning's.
    """

    factor: float = bounded(2.0, "(0, inf)")
    budget: int | None = bounded(None, "[1, inf] or None", "1 or more, or None where nothing was tuned")

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=profile.learning_rate * self.factor)
