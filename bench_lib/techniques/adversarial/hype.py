"""HyPe: noise on the input of every block."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from bench_lib.models.interventions import block_inputs_changed
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.dropout_rates import check_needed, dropout_places
from bench_lib.techniques.toolkit.embedding_perturbation import backward_at


@dataclass(frozen=True)
class HyPe(
    Technique,
    name="hype",
    family="adversarial",
    paper="Yuan et al. 2023, arXiv:2212.08853",
    identity={"epsilon": 0.0, "dropout": None},
    version="2",  # attention keeps its dropout, the noise is one-sided, and the pass is in fp32
    space={
        "normal": (False, True),
        "epsilon": (1e-5, 1e-4, 1e-3, 1e-2),  # our choice above 1e-5
    },
    trimmable=True,
):
    """Train with a little noise on the input of every block, in place of dropout on hidden states.

    h <- h + z before each block,  z ~ U(0, epsilon) for each value, or N(0, epsilon^2) if normal

    Yuan et al. 2023, "HyPe: Better Pre-trained Language Model Fine-tuning with Hidden Representation Perturbation".
    Source: Yuanhy1997/HyPe:main.py and hype_modeling_bert.py, where the command has epsilon 1e-5, hidden dropout 0 and
    the model's own dropout of attention, and uniform noise is never below 0. `dropout` is the rate of hidden states and
    of the head, which are one setting of BERT's; None keeps the model's or the profile's. All tokens get noise, the
    special ones too, but padding does not, where theirs, which nothing attends to, has no effect. Epsilon is absolute,
    beside hidden states that a norm has brought to about 1 for each value. In any profile the pass is in fp32, as
    theirs: in lower precision most of so small a noise would be lost in rounding.
    """

    epsilon: float = bounded(1e-5, "[0, inf)")
    normal: bool = False
    dropout: float | None = bounded(0.0, "[0, 1) or None")

    def prepare(self, training: Training) -> None:
        for site, place in dropout_places(training):
            if self.dropout is not None and place != "attention":
                site.set(self.dropout)
        check_needed(training)

    def passes_in_fp32(self) -> bool:
        return bool(self.epsilon)

    def backward(self, step: Step) -> Tensor:
        if not self.epsilon:
            return backward_at(step)
        training = step.training
        generator = training.generator("dropout", self.name, training.step, step.number)
        with block_inputs_changed(
            training.model, training.architecture, lambda h, text: h + self._noise(h, generator) * text.unsqueeze(-1)
        ):
            return backward_at(step, full_precision=True)

    def _noise(self, hidden: Tensor, generator: torch.Generator) -> Tensor:
        draws = torch.empty(hidden.shape)
        if self.normal:
            return draws.normal_(0, self.epsilon, generator=generator).to(hidden)
        return draws.uniform_(0, self.epsilon, generator=generator).to(hidden)
