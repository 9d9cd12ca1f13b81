"""AdaLoRA: low-rank updates whose ranks are cut where they matter least."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported, require
from bench_lib.core.extras import optional
from bench_lib.core.spec import Profile
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.peft_injection import OTHER_PARTS, new_parts, wrap


@dataclass(frozen=True)
class AdaLoRA(
    Technique,
    name="adalora",
    family="parameter-efficient",
    paper="Zhang et al. 2023, arXiv:2303.10512",
    identity=None,
    packages=("peft",),
    no_identity="a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    supersedes=OTHER_PARTS | {"wise_ft": "declined: nothing trains that has a pre-trained value"},
    space={
        "learning_rate": (8e-4, 1.2e-3, 3e-3, 1e-2),  # our choice above 1.2e-3
        "orthogonality": (0.1, 0.3),
    },
    trimmable=True,
):
    """Each linear layer of the blocks learns an update in the form of a singular value decomposition, of falling rank.

    W <- W_pretrained + (alpha / rank) * B diag(E) A,  A and B random, E = 0 at the start;
    L = L_task + orthogonality * mean over all A and B of ||P P^T - I||,  P = A or B^T;
    E <- 0 for all but the budget's most important triplets, whose number falls from rank to target_rank a layer

    Zhang et al. 2023, "AdaLoRA", algorithm 1, by peft; ranks, alpha, orthogonality, betas, layers and rate as in the
    authors' script for SST-2. Its 6,000 steps before the budget falls and 22,000 after are shares of its 50,520 here,
    and what it cuts every 100 steps is cut at every step (our choice). The excess over the target falls with the cube
    of the share of steps left. The orthogonality acts through the gradient; the recorded loss is without it. The new
    head trains whole. Their script for RTE has alpha 32, orthogonality 0.3 and rate 1.2e-3, in 50 epochs.
    Source: QingruZhang/AdaLoRA:NLU/scripts/run_debertav3_sst2.sh and run_debertav3_rte.sh.
    """

    rank: int = bounded(2, "[2, inf]")
    target_rank: int = 1
    alpha: int = bounded(16, "[1, inf]")
    orthogonality: float = bounded(0.1, "[0, 1000]")
    beta1: float = bounded(0.85, "(0, 1)")
    beta2: float = bounded(0.85, "(0, 1)")
    before: float = bounded(0.12, "[0, 1)", "a share of the steps, 0 up to, not including, 1")
    after: float = 0.44
    learning_rate: float = bounded(8e-4, "(0, inf]")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(1 <= self.target_rank < self.rank, "adalora:target_rank", self.target_rank, "1 or more, below rank")
        require(
            0 <= self.after < 1 - self.before, "adalora:after", self.after, "a share of the steps, below 1 - before"
        )

    def configure(self, profile: Profile) -> Profile:
        return dataclasses.replace(profile, learning_rate=self.learning_rate)

    def prepare(self, training: Training) -> None:
        with optional("peft"):
            import peft  # heavy: only runs that use it pay for it

        layers = [
            name
            for name, module in training.model.named_modules()
            if isinstance(module, nn.Linear) and training.architecture.block_of(name) is not None
        ]
        if not layers:
            raise Unsupported("adalora finds no plain linear layer in the blocks")
        config = peft.AdaLoraConfig(
            target_modules=layers,
            init_r=self.rank,
            target_r=self.target_rank,
            lora_alpha=self.alpha,
            beta1=self.beta1,
            beta2=self.beta2,
            total_step=1,  # unknown yet, set before the first budget
            modules_to_save=new_parts(training),
        )
        wrap(training, self.name, config)

    def saved(self, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        """Without the triplets that the budget has cut, whose singular value is 0."""
        kept = dict(tensors)
        for name, values in tensors.items():
            if ".lora_E." in name:
                left, right = (name.replace(".lora_E.", f".lora_{side}.") for side in "BA")
                places = values.detach().flatten() != 0
                kept |= {name: values[places], left: tensors[left][:, places], right: tensors[right][places]}
        return kept

    @torch.no_grad()
    def after_backward(self, training: Training) -> None:
        sides: list[tuple[Tensor, Tensor]] = []
        for name, parameter in training.model.named_parameters():
            if ".lora_" not in name:
                continue
            if parameter.grad is None:
                raise Unsupported("adalora: the stack freezes some of its matrices, whose importance is then unknown")
            if ".lora_A." in name:
                sides.append((parameter, parameter.grad))
            elif ".lora_B." in name:
                sides.append((parameter.mT, parameter.grad.mT))
        bases, gradients = zip(*sides, strict=True)
        torch._foreach_add_(gradients, orthogonal_gradients(bases), alpha=self.orthogonality)

    def after_update(self, training: Training) -> None:
        tuner = cast(Any, training.model)
        (config,) = tuner.peft_config.values()
        allocator, total = tuner.rankallocator, training.total_steps
        end = max(1, total - round(self.after * total))
        config.total_step, config.tinit, config.tfinal = total, min(round(self.before * total), end - 1), total - end
        step = training.step + 1
        if step >= end and config.rank_pattern is None and not allocator.ipt:
            allocator.update_ipt(tuner.base_model.model)  # no update was seen before the last cut is due
        if allocator.ipt:
            step = min(step, end)  # the last cut, if the update at which it was due has been skipped
        tuner.update_and_allocate(step)
        if config.rank_pattern is not None:
            kept = [sum(pattern) for pattern in config.rank_pattern.values()]
            training.report(self.name, "rank", sum(kept) / len(kept))


def orthogonal_gradients(bases: Sequence[Tensor]) -> list[Tensor]:
    """The gradients of the mean of ||P P^T - I|| over all bases P, each (rank, width); 0 where P is orthogonal."""
    by_width: dict[int, list[int]] = defaultdict(list)
    for place, basis in enumerate(bases):
        by_width[basis.shape[-1]].append(place)
    gradients = list(bases)
    for places in by_width.values():
        stacked = torch.stack([bases[place] for place in places])  # (bases, rank, width)
        excess = stacked @ stacked.mT - torch.eye(stacked.shape[1], device=stacked.device)
        norms = torch.linalg.matrix_norm(excess, keepdim=True).clamp_min(torch.finfo(excess.dtype).tiny)
        for place, gradient in zip(places, 2 * (excess / norms) @ stacked / len(bases), strict=True):
            gradients[place] = gradient
    return gradients
