"""Layer-wise learning-rate decay."""

from __future__ import annotations

from dataclasses import dataclass, replace

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Group, Training
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class LLRD(
    Technique,
    name="llrd",
    family="layers",
    paper="Howard & Ruder 2018, arXiv:1801.06146; Zhang et al. 2021, arXiv:2006.05987",
    identity={"decay": 1.0},
    space={"decay": (0.8, 0.85, 0.9, 0.95)},  # 0.95 as published, 0.9 not verified, less is our choice for few blocks
    trimmable=True,
):
    """Lower layers learn more slowly than upper ones; pooler and head keep the full rate.

    lr_layer = lr * decay^(depth + 1 - layer),  layer 0 the embeddings, depth + 1 the head

    Howard & Ruder 2018; decay 0.95 as Zhang et al. 2021, "Revisiting Few-sample BERT Fine-tuning", have it for 24
    blocks, where the embeddings learn at 0.28 of the rate. With 6 blocks that is 0.70, and decay 0.83 would be theirs.
    Their pooler and head do not decay towards zero; here they do, as in the baseline.
    Source: asappresearch/revisit-bert-finetuning:run_glue.py and sample_commands/llrd.sh;
    nlpsoc/instability_measurement:model_utils.py.
    """

    decay: float = bounded(0.95, "(0, 1]")

    def groups(self, groups: list[Group], training: Training) -> list[Group]:
        if self.decay == 1:
            return groups
        training.architecture.need_separate_layers(self.name)
        return [part for group in groups for part in self._by_layer(group, training)]

    def _by_layer(self, group: Group, training: Training) -> list[Group]:
        top = training.architecture.depth + 1
        layers: dict[int, Group] = {}
        for name, parameter in group.parameters.items():
            layer = training.architecture.layer_index(name)
            rate = group.learning_rate * self.decay ** (top - layer)
            part = layers.setdefault(layer, replace(group, parameters={}, learning_rate=rate))
            part.parameters[name] = parameter
        return [layers[layer] for layer in sorted(layers)]
