"""Supplementary training on another labelled task first."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from bench_lib.core.errors import require
from bench_lib.techniques.interface.bounds import bounded
from bench_lib.techniques.interface.pretraining import PretrainingStage
from bench_lib.techniques.interface.technique import Technique


@dataclass(frozen=True)
class IntermediateTask(
    Technique,
    name="intermediate_task",
    family="data",
    paper="Phang et al. 2018, arXiv:1811.01088",
    identity={"epochs": 0},
    space={"epochs": (1, 2, 3)},  # our choice
    no_trimming="it trains on the texts of another task as well",
):
    """The body is fine-tuned on another task first, as it would be alone, then on the run's own with a new head.

    theta <- tune(tune(theta_pretrained, intermediate task), task)

    Phang et al. 2018, "Sentence Encoders on STILTs": the usual fine-tuning, twice, at a rate of 2e-5, without the first
    one's optimiser state. Source: zphang/bert_on_stilts:README.md. None keeps the profile's rate and number of
    examples. They take MNLI, of 393,000 examples, which no task here is; mrpc, our choice, is the largest task here of
    their kind, pairs of sentences, and comes from the run's own data source or the run is declined, as it is where it
    is the run's own task. Its data are no part of the run's identity. Techniques that know the pre-trained weights,
    such as l2_sp, still see those from before.
    """

    task: str = "mrpc"
    epochs: int = bounded(3, "[0, inf]")
    learning_rate: float | None = bounded(None, "(0, 1] or None", "above 0, up to 1, or None")
    examples: int | None = bounded(None, "[1, inf] or None", "1 or more, or None to keep")

    def __post_init__(self) -> None:
        super().__post_init__()
        require(bool(self.task), "intermediate_task:task", self.task, "the name of a task")

    def draws(self) -> tuple[str, ...]:
        return ("subset",)

    def pretraining_passes(self, epochs: int) -> tuple[int, int]:
        return (self.epochs, self.epochs)

    def pretrain(self, stage: PretrainingStage) -> None:
        if self.epochs == 0:
            return
        profile = stage.profile
        rate = profile.learning_rate if self.learning_rate is None else self.learning_rate
        size = profile.train_examples if self.examples is None else self.examples
        budget = dataclasses.replace(
            profile, epochs=self.epochs, learning_rate=rate, train_examples=size, per_class=None, label_noise=0.0
        )
        stage.tune(self.task, budget)
