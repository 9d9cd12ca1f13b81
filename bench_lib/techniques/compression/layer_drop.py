"""Layer dropping: whole blocks are left out."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

from torch import nn

from bench_lib.core.errors import Unsupported, require
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.model_copies import part, plain_copy, portion

STRATEGIES = ("top", "every_other")


@dataclass(frozen=True)
class LayerDrop(
    Technique,
    name="layer_drop",
    family="compression",
    paper="Sajjad et al. 2023, arXiv:2004.03844; Fan et al. 2020, arXiv:1909.11556",
    identity={"share": 0.0},
    observer=True,
    space={"which": ("every_other", "top")},
    no_trimming="it is measured beside the whole model: size, sparsity and latency",
):
    """After training, a share of the blocks is left out: the top ones, or every other; nothing trains afterwards.

    top: depth <- depth - floor(share * depth),  every_other: no block d with d = 0 mod floor(1 / share), d from 1

    Sajjad et al. 2023, "On the Effect of Dropping Layers of Pre-trained Transformer Models", find that dropping the top
    ones does the least harm; theirs are dropped before fine-tuning, which then adapts. Source: the paper (settings not
    verified). Every other: Fan et al. 2020, "Reducing Transformer Depth on Demand", section 3.2, for models that were
    pre-trained with LayerDrop, of which every other block can go. Source:
    facebookresearch/fairseq:examples/layerdrop/README.md. Half of the blocks is a setting of either.
    """

    share: float = bounded(0.5, "[0, 1)", "0 (none) up to, not including, 1")
    which: str = "top"

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.which in STRATEGIES, "layer_drop:which", self.which, " or ".join(STRATEGIES))
        every_other = self.which == "every_other"
        require(not every_other or self.share <= 1 / 2, "layer_drop:share", self.share, "at most 0.5 with every_other")

    def _kept(self, depth: int) -> list[int]:
        """The indices of the blocks that stay."""
        if self.which == "top" or self.share == 0:
            return list(range(depth - portion(self.share, depth)))
        return [place for place in range(depth) if (place + 1) % math.floor(1 / self.share)]

    def compress(self, training: Training) -> nn.Module:
        if self.share == 0:
            return copy.deepcopy(training.model)
        training.architecture.need_separate_layers(self.name)
        model, depth = plain_copy(training.model), training.architecture.depth
        kept = self._kept(depth)
        if len(kept) == depth:
            raise Unsupported(f"layer_drop:share={self.share} of {depth} blocks is not one; raise the share")
        name = part(model, training.architecture.block_list)
        blocks = list(model.get_submodule(name).children())
        model.set_submodule(name, nn.ModuleList(blocks[place] for place in kept))
        return model
