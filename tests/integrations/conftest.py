"""A tiny model, twenty texts, and the same training by the harness and by loops of a user's own."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile, Ref
from bench_lib.harness.batches import collate, epoch_order
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.loop import Loop
from bench_lib.harness.pretraining import prepare
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of
from bench_lib.models.load import instantiate, load_template, load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.runner.resolved import configured
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TextExample
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Estimates
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.techniques.toolkit.dropout_rates import set_dropout

SEED, CPU = 3, torch.device("cpu")
GOOD, BAD = ("great", "warm", "bright", "fine"), ("dull", "cold", "slow", "thin")
EXAMPLES = [
    TextExample(" ".join([*(BAD, GOOD)[i % 2][: 1 + i % 4], *("a", "film") * (i % 3)]), i % 2) for i in range(20)
]
PROFILE = Profile(epochs=4, batch_size=4, learning_rate=1e-3, max_length=96, bucket=2, evaluations=1)
"""Five updates an epoch, and twenty in all."""


@dataclass(eq=False)
class Replayed:
    """A data loader with the harness's own order, of which some epochs go another way first."""

    training: Training
    features: Sequence[Feature]
    pad_id: int
    epochs: list[tuple[str | int, ...]] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.features) * self.training.profile.accumulate // self.training.profile.batch_size

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        profile, lengths = self.training.profile, [len(feature) for feature in self.features]
        order = self.training.generator("order", *self.epochs.pop(0))
        micro = profile.batch_size // profile.accumulate
        for indices in epoch_order(lengths, profile.batch_size, PROFILE.bucket, order):
            for at in range(0, len(indices), micro):
                found = [self.features[i] for i in indices[at : at + micro]]
                batch = collate(found, TEXT_CLASSIFICATION, self.pad_id, CPU)
                yield {**batch.inputs, "labels": batch.targets}


@dataclass(eq=False)
class World:
    """The tiny model with its tokenizer, and the texts."""

    ref: Ref
    features: Sequence[Feature]
    folder: Path
    tokenizer: Any

    def model(self) -> Any:
        template = load_template(self.ref, TEXT_CLASSIFICATION, 2)
        return instantiate(template, torch.Generator().manual_seed(SEED))

    def harness(self, techniques: str, profile: Profile) -> tuple[list[float], dict[str, Tensor]]:
        """The loss of every step in the harness, and the trained parameters."""
        stack = parse_stack(techniques, TECHNIQUES)
        profile = configured(profile, stack)
        model = self.model()
        set_dropout(model, profile.dropout)
        pretrained = load_template(self.ref, TEXT_CLASSIFICATION, 2).pretrained()
        seed = functools.partial(derive, SEED)
        training = Training(model, architecture_of(model), TEXT_CLASSIFICATION, profile, pretrained, seed)
        prepare(training, stack)
        loop = Loop(training, stack, self.features, self.tokenizer.pad_token_id, [])
        torch.set_num_threads(1)
        loop.run(lambda: pytest.fail("nothing observes the training"))
        return loop.curve.loss, _parameters(training.model)

    def replayed(self, training: Training, techniques: str) -> Replayed:
        surveys = [("survey",)] * len(parse_stack(techniques, TECHNIQUES).having(Estimates))
        epochs: list[tuple[str | int, ...]] = [*surveys, *((epoch,) for epoch in range(training.profile.epochs))]
        return Replayed(training, self.features, self.tokenizer.pad_token_id, epochs)

    def arguments(self, profile: Profile = PROFILE, **more: Any) -> transformers.TrainingArguments:
        given = {
            "per_device_train_batch_size": profile.batch_size // profile.accumulate,
            "gradient_accumulation_steps": profile.accumulate,
            "num_train_epochs": profile.epochs,
            "learning_rate": profile.learning_rate,
            "weight_decay": profile.weight_decay,
            "adam_epsilon": profile.eps,
            "max_grad_norm": profile.clip_norm,
            "warmup_steps": profile.warmup,
            "lr_scheduler_type": profile.schedule,
            "bf16": profile.precision == "bf16",
            "seed": SEED,
            "logging_steps": 1,
            "save_strategy": "no",
            "report_to": "none",
            "use_cpu": True,
            "disable_tqdm": True,
            "output_dir": str(self.folder / "out"),
        }
        return transformers.TrainingArguments(**{**given, **more})


def _parameters(model: torch.nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters()}


@pytest.fixture
def world(tmp_path: Path) -> World:
    ref = resolve("tiny", MODELS)
    tokenizer = load_tokenizer(ref)
    features = torch_half(TEXT_CLASSIFICATION).encode(EXAMPLES, tokenizer, PROFILE.max_length, 8)
    return World(ref, features, tmp_path, tokenizer)


@pytest.fixture
def profile() -> Callable[..., Profile]:
    return lambda **changes: dataclasses.replace(PROFILE, **changes)
