"""Early stopping on the dev set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from bench_lib.techniques.interface.bounds import bounded, one_of
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class EarlyStopping(
    Technique,
    name="early_stopping",
    family="baselines",
    paper="Dodge et al. 2020, arXiv:2002.06305",
    identity={"patience": 0},
    version="2",  # selects on the dev set; version 1 did on the evaluation set
    observer=True,
    space={"patience": (1, 2, 3, 5)},  # our choice
    trimmable=True,
):
    """Stop after `patience` evaluations without a better score, and keep the best checkpoint.

    stop at evaluation t when max(s_1 ... s_{t-patience}) >= max(s_{t-patience+1} ... s_t)

    Dodge et al. 2020, "Fine-Tuning Pretrained Language Models", section 5, on stopping early. Source of patience 3:
    allenai/dont-stop-pretraining:environments/hyperparameters.py, which evaluates once an epoch; what a patience is
    hangs on the profile's number of evaluations. Scores are those on the dev set. With `on=evaluation` it selects on
    the set that it is scored on, as public practice does, which makes its mean optimistic.
    """

    patience: int = bounded(3, "[0, inf]", "1 or more; 0 for never, keeping the last")
    on: str = one_of("dev", "evaluation")

    def selects_on_dev(self) -> bool:
        return self.on == "dev"

    def stop(self, history: Sequence[float]) -> bool:
        return self.patience > 0 and len(history) - 1 - self.select(history) >= self.patience

    def select(self, history: Sequence[float]) -> int:
        return history.index(max(history)) if self.patience else len(history) - 1
