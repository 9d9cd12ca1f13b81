"""Another length of the warm-up alone."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class Warmup(
    Technique,
    name="warmup",
    family="baselines",
    paper="Liu et al. 2019, arXiv:1907.11692; Devlin et al. 2019, arXiv:1810.04805",
    identity={"share": None},
    space={"share": (0.06, 0.1, 0.25)},
    trimmable=True,
):
    """Raise the learning rate from zero over another share of the steps; None keeps the profile's.

    lr_t = lr * t / (share * steps) at the steps t before share * steps, rounded to whole steps

    Liu et al. 2019, "RoBERTa", take 0.06 in fine-tuning, but 0.25 for QQP; the baseline takes 0.1, at which this
    technique would do nothing.
    Source: facebookresearch/fairseq:examples/roberta/README.glue.md.
    """

    share: float | None = bounded(0.06, "[0, 1] or None", "a share of the steps, 0 to 1; None to keep")

    def configure(self, profile: Profile) -> Profile:
        return profile if self.share is None else dataclasses.replace(profile, warmup=self.share)
