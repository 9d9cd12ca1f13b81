"""CUDA's Multi-Process Service, by which processes compute on one GPU at the same time and not in turn."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from shutil import which

from bench_lib.core.errors import BenchError, described, shortened
from bench_lib.executors.devices import VARIABLE

CONTROL = "nvidia-cuda-mps-control"

_ANSWER = 30.0
"""Seconds in which the daemon must start, and end."""
_CHARACTERS = 500


@contextmanager
def served() -> Iterator[Mapping[str, str]]:
    """A daemon of this process's own, with the variables by which others find it; raises `BenchError` if none starts.

    It is told to quit at the end; what ends this process at once leaves it running.
    """
    # A short path, since that of a socket in it may have 107 characters.
    with tempfile.TemporaryDirectory(prefix="mps-", ignore_cleanup_errors=True) as folder:
        found = {"CUDA_MPS_PIPE_DIRECTORY": f"{folder}/pipe", "CUDA_MPS_LOG_DIRECTORY": f"{folder}/log"}
        for path in found.values():
            Path(path).mkdir()
        # It would number the devices anew that it is shown, and its clients name them as this process does.
        environment = {name: value for name, value in os.environ.items() if name != VARIABLE} | found
        _control(environment, "-d")
        try:
            yield found
        finally:
            _control(environment, told="quit\n")


def check_mps() -> None:
    """Raise `BenchError` unless this machine has the program that starts the daemon."""
    if which(CONTROL) is None:
        raise BenchError(f"--mps on: there is no {CONTROL} on this machine; it comes with NVIDIA's driver")


def _control(environment: Mapping[str, str], *arguments: str, told: str | None = None) -> None:
    try:
        # The daemon stays when its starter ends, and would keep a pipe open.
        subprocess.run(
            [CONTROL, *arguments],
            env=environment,
            input=told,
            stdin=subprocess.DEVNULL if told is None else None,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
            timeout=_ANSWER,
            check=True,
        )
    except (OSError, subprocess.SubprocessError) as error:
        what = "cannot be started" if told is None else "does not quit"
        said = _last(Path(environment["CUDA_MPS_LOG_DIRECTORY"]) / "control.log")
        why = shortened(": ".join(filter(None, (described(error), said))), _CHARACTERS)
        raise BenchError(f"the daemon of CUDA MPS {what}: {why}") from error


def _last(path: Path) -> str:
    lines = path.read_text(errors="replace").splitlines() if path.is_file() else []
    return lines[-1] if lines else ""
