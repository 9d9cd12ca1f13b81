"""AdaGC: each tensor's gradient is clipped at its own usual norm."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training, with_gradients
from bench_lib.techniques.interface.technique import Technique

LEAST = 1e-8
"""Norms below it count as this."""


@dataclass(frozen=True)
class AdaGC(
    Technique,
    name="adagc",
    family="optimisation",
    paper="Wang et al. 2025, arXiv:2502.11034",
    identity={"relative": float("inf")},
    supersedes={"clip_norm+": "it clips in place of the whole gradient's norm"},
    space={
        "relative": (1.01, 1.05, 1.1, 1.5),  # our choice but for 1.05
        "smoothing": (0.9, 0.98, 0.99),  # our choice but for 0.98
    },
    trimmable=True,
):
    """Scale down the gradient of each tensor whose norm is above a moving average of its norms.

    g <- g * min(1, relative * gamma / ||g||);  gamma <- smoothing * gamma + (1 - smoothing) * ||g||;  in the first
    warmup * steps of the run  g <- g * min(1, absolute / ||all g||),  gamma <- min(gamma, ||g||)

    Wang et al. 2025, "AdaGC: Improving Training Stability for Large Language Model Pretraining"; relative 1.05,
    smoothing 0.98 and absolute 1 are pytorch-optimizer's, as is the order of what happens. Its 100 steps before gamma
    acts are whole runs here: a tenth of the run is our choice. The profile's clipping is left out. It only changes
    gradients, so that it stacks with any optimiser.
    Source: kozistr/pytorch_optimizer:pytorch_optimizer/optimizer/adagc.py; the paper's settings are not verified.
    """

    relative: float = bounded(1.05, "(0, inf]", "above 0; inf for no clipping of its own")
    smoothing: float = bounded(0.98, "[0, 1)", "0 or more, below 1")
    absolute: float = bounded(1.0, "(0, inf]")
    warmup: float = bounded(0.1, "[0, 1]", "a share of the steps, 0 to 1")

    def configure(self, profile: Profile) -> Profile:
        return profile if math.isinf(self.relative) else dataclasses.replace(profile, clip_norm=math.inf)

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        found = with_gradients(training)
        if math.isinf(self.relative) or not found:
            return
        gradients = [gradient for _, gradient in found.values()]
        norms = torch.stack(torch._foreach_norm(gradients)).float()  # (tensors,)
        usual = training.keep(self, dict[str, Tensor])
        unknown = norms.new_tensor(math.inf)
        before = torch.stack([usual.get(name, unknown) for name in found])
        # A tensor that starts to train later begins as all did.
        early = before.isinf() | (training.step < round(self.warmup * training.total_steps))
        whole = norms.norm()
        late_scales = self.relative * before.clamp_min(LEAST) / norms.clamp_min(LEAST)
        scales = torch.where(early, self.absolute / whole.clamp_min(LEAST), late_scales).clamp_max(1.0)
        after = torch.where(early, before.minimum(norms * scales), before.lerp(norms * scales, 1 - self.smoothing))
        # A gradient that overflowed in fp16 leaves no trace.
        usual.update(zip(found, torch.where(whole.isfinite(), after, before).unbind(), strict=True))
        torch._foreach_mul_(gradients, [scale.to(g.dtype) for scale, g in zip(scales, gradients, strict=True)])
