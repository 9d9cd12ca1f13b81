"""DENI: noisy copies of the model train beside it for some intervals; the last ones vote."""

from __future__ import annotations

import math
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_

from bench_lib.core.errors import Diverged, require
from bench_lib.core.spec import Profile
from bench_lib.models.interventions import weights_replaced
from bench_lib.tasks.formats import Format
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.context import Committee, Group, Training, Update
from bench_lib.techniques.interface.optimizers import decoupled_adam
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.voting import vote_of


@dataclass(frozen=True)
class DENI(
    Technique,
    name="deni",
    family="optimisation",
    paper="Pecher et al. 2024, arXiv:2406.12471",
    identity={"members": 1},
    space={
        "members": (3, 5, 10),  # our choice
        "noise": (0.05, 0.15, 0.5),  # our choice
    },
    trimmable=True,
):
    """Let noisy copies train beside the model for some rounds and average them, and let the last ones vote.

    theta_k = theta + s * std(theta) * N(0, 1) for k = 1 ... members - 1, head alone,  each tensor by its own std;
    s = sqrt(noise / step) for a round, after which theta <- mean(theta, theta_1, ...);
    s = sqrt(noise) for the ensemble, which at the end predicts by majority

    Pecher et al. 2024, "Fighting Randomness with Randomness"; settings as in their script, in shares of the run: every
    second `interval` from `begin` up to `end` is a round, and from `ensemble` on there is one, 3.7 trainings in all. As
    in their code, copies start a new Adam at the full rate, without schedule, and share dropout masks of their own; new
    parts in the body, such as LoRA's, get noise too. Copies are clipped as the model is, and other techniques change
    the model's gradients alone. Of answers, the most common span wins, of a set each label by itself, and numbers are
    averaged. A loss or gradient of a copy that is not finite
    counts as the model's. Their code has the main model predict for every member, so that its vote changes nothing, and
    adds to a counter that it never sets: here each member votes, and the counter starts at 0. Whether the published
    numbers come from that code is not known. `saved_bytes` counts one member of the ensemble.
    Source: BranislavPecher/DENI:main.py and run_randomness_fight.sh.
    """

    members: int = bounded(10, "[1, 100]")
    noise: float = bounded(0.15, "[0, inf)")
    interval: float = bounded(0.1, "(0, 1]")
    begin: float = bounded(0.3, "[0, 1]")
    end: float = 0.6
    ensemble: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.begin <= self.end <= 1, "deni:end", self.end, "begin (without rounds) to 1")
        require(self.end <= self.ensemble <= 1, "deni:ensemble", self.ensemble, "end to 1 (without an ensemble)")

    def declines(self, task_format: Format) -> str | None:
        return (
            "texts of several models seldom agree, so that no majority is for one" if task_format.writes_text else None
        )

    def predicts_by_several(self) -> bool:
        return self.members > 1

    def passes(self) -> tuple[int, int]:
        return (self.members, self.members)

    def passes_at(self, step: int, steps: int) -> tuple[int, int]:
        return self.passes() if self._interval_of(step, steps) else (1, 1)

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        """The baseline's optimiser, claimed since the copies train with it at the same rates."""
        return decoupled_adam(groups, profile)

    def update(self, update: Update) -> Tensor:
        training = update.training
        copies = self._copies(training)
        if not copies:
            return update.backward()
        parameters = list(training.trainable().values())
        losses, usable = [], True
        for copy in copies:
            with weights_replaced(parameters, copy.values):
                losses.append(update.backward(masks=1))
            usable &= copy.step(parameters, update.scale, training.profile.clip_norm)
        loss = update.backward()
        if not usable:
            # The harness skips such a step, lowers the scale of fp16, and ends a run that has many.
            next(p.grad for p in parameters if p.grad is not None).fill_(math.nan)
        # 0 for finite losses, NaN otherwise.
        return loss + 0 * torch.stack(losses).sum()

    def after_update(self, training: Training) -> None:
        self._end_round(training, training.step + 1)

    def evaluate_under(self, training: Training) -> AbstractContextManager[None]:
        beside = self._beside(training)
        if not beside.copies or beside.until is not None:
            return nullcontext()
        parameters = list(training.trainable().values())
        for copy in beside.copies:
            copy.check(training.step)
        states = [partial(weights_replaced, parameters, copy.values) for copy in beside.copies]
        return training.predicting_as(Committee((nullcontext, *states), vote_of(training.format)))

    def _final(self, steps: int) -> int:
        """The first step of the ensemble, which trains for one at least; without one it is after the last."""
        return min(round(self.ensemble * steps), steps - 1) if self.ensemble < 1 else steps

    def _interval_of(self, step: int, steps: int) -> range:
        """The steps of the round or ensemble that a step belongs to; empty between them."""
        final = self._final(steps)
        if self.members == 1 or step >= final:
            return range(final, steps if self.members > 1 else final)
        first, length = round(self.begin * steps), max(1, round(self.interval * steps))
        start = step - (step - first) % (2 * length)
        found = range(start, min(start + length, final))
        return found if first <= start < round(self.end * steps) and step in found else range(0)

    def _copies(self, training: Training) -> Sequence[_Copy]:
        """The copies that train at this step, created where a round or the ensemble begins."""
        self._end_round(training, training.step)  # in case the update that should have ended it was skipped
        beside, interval = self._beside(training), self._interval_of(training.step, training.total_steps)
        if interval and not beside.copies:
            beside.until = interval.stop if interval.start < self._final(training.total_steps) else None
            variance = self.noise if beside.until is None else self.noise / max(1, training.step)
            beside.copies = [_Copy(training, math.sqrt(variance), place) for place in range(1, self.members)]
        return beside.copies

    @torch.no_grad()
    def _end_round(self, training: Training, done: int) -> None:
        """Replace the model by the mean of itself and its copies, if their round ends after this many updates."""
        beside = self._beside(training)
        if beside.until is None or done < beside.until:
            return
        parameters: list[Tensor] = list(training.trainable().values())
        for number, copy in enumerate(beside.copies, start=2):
            torch._foreach_lerp_(parameters, copy.values, 1 / number)
        beside.copies, beside.until = [], None
        beside.rounds += 1
        training.report(self.name, "rounds", beside.rounds)

    def _beside(self, training: Training) -> _Beside:
        return training.keep(self, _Beside)


class _Copy:
    """A copy's noisy weights and its own optimiser."""

    @torch.no_grad()
    def __init__(self, training: Training, spread: float, place: int) -> None:
        named = training.trainable()
        self.weights = {name: nn.Parameter(p.clone()) for name, p in named.items()}
        for name, weight in self.weights.items():
            if name in training.pretrained and training.architecture.in_body(name):
                continue
            generator = training.generator("init", DENI.name, training.step, place, name)
            noise = torch.randn(weight.shape, generator=generator).to(weight.device)
            # Uncorrected, so that the spread of a single value is 0.
            weight.add_(noise * (spread * weight.std(correction=min(1, weight.numel() - 1))))
        names = {id(p): name for name, p in named.items()}
        assert training.optimizer is not None, "there are updates once the optimiser is built"
        groups = [
            Group({names[id(p)]: self.weights[names[id(p)]] for p in g["params"]}, g["initial_lr"], g["weight_decay"])
            for g in training.optimizer.param_groups
        ]
        self.optimizer = decoupled_adam(groups, training.profile)

    @property
    def values(self) -> list[Tensor]:
        return [weight.data for weight in self.weights.values()]

    def step(self, parameters: Sequence[nn.Parameter], scale: float, limit: float) -> bool:
        """Move the gradients from the model's parameters and update if they are finite; returns whether they were."""
        for weight, parameter in zip(self.weights.values(), parameters, strict=True):
            weight.grad, parameter.grad = parameter.grad, None
        if scale != 1:
            torch._foreach_mul_([w.grad for w in self.weights.values() if w.grad is not None], 1 / scale)
        finite = bool(torch.isfinite(clip_grad_norm_(self.weights.values(), limit)))
        if finite:
            self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return finite

    def check(self, step: int) -> None:
        """Raise `Diverged` for weights that are not finite."""
        if not torch.stack(torch._foreach_norm(self.values)).isfinite().all():
            raise Diverged(step, "the norm of a copy's weights")


@dataclass(eq=False)
class _Beside:
    """The copies, and the number of updates after which they are averaged; None for copies that vote."""

    copies: list[_Copy] = field(default_factory=list)
    until: int | None = None
    rounds: int = 0
