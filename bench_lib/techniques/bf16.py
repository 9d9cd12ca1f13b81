"""Training in bfloat16."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from bench_lib.spec import Profile, Scalar
from bench_lib.techniques.base import Technique


@dataclass(frozen=True)
class BF16(Technique):
    """Multiply matrices in bfloat16 by autocast; weights, updates and loss stay in fp32.

    W x ~ bf16(W) bf16(x), with 8 significant bits and the exponents of fp32

    Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training". It equals the baseline where the profile is
    in this precision already, as most are.
    """

    name: ClassVar[str] = "bf16"
    family: ClassVar[str] = "optimisation"
    paper: ClassVar[str] = "Kalamkar et al. 2019, arXiv:1905.12322"
    neutral: ClassVar[Mapping[str, Scalar] | None] = None

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, precision="bf16")
