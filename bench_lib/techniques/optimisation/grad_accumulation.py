"""The same batch in smaller parts."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class GradAccumulation(
    Technique,
    name="grad_accumulation",
    family="optimisation",
    paper="Ott et al. 2018, arXiv:1806.00187",
    identity={"parts": 1},
    trimmable=True,
):
    """Split each batch into parts and add up their gradients, so that less memory serves the same effective batch.

    g = sum over the parts of share_i * g_i, where share_i is the part of the batch's targets that part i holds

    Ott et al. 2018, "Scaling Neural Machine Translation", section 3, who delay the update. Source:
    facebookresearch/fairseq:examples/roberta/README.glue.md (`--update-freq`). Four parts is our choice; where the
    batch does not split into so many, the next smaller divisor of its size is taken, down to the batch as it is. What
    remains of a difference is rounding and other dropout masks.
    """

    parts: int = bounded(4, "[1, inf]")

    def configure(self, profile: Profile) -> Profile:
        """Split each part of a batch further, as far as the batch allows."""
        most = min(self.parts * profile.accumulate, profile.batch_size)
        parts = next(parts for parts in range(most, 0, -1) if profile.batch_size % parts == 0)
        return dataclasses.replace(profile, accumulate=parts)
