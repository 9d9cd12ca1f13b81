"""StableAdamW: AdamW that slows down where its second moment lags behind."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.optimizers import parameter_groups
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class StableAdamW(
    Technique,
    name="stable_adamw",
    family="optimisation",
    paper="Wortsman et al. 2023, arXiv:2304.13013",
    identity=None,
    no_identity="an optimiser of another rule; its test shows the published steps",
    space={
        "beta2": (0.9, 0.98, 0.99, 0.999),  # our choice
        "threshold": (0.5, 1.0, 2.0),  # our choice
    },
    no_trimming="it slows a matrix by a mean over all of its elements, those of tokens that no text has among them",
):
    """AdamW whose rate falls, tensor by tensor, where a gradient is larger than its second moment expects.

    theta <- theta - lr * wd * theta - lr / max(1, rms / threshold) * v / (sqrt(u) + eps),
    rms = sqrt(mean(g^2 / max(u, eps^2))) over the tensor,  v and u the unbiased moments of Adam, this g among them

    Wortsman et al. 2023, "Stable and low-loss mixed-precision training for large-scale vision-language models",
    algorithm 2: beta2 0.99 and threshold 1, from pre-training; rates, beta1 and eps are the profile's. The decay has
    the whole rate, as in the author's code, where common ports have the lowered one. `reported` has the share of steps
    and tensors that were slowed.
    Source: gist mitchellnw/d42e22a0b9ec02ceaf4f7b4457f51423; warner-benjamin/optimi:optimi/stableadamw.py.
    """

    beta2: float = bounded(0.99, "[0, 1)", "0 or more, below 1")
    threshold: float = bounded(1.0, "(0, inf]")

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return _Stable(parameter_groups(groups), (profile.beta1, self.beta2), profile.eps, self.threshold)

    def after_update(self, training: Training) -> None:
        if training.step + 1 == training.total_steps and isinstance(training.optimizer, _Stable):
            training.report(self.name, "slowed", training.optimizer.slowed_share())


class _Stable(torch.optim.Optimizer):
    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float], eps: float, threshold: float) -> None:
        super().__init__(groups, {"betas": betas, "eps": eps})
        self.threshold, self.steps = threshold, 0
        self.slowed: Tensor | float = 0.0  # on the device, read once

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]  # as it is called
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad, group)

    def _move(self, parameter: nn.Parameter, gradient: Tensor, group: dict[str, Any]) -> None:
        state = self.state[parameter]
        if not state:
            state.update(step=0, v=torch.zeros_like(parameter), u=torch.zeros_like(parameter))
        state["step"] += 1
        v, u, eps = state["v"], state["u"], group["eps"]
        weights = [(1 - beta) / (1 - beta ** state["step"]) for beta in group["betas"]]  # of the new in unbiased means
        v.lerp_(gradient, weights[0])
        u.lerp_(gradient.square(), weights[1])
        rms = (gradient.square() / u.clamp(min=eps**2)).mean().sqrt()
        slower = (rms / self.threshold).clamp(min=1.0)
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_(v / (u.sqrt() + eps) * (group["lr"] / slower))
        self.steps += 1
        self.slowed = self.slowed + (slower > 1).float()

    def slowed_share(self) -> float:
        return float(self.slowed) / max(1, self.steps)
