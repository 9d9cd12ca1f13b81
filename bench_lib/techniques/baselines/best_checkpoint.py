"""The best checkpoint instead of the last one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.techniques.interface.bounds import one_of
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class BestCheckpoint(
    Technique,
    name="best_checkpoint",
    family="baselines",
    paper="Mosbach et al. 2021, arXiv:2006.04884",
    identity=None,
    version="2",  # selects on the dev set; version 1 did on the evaluation set
    no_identity="a rule without a strength; early_stopping:patience=0 is the one that keeps the last",
    observer=True,
    trimmable=True,
):
    """Train to the end, and keep the checkpoint with the best score, the earliest of equals.

    kept = min(argmax(s_1 ... s_T)) over the scores s_t of all T evaluations

    The rule of Mosbach et al. 2021, who call it early stopping: three evaluations an epoch, the best of which is kept.
    Source: uds-lsv/bert-stable-fine-tuning:examples/bert_stable_fine_tuning/configs/rte. Scores are those on the dev
    set. With `on=evaluation` it selects on the set that it is scored on, as they do, which makes its mean optimistic.
    """

    on: str = one_of("dev", "evaluation")

    def selects_on_dev(self) -> bool:
        return self.on == "dev"

    def stop(self, history: Sequence[float]) -> bool:
        return False

    def select(self, history: Sequence[float]) -> int:
        return history.index(max(history))
