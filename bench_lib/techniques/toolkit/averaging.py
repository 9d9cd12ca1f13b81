"""Means of weights; and weights in a model's place for a while, whose own are set aside and never computed back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager

from torch import Tensor, nn

from bench_lib.techniques.interface.hooks import Weights


@contextmanager
def held(parameters: Iterable[nn.Parameter], values: Iterable[Tensor]) -> Iterator[None]:
    """Let each parameter have another value, and give it back its own tensor afterwards, also if the body raises."""
    own = [(parameter, parameter.data) for parameter in parameters]
    try:
        for (parameter, _), value in zip(own, values, strict=True):
            parameter.data = value
        yield
    finally:
        for parameter, data in own:
            parameter.data = data


def mean_of(members: Sequence[Callable[[], Weights]]) -> Weights:
    """The mean of weights, each read when it is called for, so that two are in memory at a time."""
    first, *others = members
    mean = first()
    for number, load in enumerate(others, start=2):
        other = load()
        mean = {name: weight.lerp(other[name], 1 / number) for name, weight in mean.items()}
    return mean
