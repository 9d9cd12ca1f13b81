"""R3F: noise on the embeddings should not change the prediction."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Step
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.consistency import noisy_loss


@dataclass(frozen=True)
class R3F(
    Technique,
    name="r3f",
    family="regularisation",
    paper="Aghajanyan et al. 2021, arXiv:2008.03156",
    identity={"weight": 0.0},
    version="2",  # the noisy pass has dropout masks of its own, where version 1 had the same
    space={
        "weight": (0.5, 1.0, 5.0),  # 1 as in their code, the rest our choice
        "epsilon": (1e-5, 1e-4, 1e-3, 1e-2),  # our choice above 1e-5
    },
    trimmable=True,
):
    """Each batch passes twice, once with a little uniform noise on the word embeddings, and the predictions must agree.

    L = CE(f(x)) + weight * (KL(f(x) || f(x + z)) + KL(f(x + z) || f(x))),  z ~ U(-epsilon, epsilon)

    Aghajanyan et al. 2021, "Better Fine-Tuning by Reducing Representational Collapse"; epsilon 1e-5 and weight 1.0 are
    the defaults of their code, whose command for RTE has weight 0.7. Source:
    facebookresearch/fairseq:examples/rxf/rxf_src/sentence_prediction_r3f.py and examples/rxf/README.md. As there,
    the noisy pass has dropout masks of its own, and at epsilon 1e-5 it is they that make nearly all of the difference:
    with `same_masks` the noise is alone, and changes a training of minilm by no more than rounding does. Theirs also
    puts noise on padding and sends no gradient from the noisy pass to the embeddings; here both passes are in fp32,
    which alone can hold the noise. Epsilon is absolute, beside embeddings of some 0.05 a value in minilm. For
    regression both divergences are (f(x) - f(x + z))^2, our choice; their code has no such term there.
    """

    weight: float = bounded(1.0, "[0, inf]")
    epsilon: float = bounded(1e-5, "(0, inf]")
    same_masks: bool = False

    def passes_in_fp32(self) -> bool:
        return bool(self.weight)

    def passes(self) -> tuple[int, int]:
        return (2, 1) if self.weight else (1, 1)

    def backward(self, step: Step) -> Tensor:
        loss = noisy_loss(step, self.epsilon, self.weight, self.same_masks)
        step.backward(loss)
        return loss.detach()
