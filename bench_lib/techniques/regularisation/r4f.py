"""R4F: R3F with a head that cannot magnify."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.consistency import noisy_loss


class FullPrecision(nn.Module):
    """A parametrisation outside of autocast, which would take the largest singular value in half precision."""

    def __init__(self, inner: nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, weight: Tensor) -> Tensor:
        with torch.autocast(weight.device.type, enabled=False):
            changed: Tensor = self.inner(weight)
        return changed


@dataclass(frozen=True)
class R4F(
    Technique,
    name="r4f",
    family="regularisation",
    paper="Aghajanyan et al. 2021, arXiv:2008.03156",
    identity={"weight": 0.0, "spectral": False},
    version="2",  # the noisy pass has dropout masks of its own, where version 1 had the same
    space={
        "weight": (0.5, 1.0, 5.0),  # 1 as in their code, the rest our choice
        "epsilon": (1e-5, 1e-4, 1e-3, 1e-2),  # our choice above 1e-5
    },
    trimmable=True,
):
    """R3F, and the last linear layer of the new head divided by its largest singular value.

    L = CE(f(x)) + weight * (KL(f(x) || f(x + z)) + KL(f(x + z) || f(x))),  z ~ U(-epsilon, epsilon);
    W = V / sigma_max(V) in the head, V trained, by one power iteration a micro-batch

    Aghajanyan et al. 2021, "Better Fine-Tuning by Reducing Representational Collapse"; epsilon 1e-5 and weight 1.0 are
    the defaults of their code, which normalises the head by `--spectral-norm-classification-head`. Source:
    facebookresearch/fairseq:examples/rxf/rxf_src/sentence_prediction_r3f.py and examples/rxf/README.md. Both passes see
    the same W. Epsilon, `same_masks` and the divergence of numbers are those of `r3f`.
    """

    weight: float = bounded(1.0, "[0, inf]")
    epsilon: float = bounded(1e-5, "(0, inf]")
    same_masks: bool = False
    spectral: bool = True

    def passes_in_fp32(self) -> bool:
        return bool(self.weight)

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self.weight else (1, 1)

    def prepare(self, training: Training) -> None:
        if not self.spectral:
            return
        layer = last_layer(training)
        with training.seeded("init", "r4f"):
            spectral_norm(layer)
        chain = cast(nn.ModuleList, layer.get_submodule("parametrizations.weight"))
        chain[0] = FullPrecision(chain[0])

    def backward(self, step: Step) -> Tensor:
        with parametrize.cached():
            loss = noisy_loss(step, self.epsilon, self.weight, self.same_masks)
        step.backward(loss)
        return loss.detach()


def last_layer(training: Training) -> nn.Linear:
    """The last linear layer in training outside of the model's body."""
    layers = [
        module
        for name, module in training.model.named_modules()
        if isinstance(module, nn.Linear) and not training.architecture.in_body(name) and module.weight.requires_grad
    ]
    if not layers:
        raise Unsupported("r4f finds no linear layer in the head that it could normalise")
    return layers[-1]
