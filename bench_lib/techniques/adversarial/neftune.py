"""NEFTune: noise on the word embeddings."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.embedding_perturbation import backward_at, uniform_noise


@dataclass(frozen=True)
class NEFTune(
    Technique,
    name="neftune",
    family="adversarial",
    paper="Jain et al. 2024, arXiv:2310.05914",
    identity={"alpha": 0.0},
    space={"alpha": (0.5, 1.0, 5.0, 10.0, 15.0)},  # 5 to 15 as quoted by public notes on the paper, less is our choice
    trimmable=True,
):
    """Train with uniform noise on the word embeddings, the smaller the longer the text.

    e <- e + alpha / sqrt(L d) * z,  z ~ U(-1, 1) for each value;  L the real tokens of that sequence, d values each

    Jain et al. 2024, "NEFTune: Noisy Embeddings Improve Instruction Finetuning", algorithm 1. Source of alpha 5:
    neelsjain/NEFTune:README.md, whose example, and transformers after it, takes the padded length for L and puts noise
    on padding. Here L is counted for each sequence; real tokens are those that are neither padding nor special, where
    theirs count the special ones and put noise on them. The noise is absolute: how much it is hangs on the length of
    the model's embeddings. At alpha 5 a token of a text of 32 gets noise of length alpha / sqrt(3 L) = 0.51, and a word
    embedding of minilm has a length of 1.07.
    """

    alpha: float = bounded(5.0, "[0, inf)")

    def backward(self, step: Step) -> Tensor:
        return backward_at(step, uniform_noise(step, self.alpha, self.name) if self.alpha else None)
