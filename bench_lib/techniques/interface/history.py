"""Stored runs as a seed ensemble sees them, and its choice among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """A stored run: its evaluations as (step, score), and its final score, None where it diverged."""

    evaluations: tuple[tuple[int, float], ...]
    score: float | None


@dataclass(frozen=True)
class Choice:
    """The selected run and the finished runs, by index; the others stopped at a step."""

    run: int
    finished: tuple[int, ...]
    stopped_at: int
