"""Head pruning: the attention heads that matter least are removed."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import nn

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.attention_heads import Importance, attentions, least
from bench_lib.techniques.toolkit.model_copies import plain_copy, portion


@dataclass(frozen=True)
class PruneStructuredHeads(
    Technique,
    name="prune_structured_heads",
    family="compression",
    paper="Michel et al. 2019, arXiv:1905.10650",
    identity={"share": 0.0},
    version="2",  # gradients are multiplied by the weights they were taken at, not by the next ones
    observer=True,
    no_trimming="it is measured beside the whole model: size, sparsity and latency",
):
    """After training, the least important attention heads are removed; nothing trains afterwards.

    I_h = sum over batches of |dL/dxi_h|, xi_h = 1 a factor before head h;  I_h <- I_h / ||I|| of its block

    Michel et al. 2019, "Are Sixteen Heads Really Better than One?", section 4.1, who remove 10 % of the heads at a time
    and norm by block as here. Source: pmichel31415/are-16-heads-really-better-than-1:README.md. The share of 40 % is
    that of BERT's heads which can go without harm, as quoted by public notes on the paper. Theirs is a pass over the
    training set after training, with |.| of each example's gradient; an observer has the gradients of the training's
    own batches, clipped where it clips, so that the sum is over its updates, and removes all at once. Blocks whose
    output projections do not train keep all heads, and every block keeps one, since no attention is left without; both
    are our choice. Heads that share a key and value go together. The rows and columns of a removed head are gone from
    the four projections, which are smaller and faster.
    """

    share: float = bounded(0.4, "[0, 1)", "0 (none) up to, not including, 1")

    @torch.no_grad()
    def after_update(self, training: Training) -> None:
        if self.share:
            self._importance(training).add()

    def compress(self, training: Training) -> nn.Module:
        if self.share == 0:
            return copy.deepcopy(training.model)
        importance, model = self._importance(training), plain_copy(training.model)
        found = attentions(model, training.architecture.block_list)
        if not found or hasattr(model, "peft_config"):
            raise Unsupported(f"prune_structured_heads knows no way to cut heads out of {type(model).__name__}")
        if all(attention.heads == 1 for attention in found):
            raise Unsupported("prune_structured_heads keeps one head of each block, or one group with the same keys")
        ranked = importance.ranked()
        if not ranked:
            raise Unsupported(
                "prune_structured_heads goes by the gradients of the attention's output projections, and this run "
                "trains none"
            )
        for block, removed in least(ranked, portion(self.share, len(ranked))).items():
            found[block].keep(set(range(found[block].heads)) - removed)
        return model

    def _importance(self, training: Training) -> Importance:
        return training.keep(self, lambda: Importance(training))
