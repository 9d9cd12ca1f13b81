"""Gradual unfreezing: the layers join one by one, from the top."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench_lib.models.architecture import Architecture
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Phase, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.linear_probing import NO_NEW_HEAD


@dataclass(frozen=True)
class GradualUnfreezing(
    Technique,
    name="gradual_unfreezing",
    family="layers",
    paper="Howard & Ruder 2018, arXiv:1801.06146",
    identity={"blocks": 0},
    supersedes={
        **dict.fromkeys(
            ("agc", "freeze_bottom", "llrd"), "few steps are all the head's, which the other one leaves alone"
        ),
        "bitfit": "few steps are all the head's, whose rate is the same",
        **dict.fromkeys(("l2_sp", "wd_pre", "recadam"), "declined: nothing trains that has a pre-trained value"),
    },
    space={"blocks": (1, 2, 4)},  # 2 and 4 are our choice
    trimmable=True,
):
    """Pooler and head train alone for an epoch, then one more block joins at each epoch, the topmost first.

    grad = 0 in epoch e = 0, 1, ... for blocks 1 ... depth - blocks * e;  embeddings join with block 1

    Howard & Ruder 2018, "Universal Language Model Fine-tuning", section 3.3, one layer an epoch. With fewer epochs than
    blocks, as usual when Transformers are fine-tuned, the lowest never train. Optimiser and schedule go on throughout.
    Source: Howard & Ruder 2018, section 3.3, who train on until convergence once all layers learn.
    """

    blocks: int = bounded(1, "[0, inf]", "1 or more an epoch; 0 for all at once")

    def declines(self, task_format: Format) -> str | None:
        return NO_NEW_HEAD if task_format.writes_text else None

    def phases(self, training: Training) -> Sequence[Phase]:
        if self.blocks == 0:
            return ()
        training.architecture.need_separate_layers(self.name)
        top = training.architecture.depth + 1
        starts = range(0, training.total_steps, training.steps_per_epoch)
        lowest = range(top, 1 - self.blocks, -self.blocks)  # the last of them is the first that includes block 1
        return [Phase(start, _from(layer, training.architecture)) for start, layer in zip(starts, lowest, strict=False)]


def _from(lowest: int, architecture: Architecture) -> Callable[[str], bool]:
    return lambda name: max(1, architecture.layer_index(name)) >= lowest
