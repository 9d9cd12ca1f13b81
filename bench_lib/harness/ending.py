"""How a run ends that an exception ended: its status, and the reason with the places in the code."""

from __future__ import annotations

import traceback
from pathlib import Path

import torch

from bench_lib.core.errors import Diverged, Unsupported, shortened
from bench_lib.core.record import Status

REASON_CHARACTERS = 2000


def ending(error: BaseException) -> tuple[Status, str]:
    """The status and the reason of a run that an exception ended, which may be its own verdict."""
    if isinstance(error, (Unsupported, Diverged)):
        return Status.DIVERGED if isinstance(error, Diverged) else Status.UNSUPPORTED, str(error)
    return failure(error)


def failure(error: BaseException) -> tuple[Status, str]:
    """The status and the reason of a run that an exception ended."""
    text = "".join(traceback.format_exception_only(error)).strip()
    # torch has no class of its own for this on CPUs, and words it differently by platform.
    cpu_memory = isinstance(error, RuntimeError) and "DefaultCPUAllocator" in text
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)) or cpu_memory:
        return Status.OOM, shortened(text, REASON_CHARACTERS)
    frames = traceback.extract_tb(error.__traceback__)[-3:]
    where = " < ".join(f"{Path(f.filename).name}:{f.lineno} {f.name}" for f in reversed(frames))
    return Status.CRASHED, shortened(f"{text} (at {where})", REASON_CHARACTERS)
