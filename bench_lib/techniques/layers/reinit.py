"""Re-initialisation of the topmost layers."""

from __future__ import annotations

from dataclasses import dataclass

from bench_lib.core.errors import Unsupported
from bench_lib.models.initialisation import initialise
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.peft_injection import FEW_PARTS, claimants, drawn_anew


@dataclass(frozen=True)
class Reinit(
    Technique,
    name="reinit",
    family="layers",
    paper="Zhang et al. 2021, arXiv:2006.05987",
    identity={"blocks": 0, "pooler": False},
    supersedes=dict.fromkeys(FEW_PARTS, "declined: what is drawn anew has to train"),
    space={"blocks": (1, 2, 3, 5)},  # our choice but for 5
    trimmable=True,
):
    """Draw the pooler and the top blocks anew before training: the last layers are bound to the pre-training task.

    theta ~ N(0, initializer_range) for the pooler and the top `blocks` blocks; norms at 1, biases at 0

    Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", section 5. Their script and the other public code draw
    5 of 24 blocks anew; 1 is our default, which is nearly as large a share of the 6 blocks of minilm.
    Source: asappresearch/revisit-bert-finetuning:run_glue.py; nlpsoc/instability_measurement:ft_save_model.py.
    """

    blocks: int = bounded(1, "[0, inf]")
    pooler: bool = True

    def prepare(self, training: Training) -> None:
        architecture = training.architecture
        if self.blocks:
            architecture.need_separate_layers(self.name)
        if self.blocks > architecture.depth:
            raise Unsupported(f"reinit:blocks is {self.blocks}, the model has {architecture.depth} blocks")
        names = [
            name for i in range(architecture.depth - self.blocks, architecture.depth) for name in architecture.block(i)
        ]
        if self.pooler and architecture.pooler:
            names.append(architecture.pooler)
        if names and (frozen_by := claimants(training)):
            raise Unsupported(f"reinit cannot follow {frozen_by[0]}, which freezes what it would draw anew")
        std = float(getattr(training.model.config, "initializer_range", 0.02))
        for name in names:
            initialise(training.model.get_submodule(name), std, training.generator("init", "reinit", name))
        drawn_anew(training).extend(names)
