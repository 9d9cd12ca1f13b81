"""The registry of robustness sets: data for the further evaluation of a trained model."""

from __future__ import annotations

from bench_lib.core.errors import BenchError
from bench_lib.core.registry import Registry
from bench_lib.tasks.further import FurtherSet
from bench_lib.tasks.robustness.checklist_sentiment import ChecklistSentiment
from bench_lib.tasks.robustness.imdb_pairs import ImdbCad, ImdbContrast
from bench_lib.tasks.robustness.squad_adversarial import SquadAdversarial

__all__ = ["FURTHER_SETS"]


def check_set(entry: object, where: str) -> None:
    """Raise `BenchError` for what is no set for further evaluation."""
    if not isinstance(entry, FurtherSet):
        raise BenchError(f"the robustness set {where} is not a bench_lib.tasks.further.FurtherSet")


FURTHER_SETS: Registry[FurtherSet] = Registry("robustness set", "stabbench.robustness_sets", check_set)

for _set in (SquadAdversarial(), ImdbContrast(), ImdbCad(), ChecklistSentiment()):
    FURTHER_SETS.add(_set.name, _set)
