"""Training in half precision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.spec import Profile, Scalar
from bench_lib.techniques.base import Technique


@dataclass(frozen=True)
class FP16(Technique):
    """Multiply matrices in fp16 by autocast, with the loss scaled so that small gradients are not lost.

    g = grad(scale * L) / scale,  scale <- scale / 2 and no update where g is not finite

    Micikevicius et al. 2018, "Mixed Precision Training", section 3, with the dynamic scale of torch's GradScaler, which
    starts at 65,536: the first updates may be skipped until it fits. A CPU without fp16 arithmetic emulates it, at many
    times the time of fp32.
    """

    name: ClassVar[str] = "fp16"
    family: ClassVar[str] = "optimisation"
    paper: ClassVar[str] = "Micikevicius et al. 2018, arXiv:1710.03740"
    neutral: ClassVar[Mapping[str, Scalar] | None] = None

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, precision="fp16")
