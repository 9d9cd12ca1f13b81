"""R-Drop: two dropout masks should agree."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.consistency import disagreement
from bench_lib.techniques.toolkit.dropout_rates import need_dropout


@dataclass(frozen=True)
class RDrop(
    Technique,
    name="r_drop",
    family="regularisation",
    paper="Liang et al. 2021, arXiv:2106.14448",
    identity={"alpha": 0.0},
    version="2",  # the sum of both losses; version 1 had their mean, so that its alpha counts twice
    space={
        # 8 as in the BERT code at 16 rows, 1 as in the fairseq code, the rest not verified
        "alpha": (0.1, 0.5, 1.0, 8.0),
    },
    trimmable=True,
):
    """Each batch passes twice under different dropout masks, and the two predictions are pulled together.

    L = CE_1 + CE_2 + alpha * (KL(p_1 || p_2) + KL(p_2 || p_1)) / 2,  each a mean over the rows

    Liang et al. 2021, "R-Drop", equation 4; at alpha 0 it is the baseline, with one pass. The authors' fairseq
    criterion computes just that, with alpha 1.0 by default, as here; for GLUE they search 0.1, 0.5 and 1.0. Their other
    releases are stronger, as they sum the divergences over a batch of B rows: the BERT code is alpha = B / 2 here, 8
    for 16 rows; their README's weight a is alpha = 2 a B, or 2 a / classes where it takes a mean of all. For regression
    the divergence is (f_1 - f_2)^2, as in their fairseq criterion, which there has the squared error of the first pass
    alone, where ours has both.
    Source: dropreg/R-Drop:README.md, huggingface_transformer_src/src/transformers/models/bert/modeling_bert.py and
    fairseq_src/examples/roberta/roberta_rdrop_src/loss/reg_cross_entropy.py; the search over 0.1, 0.5 and 1.0 is not
    verified.
    """

    alpha: float = bounded(1.0, "[0, inf]")

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self.alpha else (1, 1)

    def prepare(self, training: Training) -> None:
        if self.alpha:
            need_dropout(training, self.name)

    def backward(self, step: Step) -> Tensor:
        first = step.forward()
        loss = step.loss(first)
        if self.alpha:
            second = step.forward(repeat=1)
            loss = loss + step.loss(second) + self.alpha * disagreement(first, second)
        step.backward(loss)
        return loss.detach()
