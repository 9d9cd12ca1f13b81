"""A training of a user's own model, with the hooks of a stack around its updates."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Callable, Iterable, Iterator, Set
from contextlib import ExitStack, contextmanager

import torch
from torch import nn
from transformers import PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.core.seeds import check_seed, derive
from bench_lib.core.spec import Profile
from bench_lib.harness.formats.features import Batch
from bench_lib.harness.precision import autocast
from bench_lib.harness.pretraining import prepare
from bench_lib.harness.step import Passes
from bench_lib.harness.updates import Updates
from bench_lib.integrations.user_batches import BatchReader, format_of, pretrained_weights
from bench_lib.models.architecture import architecture_of
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Estimates, EvaluatesUnder, RunsBackward
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.toolkit.dropout_rates import set_dropout

LOGGER = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True, eq=False)
class UserModel:
    """A user's model; `tokenizer` tells special tokens, and `new` names modules without pre-trained weights."""

    model: nn.Module
    tokenizer: PreTrainedTokenizerBase | None
    device: torch.device
    new: tuple[str, ...] | None = None


class StabilisedTraining:
    """The training of a user's model: prepared by the techniques at once, and with an optimiser once it `start`s.

    Draws are from the seed streams of the harness.
    """

    def __init__(self, user: UserModel, stack: Stack, profile: Profile, seed: int) -> None:
        check_seed("seed of the training", seed)
        task_format, architecture = format_of(user.model), architecture_of(user.model)
        stack.check(task_format)
        if user.tokenizer is None and (stack.having(RunsBackward) or stack.having(Estimates)):
            raise Unsupported("this stack looks at the tokens of a batch; give the tokenizer, as processing_class")
        pretrained = pretrained_weights(user.model, task_format, user.new)
        set_dropout(user.model, profile.dropout)
        user.model.to(user.device)
        self.stack, self.read = stack, BatchReader.of(task_format, architecture, user.tokenizer)
        self.training = Training(
            model=user.model,
            architecture=architecture,
            format=task_format,
            profile=profile,
            pretrained=pretrained,
            seed=functools.partial(derive, seed),
            device=user.device,
        )
        parts = user.model.state_dict().keys()
        prepare(self.training, stack)
        _warn_of_parts(self.training.model, parts)

    def start(self, steps_per_epoch: int, total_steps: int, scaler: torch.amp.GradScaler) -> Updates:
        """The updates of the training, with optimiser and schedule."""
        self.training.steps_per_epoch, self.training.total_steps = steps_per_epoch, total_steps
        return Updates(self.training, self.stack, Passes(), scaler)

    def estimate(self, updates: Updates, batches: Callable[[], Iterable[Batch]]) -> None:
        """Let the techniques that ask for it pass over the training set, in training mode."""
        self.training.model.train()
        with self.generators_kept():
            updates.estimate(batches)

    @contextmanager
    def generators_kept(self) -> Iterator[None]:
        """Keep torch's global generators, from which data loaders draw their order, from what is drawn inside."""
        devices = [self.training.device] if self.training.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            yield

    @contextmanager
    def evaluated(self, replaced: bool = True) -> Iterator[None]:
        """Put the weights that count into the model, if they are to be `replaced`, and compute in the precision."""
        with ExitStack() as contexts:
            for hook in self.stack.having(EvaluatesUnder) if replaced else ():
                contexts.enter_context(hook.evaluate_under(self.training))
            contexts.enter_context(autocast(self.training))
            yield


def _warn_of_parts(model: nn.Module, before: Set[str]) -> None:
    """Say that `from_pretrained` will not load the model whole, if its weights have other names than `before`."""
    if hasattr(model, "peft_config"):  # peft saves and loads its adapters itself
        return
    if strange := sorted(model.state_dict().keys() ^ before):
        LOGGER.warning(
            "the stack adds or takes parts that %s does not know, such as %s: it trains, evaluates and predicts here, "
            "but from_pretrained will not load the saved model as it was trained",
            type(model).__name__,
            strange[0],
        )
