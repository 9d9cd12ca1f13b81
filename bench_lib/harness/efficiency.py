"""A compressed model as it would be deployed: in the place of the trained one for a while, and measured beside it."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from bench_lib.core.record import Latency, ModelSize
from bench_lib.harness.batches import collate
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.precision import autocast
from bench_lib.instruments.timing import Stopwatch
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Compresses
from bench_lib.techniques.toolkit.model_copies import plain_copy

WARM_UP, REPEATS = 2, 7
"""Forward passes of each model that are timed for nothing, and those whose median counts."""
SMALL, LARGE = 1, 32
"""The batches whose latency is measured."""


@dataclass(frozen=True)
class Footprint:
    """The size and the latency of a model, as a record has them."""

    size: ModelSize
    latency: Latency


@contextmanager
def deployed(training: Training, compressor: Compresses) -> Iterator[nn.Module]:
    """Let the compressed model stand in the place of the trained one, which is given; undone also if the body raises.

    Its weights have no pre-trained values: blocks may be missing or smaller. It predicts alone, without a committee.
    """
    trained, pretrained = training.model, training.pretrained
    trained.eval()
    try:
        training.model = compressor.compress(training)
        training.pretrained = {}
        with training.predicting_as(None):
            yield trained
    finally:
        training.model, training.pretrained = trained, pretrained
        trained.train()


def footprint(training: Training, trained: nn.Module, inputs: Callable[[int], Batch]) -> Footprint:
    """Measure the training's model, which is a compressed one, beside the trained one.

    Of that, what peft added to weights is merged into them first: it would be so before it is deployed.
    """
    models = (training.model, plain_copy(trained))
    small, large = (_latencies(training, models, inputs(size)) for size in (SMALL, LARGE))
    kept, before = (saved_bytes(model.state_dict()) for model in models)
    return Footprint(ModelSize(kept, before, sparsity(models[0])), Latency(small[0], large[0], small[1], large[1]))


def learnt(training: Training, loaded: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """What a file has to hold beside the pre-trained model: what trained, and what moved though it does not train.

    `loaded` are the parameters as they were before any technique, by name: a pre-training stage may change the whole
    body before the training freezes most of it and renames it.
    """
    trained = training.trainable()
    origin = {id(p): training.pretrained[name] for name, p in loaded.items() if name in training.pretrained}
    left = (
        (name, p.detach(), origin.get(id(p))) for name, p in training.model.named_parameters() if name not in trained
    )
    moved = {name: p for name, p, was in left if was is not None and not torch.equal(p.cpu(), was)}
    return {**moved, **trained}


def saved_bytes(tensors: Mapping[str, Tensor]) -> int:
    """The size of a file of tensors as torch saves them, dense; it is written, looked at and deleted."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.pt")  # its name stands in the file
        torch.save({name: tensor.detach() for name, tensor in tensors.items()}, file)
        return file.stat().st_size


def sparsity(model: nn.Module) -> float:
    """The share of a model's weights that are 0, those of quantized ones included whose integer is 0."""
    weights = [parameter.detach().dequantize() for parameter in model.parameters()]
    counted = torch.stack([weight.count_nonzero() for weight in weights]).sum()
    return 1 - int(counted) / sum(weight.numel() for weight in weights)


def sampled(training: Training, features: Sequence[Feature], pad_id: int, size: int) -> Batch:
    """A batch of so many of the first features, repeated where they run out; one alone is of middle length."""
    first = sorted(features[:LARGE], key=len)
    chosen = [first[len(first) // 2]] if size == SMALL else [first[i % len(first)] for i in range(size)]
    return collate(chosen, training.format, pad_id, training.device)


@torch.inference_mode()
def _latencies(training: Training, models: Sequence[nn.Module], batch: Batch) -> list[float]:
    """The median seconds of a forward pass of each model in the profile's precision.

    They take turns, so that whatever else the machine does slows all alike.
    """
    seconds: list[list[float]] = [[] for _ in models]
    for model in models:
        model.eval()
    with autocast(training):
        for _ in range(WARM_UP + REPEATS):
            for model, times in zip(models, seconds, strict=True):
                watch = Stopwatch(training.device)
                with watch.running():
                    model(**batch.inputs)
                times.append(watch.seconds)
    return [statistics.median(times[WARM_UP:]) for times in seconds]
