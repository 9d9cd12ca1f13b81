"""Status and reason of a run that ended with an exception."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

from bench_lib.core.errors import Diverged, Unsupported, shortened
from bench_lib.core.record import Status

REASON_CHARACTERS = 2000


def ending(error: BaseException) -> tuple[Status, str]:
    """The status and reason for an exception; `Unsupported` and `Diverged` say their own."""
    if isinstance(error, (Unsupported, Diverged)):
        return Status.DIVERGED if isinstance(error, Diverged) else Status.UNSUPPORTED, str(error)
    return failure(error)


def failure(error: BaseException) -> tuple[Status, str]:
    """The status and reason for an exception of any other class."""
    text = "".join(traceback.format_exception_only(error)).strip()
    # On CPUs torch has no class for this, and its message differs by platform.
    cpu_memory = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in text
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or cpu_memory:
        return Status.OOM, shortened(text, REASON_CHARACTERS)
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return Status.CRASHED, shortened(f"{text} (at {where})", REASON_CHARACTERS)
