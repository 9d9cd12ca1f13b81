"""Training in half precision."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class FP16(
    Technique,
    name="fp16",
    family="optimisation",
    paper="Micikevicius et al. 2018, arXiv:1710.03740",
    identity=None,
    no_identity="a precision is one or another; its test shows that it equals the profile in that precision",
    version="2",  # on a CPU its products are summed in fp32, where version 1 had torch's own kernels
    trimmable=True,
):
    """Multiply matrices in fp16 by autocast, with the loss scaled so that small gradients are not lost.

    g = grad(scale * L) / scale,  scale <- scale / 2 and no update where g is not finite

    Micikevicius et al. 2018, "Mixed Precision Training", section 3, with the dynamic scale of torch's GradScaler, which
    starts at 65,536: the first updates may be skipped until it fits. On a CPU the linear layers round to fp16 and
    multiply in fp32, as tensor cores add up: the precision is fp16's, the time is no less than that of fp32. No
    update is lost, since the weights stay in fp32; of their rounded copies, which are multiplied, a step of 2e-5
    changes 75 % at a spread of 0.05.
    Source: abstract of Micikevicius et al. 2018; torch.amp.GradScaler, whose scale also doubles after 2,000 updates
    without overflow.
    """

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, precision="fp16")
