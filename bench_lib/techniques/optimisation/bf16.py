"""Training in bfloat16."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class BF16(
    Technique,
    name="bf16",
    family="optimisation",
    paper="Kalamkar et al. 2019, arXiv:1905.12322",
    identity=None,
    no_identity="a precision is one or another; its test shows that it equals the profile in that precision",
    supersedes={"fp16": "a precision is one or another, the last that is asked for"},
    trimmable=True,
):
    """Multiply matrices in bfloat16 by autocast; weights, updates and loss stay in fp32.

    W x ~ bf16(W) bf16(x), with 8 significant bits and the exponents of fp32

    Kalamkar et al. 2019, "A Study of BFLOAT16 for Deep Learning Training". It equals the baseline where the profile is
    in this precision already, as most are. No update is lost, since the weights stay in fp32. Of their
    rounded copies, which are multiplied, a step of 2e-5 changes 21 % at a spread of 0.05; the others follow as steps
    add up.
    Source: abstract of Kalamkar et al. 2019, by which no hyper-parameter changes.
    """

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, precision="bf16")
