"""Which machine a run was made on, as far as speed and memory go."""

from __future__ import annotations

from collections.abc import Mapping

from bench_lib.core.canonical import canonical_json

MACHINE = ("cpu", "cores", "memory_gib", "device")
"""Provenance that decides speed and memory."""


def machine_of(provenance: Mapping[str, object]) -> str:
    """What tells machines of one speed from others, by provenance."""
    return canonical_json({name: str(provenance.get(name, "")) for name in MACHINE})
