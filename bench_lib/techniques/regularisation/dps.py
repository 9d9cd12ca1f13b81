"""Dynamic parameter selection: the trained part of each matrix is selected anew throughout the training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training, with_gradients
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.dropout_rates import check_needed, set_dropout


@dataclass(frozen=True)
class DPS(
    Technique,
    name="dps",
    family="regularisation",
    paper="Zhang et al. 2022, arXiv:2211.01642",
    identity={"p": 0.0},
    supersedes=dict.fromkeys(("r_drop", "lr_drop"), "declined: it takes away the dropout that the other one goes by"),
    space={
        "p": (0.1, 0.3, 0.5, 0.7),  # our choice
        "update_ratio": (0.05, 0.1, 0.2),  # our choice
    },
    trimmable=True,
):
    """Stages in turn: all train and squared gradients add up; then of each matrix the share with the smallest rests.

    stage I: F <- F + g^2, from 0;  stage II: g <- g * M,  M = 0 for the share p of each matrix with the smallest F,
    1 elsewhere;  a stage has update_ratio * steps of the run

    Zhang et al. 2022, "Fine-Tuning Pre-Trained Language Models Effectively by Optimizing Subnetworks Adaptively", the
    dense form, with the p, update ratio and dropout of its scripts. Chosen are the weight matrices of blocks and
    pooler; biases, norms, embeddings and head always train. The scripts set dropout to 0, and for 2,000 steps and more
    back to 0.1; None leaves it. F adds up gradients of batches. Outside the mask, momentum and weight decay act on.
    `reported` has the length of a stage, and the share of all chosen weights that trained in the last stage II.
    Source: ZhangHaojie077/DPS:transformers/DPSDense/grads_ops.py, script/run_trainer.py and script/run_glue.sh.
    """

    p: float = bounded(0.3, "[0, 1)", "0 (all train) or more, below 1")
    update_ratio: float = bounded(0.05, "(0, 1]")
    dropout: float | None = bounded(0.0, "[0, 1) or None", "0 or more, below 1, None")

    def prepare(self, training: Training) -> None:
        if self.p:
            set_dropout(training.model, self.dropout)
            check_needed(training)

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        gradients = _chosen(training) if self.p else {}
        if not gradients:
            return
        stage = max(1, int(self.update_ratio * training.total_steps))
        state = training.keep(self, _Selection)
        if (training.step // stage) % 2 == 0:
            state.gather(gradients)
            return
        if state.information:
            training.report(self.name, "trained", state.select(self.p))
            training.report(self.name, "stage", stage)
        for name, gradient in gradients.items():
            if name in state.masks:
                gradient.mul_(state.masks[name])


@dataclass(eq=False)
class _Selection:
    """By matrix name: the squared gradients of stage I so far, or the mask of trained elements in stage II."""

    information: dict[str, Tensor] = field(default_factory=dict)
    masks: dict[str, Tensor] = field(default_factory=dict)

    def gather(self, gradients: Mapping[str, Tensor]) -> None:
        self.masks = {}
        for name, gradient in gradients.items():
            # A gradient that overflowed in fp16 would stay the largest.
            squared = gradient.nan_to_num(0.0, 0.0, 0.0).square()
            self.information[name] = self.information[name].add_(squared) if name in self.information else squared

    def select(self, p: float) -> float:
        """Turn the squared gradients into masks; returns the share that trains."""
        self.masks = {name: most_informed(values, p) for name, values in self.information.items()}
        self.information = {}
        trained = torch.stack([mask.sum() for mask in self.masks.values()]).sum()
        return float(trained) / sum(mask.numel() for mask in self.masks.values())


def most_informed(values: Tensor, p: float) -> Tensor:
    """True for all but the share p of smallest values; values equal to the least of the others are true."""
    return values >= values.flatten().kthvalue(int(values.numel() * p) + 1).values


def _chosen(training: Training) -> dict[str, Tensor]:
    """The gradients of the matrices of blocks and pooler, by name."""
    architecture, found = training.architecture, with_gradients(training)
    pooler = f"{architecture.pooler}." if architecture.pooler else None

    def inside(name: str) -> bool:
        return 1 <= architecture.layer_index(name) <= architecture.depth or (pooler is not None and pooler in name)

    return {name: gradient for name, (p, gradient) in found.items() if p.dim() >= 2 and inside(name)}
