"""Freezing of the lower layers."""

from __future__ import annotations

from dataclasses import dataclass

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class FreezeBottom(
    Technique,
    name="freeze_bottom",
    family="layers",
    paper="Lee et al. 2019, arXiv:1911.03090; Kumar et al. 2022, arXiv:2202.10054",
    identity={"share": 0.0},
    space={"share": (0.25, 0.5, 0.75)},  # 0.75 as in the paper, the rest our choice
    trimmable=True,
):
    """The embeddings and the lowest share of the blocks keep their pre-trained weights.

    grad = 0 for layers 0 ... share * depth

    Lee et al. 2019, "What Would Elsa Do? Freezing Layers During Transformer Fine-Tuning"; Kumar et al. 2022 on why
    features are worth keeping. Half of the blocks is our choice; where share * depth ends in .5, it is rounded to the
    even number (at 0.5, 2 blocks of 3 and 2 of 5).
    Source: Lee et al. 2019, by whom the top quarter of the blocks gives 90 % of the quality (share 0.75); Houlsby et
    al. 2019 (arXiv:1902.00751), section 3.3, for whom training the top 52 % of the network is best, over 17 tasks.
    """

    share: float = bounded(0.5, "[0, 1]", "0 (nothing, not even embeddings) to 1 (all blocks)")

    def prepare(self, training: Training) -> None:
        if self.share == 0:
            return
        if self.share < 1:
            training.architecture.need_separate_layers(self.name)
        highest = round(self.share * training.architecture.depth)
        for name, parameter in training.model.named_parameters():
            if training.architecture.layer_index(name) <= highest:
                parameter.requires_grad_(False)
