"""What a technique may do before the training: train models by the run's own machinery, at the run's cost."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from torch import Tensor, nn

from bench_lib.core.record import Predictions
from bench_lib.core.spec import Profile
from bench_lib.tasks.formats import Example
from bench_lib.techniques.interface.context import Output, Training

Corrupt = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From a sequence's ids and where they are special: the ids to be read, and where the first ones are to be told.

Both (length,), the places as truth values; at least one of them is true.
"""


@dataclass(frozen=True, eq=False)
class Study:
    """A training on texts without their answers: each time that a sequence is read, it is corrupted anew.

    The model gives as `logits` whatever `loss` takes, a row for each place to be told; the targets are the first ids.
    """

    model: nn.Module
    corrupt: Corrupt
    loss: Callable[[Output], Tensor]


class PretrainingStage(Protocol):
    """What goes before one run's training, for one technique.

    `training` is the run before any technique prepares its model: the body as loaded, or as an earlier stage left it,
    and the new head. `profile` is the budget before any technique changed it. All that is trained here draws from
    streams under the technique's name, and counts in the passes, tokens and seconds of the record; its own steps are
    reported.
    """

    training: Training

    @property
    def profile(self) -> Profile:
        """The budget of the run as it was asked for."""
        ...

    @property
    def sequences(self) -> int:
        """How many sequences the training has."""
        ...

    def pieces(self) -> tuple[int, int]:
        """The id of the tokenizer's mask, and how many ids it has; without a mask, `Unsupported`."""
        ...

    def word_head(self) -> nn.Module | None:
        """The checkpoint's own head for masked words, with logits (rows, vocabulary) from states (rows, hidden).

        It is a copy, in fp32, that shares the run's word embeddings where its decoder is tied to them, or the run's own
        where that answers prompts; None where the checkpoint holds none.
        """
        ...

    def unlabelled(self, size: int) -> Sequence[Example]:
        """So many examples of the task's training set that the run does not read, or all; none is `Unsupported`.

        Those that it is evaluated on are left out.
        """
        ...

    def add(self, examples: Sequence[Example]) -> None:
        """Let the run train on these examples too."""
        ...

    def study(self, study: Study, profile: Profile) -> None:
        """Train a model, which may share modules with the run's, on the texts of the training set."""
        ...

    def tune(self, task: str, profile: Profile) -> None:
        """Fine-tune the run's body on another task from the same source, which is left with what it learnt.

        The head for that task is new and dropped; `profile.train_examples` is how many are trained on. A task that is
        not there, or that is the run's own, raises `Unsupported`.
        """
        ...

    def pseudo_labels(self, examples: Sequence[Example]) -> Predictions:
        """What a copy of the model, trained as the run would be by its stack, says of examples."""
        ...
