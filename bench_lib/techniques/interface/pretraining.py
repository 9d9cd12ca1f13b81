"""The pre-training stage: models trained by the run's own machinery, at the run's cost."""

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
"""From a sequence's ids and a mask of special tokens: the ids to read, and a mask of the tokens to predict.

All are (length,); at least one token is a target.
"""


@dataclass(frozen=True, eq=False)
class Study:
    """Language modelling on texts without their labels, with new targets each time that a sequence is read.

    The model's `logits` are what `loss` takes, a row for each target; the targets are the original ids. A token is
    predicted at its own place, or as the `next_token` at the place before it.
    """

    model: nn.Module
    corrupt: Corrupt
    loss: Callable[[Output], Tensor]
    next_token: bool = False


class PretrainingStage(Protocol):
    """The pre-training stage of one run, for one technique.

    `training` is the run before any technique prepares its model: the body as loaded, or as an earlier stage left it,
    and the new head. `profile` is the budget before any technique changed it. Training here draws from
    streams under the technique's name; its passes, tokens and seconds count in the record, its steps are reported.
    """

    training: Training

    @property
    def profile(self) -> Profile:
        """The profile as requested, before techniques change it."""
        ...

    @property
    def sequences(self) -> int:
        """The number of training sequences."""
        ...

    def pieces(self) -> tuple[int | None, int]:
        """The id of the tokenizer's mask and the size of its vocabulary.

        A causal model, which predicts the next token, has None for a mask; for others without one it is `Unsupported`.
        """
        ...

    def word_head(self) -> nn.Module | None:
        """The checkpoint's head for masked or next words, logits (rows, vocabulary) of states (rows, hidden), or None.

        A copy in fp32, with the run's word embeddings where its decoder is tied to them; in a run with prompts, the
        run's own head.
        """
        ...

    def unlabelled(self, size: int) -> Sequence[Example]:
        """Up to `size` examples of the unlabelled pool: training examples that the run never sees.

        Examples of the evaluation set are left out. Raises `Unsupported` where none is left.
        """
        ...

    def add(self, examples: Sequence[Example]) -> None:
        """Add these examples to the run's training set."""
        ...

    def study(self, study: Study, profile: Profile) -> None:
        """Train a model, which may share modules with the run's, on the texts of the training set."""
        ...

    def tune(self, task: str, profile: Profile) -> None:
        """Fine-tune the run's body on another task from the same source, with a new head that is dropped afterwards.

        `profile.train_examples` is the number of examples. Raises `Unsupported` for an unknown task or the run's own.
        """
        ...

    def pseudo_labels(self, examples: Sequence[Example]) -> Predictions:
        """Predictions of a teacher: a copy of the model, trained by the run's stack."""
        ...
