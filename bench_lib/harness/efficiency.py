"""Efficiency of compressed models: evaluated in place of the trained model, and measured beside it."""

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
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.frozen import in_fp32
from bench_lib.harness.precision import autocast
from bench_lib.instruments.timing import Stopwatch
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Compresses
from bench_lib.techniques.toolkit.model_copies import plain_copy

WARM_UP, REPEATS = 2, 7
"""Forward passes of each model to warm up, and those whose median is taken."""
SMALL, LARGE = 1, 32
"""The batch sizes whose latency is measured."""


@dataclass(frozen=True)
class Footprint:
    """Size and latency of a model, as in its record."""

    size: ModelSize
    latency: Latency


@contextmanager
def deployed(training: Training, compressor: Compresses) -> Iterator[nn.Module]:
    """Put the compressed model in place of the trained one, which is yielded; undone also if the body raises.

    Its weights have no pre-trained values, since blocks may be missing or smaller. It predicts without a committee.
    """
    trained, pretrained, held = training.model, training.pretrained, training.held
    trained.eval()
    try:
        training.model = whole = in_fp32(training)
        training.model = compressor.compress(training)
        training.pretrained, training.held = {}, {}
        with training.predicting_as(None):
            yield whole
    finally:
        training.model, training.pretrained, training.held = trained, pretrained, held
        trained.train()


def footprint(training: Training, trained: nn.Module, inputs: Callable[[int], Batch]) -> Footprint:
    """Measure the training's compressed model beside the trained one, in which peft's additions are merged."""
    models = (training.model, plain_copy(trained))
    small, large = (_latencies(training, models, inputs(size)) for size in (SMALL, LARGE))
    kept, before = (saved_bytes(model.state_dict()) for model in models)
    return Footprint(ModelSize(kept, before, sparsity(models[0])), Latency(small[0], large[0], small[1], large[1]))


def learnt(training: Training, loaded: Mapping[str, nn.Parameter]) -> dict[str, Tensor]:
    """The tensors to save beside the pre-trained model: trained parameters, and frozen ones that moved.

    `loaded` are the parameters as they were before any technique, by name: a pre-training stage may change the whole
    body before the training freezes most of it and renames it.
    """
    trained = training.trainable()
    origin = {id(p): training.pretrained[name] for name, p in loaded.items() if name in training.pretrained}
    left = (
        (name, p.detach(), origin.get(id(p))) for name, p in training.model.named_parameters() if name not in trained
    )
    exact = ((name, training.exact(name, p), was) for name, p, was in left if was is not None)
    moved = {name: p for name, p, was in exact if not torch.equal(p.cpu(), was)}
    return {**moved, **trained}


def saved_bytes(tensors: Mapping[str, Tensor]) -> int:
    """The size in bytes of a file of dense tensors as torch saves them, measured on a temporary file."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "model.pt")  # torch writes its name into the file
        torch.save({name: tensor.detach() for name, tensor in tensors.items()}, file)
        return file.stat().st_size


def sparsity(model: nn.Module) -> float:
    """The share of a model's weights that are 0, also after quantisation."""
    weights = [parameter.detach().dequantize() for parameter in model.parameters()]
    counted = torch.stack([weight.count_nonzero() for weight in weights]).sum()
    return 1 - int(counted) / sum(weight.numel() for weight in weights)


def sampled(training: Training, features: Sequence[Feature], pad_id: int, size: int) -> Batch:
    """A batch of the first `size` features, repeated where they run out; a single one has the median length."""
    first = sorted(features[:LARGE], key=len)
    chosen = [first[len(first) // 2]] if size == SMALL else [first[i % len(first)] for i in range(size)]
    return collate(chosen, training.format, pad_id, training.device)


@torch.inference_mode()
def _latencies(training: Training, models: Sequence[nn.Module], batch: Batch) -> list[float]:
    """The median seconds of a forward pass of each model in the profile's precision.

    The models take turns, so that other load slows all alike.
    """
    seconds: list[list[float]] = [[] for _ in models]
    inputs = [torch_half(training.format).inputs(model, batch) for model in models]
    for model in models:
        model.eval()
    with autocast(training):
        for _ in range(WARM_UP + REPEATS):
            for model, given, times in zip(models, inputs, seconds, strict=True):
                watch = Stopwatch(training.device)
                with watch.running():
                    model(**given)
                times.append(watch.seconds)
    return [statistics.median(times[WARM_UP:]) for times in seconds]
