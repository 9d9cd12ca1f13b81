"""What the torch half of a task format answers for; what most formats share is done here."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.tasks.formats.base import Example
from bench_lib.techniques.interface.context import Output


class TorchFormat(ABC):
    """How examples of a format become features, batches, rows of a loss, and predictions.

    The head is the one of the light half's `auto_model`. Lengths and stride count tokens.
    """

    # ---- examples to features ----------------------------------------------------------------------------------------

    @abstractmethod
    def encode(
        self, examples: Sequence[Any], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        """Tokenise examples; what a model cannot be asked raises `Unsupported`."""

    def check(self, examples: Sequence[Any], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int) -> None:
        """Raise what `encode` would raise; asked of formats that read windows, which can do it with less work."""
        if examples:
            self.encode(examples, tokenizer, max_length, stride)

    def readable(
        self, made: Sequence[Any], known: Sequence[Any], tokenizer: PreTrainedTokenizerBase, window: tuple[int, int]
    ) -> Sequence[Example]:
        """Of examples that techniques made from known ones, those that can be read.

        `window` is the longest sequence and the stride.
        """
        return made

    def fitted(self, changed: Any, before: Any, tokenizer: PreTrainedTokenizerBase, window: tuple[int, int]) -> Example:
        """An example whose words were changed, with what cannot be read so as it was before."""
        changed_example: Example = changed
        return changed_example

    # ---- features to batches -----------------------------------------------------------------------------------------

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        """The targets of a batch that is padded to a length; as they stand in the features, (batch, ...)."""
        return torch.from_numpy(np.stack([feature.targets for feature in features]))

    def row_place(self, feature: Feature) -> int:
        """The token that stands for the whole of a feature."""
        return 0

    def counted(self, targets: Tensor) -> int:
        """How many rows of the loss a batch has."""
        return len(targets)

    # ---- what a model gave -------------------------------------------------------------------------------------------

    def logits(self, raw: Any, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """The logits of a model's output in fp32; several where a row has several targets."""
        return (raw.logits.float(),)

    def output(self, raw: Any, batch: Batch) -> Output:
        """What a model's output says of the rows of a batch that have a target."""
        return Output(self.logits(raw, batch.inputs["attention_mask"]), (batch.targets,), batch.places)

    def read(self, logits: np.ndarray, feature: Feature) -> np.ndarray:
        """What the answer is read from, of the logits of one feature: those at its spots."""
        found: np.ndarray = logits[feature.spots]
        return found

    @abstractmethod
    def decode(
        self,
        examples: Sequence[Any],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        """Predictions for all examples from what was `read` of each feature, a row or more for each example."""
