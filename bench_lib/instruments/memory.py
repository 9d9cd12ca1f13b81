"""Peak memory of a run."""

from __future__ import annotations

import ctypes
import functools
import gc
import re
import resource
import sys
from contextlib import suppress
from pathlib import Path

import torch

CLEAR_REFS = Path("/proc/self/clear_refs")
STATUS = Path("/proc/self/status")


class PeakMemory:
    """Peak memory since its creation, in bytes: the CUDA allocator's, or the resident set of the process on the CPU.

    Linux lets a process reset its high-water mark; elsewhere the figure is the peak of the whole process so far.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        _return_free_memory()
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError):
                CLEAR_REFS.write_text("5")

    def peak(self) -> int:
        if self.device.type == "cuda":
            return int(torch.cuda.max_memory_allocated(self.device))
        try:
            found = re.search(r"VmHWM:\s+(\d+) kB", STATUS.read_text())
        except OSError:
            found = None
        if found:
            return int(found.group(1)) * 1024
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # bytes on macOS, KiB elsewhere


def _return_free_memory() -> None:
    """Return memory freed by earlier runs to the system, so that the peak is of this run only."""
    gc.collect()
    _freeze_loaded_objects()
    with suppress(OSError, AttributeError):  # only the GNU C library has it
        ctypes.CDLL(None).malloc_trim(0)


@functools.cache
def _freeze_loaded_objects() -> None:
    """Once per process, exclude loaded objects from later collections, which saves a quarter of a second per run."""
    gc.freeze()
