"""NEFTune: noise on the word embeddings."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from bench_lib.errors import require
from bench_lib.spec import Scalar
from bench_lib.techniques.adversarial import backward_at, uniform_noise
from bench_lib.techniques.base import Technique
from bench_lib.techniques.training import Step


@dataclass(frozen=True)
class NEFTune(Technique):
    """Train with uniform noise on the word embeddings, the smaller the longer the text.

    e <- e + alpha / sqrt(L d) * z,  z ~ U(-1, 1) for each value;  L the real tokens of that sequence, d values each

    Jain et al. 2024, "NEFTune: Noisy Embeddings Improve Instruction Finetuning", algorithm 1; alpha 5 is the least of
    the 5, 10 and 15 that they try. L is counted for each sequence, as their experiments' code does (the short example
    of their repository, and transformers after it, take the padded length and put noise on padding); real tokens are
    those that are neither padding nor special, where theirs count the special ones and put noise on them.
    """

    name: ClassVar[str] = "neftune"
    family: ClassVar[str] = "adversarial"
    paper: ClassVar[str] = "Jain et al. 2024, arXiv:2310.05914"
    neutral: ClassVar[Mapping[str, Scalar] | None] = {"alpha": 0.0}

    alpha: float = 5.0

    def __post_init__(self) -> None:
        require(0 <= self.alpha < math.inf, "neftune:alpha", self.alpha, "0 or more, finite")

    def backward(self, step: Step) -> Tensor:
        return backward_at(step, uniform_noise(step, self.alpha, self.name) if self.alpha else None)
