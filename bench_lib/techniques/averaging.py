"""Other weights in a model's place for a while, such as averages; its own are set aside and never computed back."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from torch import Tensor, nn


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
