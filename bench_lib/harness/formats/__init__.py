"""The torch half of each task format: how its examples become batches, losses and predictions."""

from __future__ import annotations

import functools
import importlib

from bench_lib.harness.formats.base import TorchFormat
from bench_lib.tasks.formats.base import Format


@functools.cache
def torch_half(task_format: Format) -> TorchFormat:
    """The torch half of a format, imported from where the format says that it is."""
    module, _, name = task_format.torch_half.partition(":")
    half: TorchFormat = getattr(importlib.import_module(module), name)()
    return half
