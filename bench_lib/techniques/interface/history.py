"""What a pool sees of stored runs, and what it decides of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class History:
    """A stored run as a pool sees it: its evaluations as (step, score), and the score it ended with.

    That is None where the run diverged.
    """

    evaluations: tuple[tuple[int, float], ...]
    score: float | None


@dataclass(frozen=True)
class Choice:
    """Of several runs, by index, the one that counts and those that were finished; the others ended at a step."""

    run: int
    finished: tuple[int, ...]
    stopped_at: int
