"""The base of the torch halves of task formats, with what most of them share."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unsupported
from bench_lib.core.record import Predictions
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.tasks.formats.base import Example
from bench_lib.techniques.interface.context import Output

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TorchFormat(ABC):
    """How examples of a format become features, batches, rows of a loss, and predictions.

    The head is the one of the light half's `auto_model`. Lengths and stride count tokens.
    """

    def under(self, chat: bool, answer_tokens: int) -> TorchFormat:
        """The half with a profile's settings of written answers; `Unsupported` where it cannot heed one."""
        if chat:
            raise Unsupported("a chat template is for tasks whose answers are written; use chat_template=False")
        return self

    # ---- examples to features ----------------------------------------------------------------------------------------

    @abstractmethod
    def encode(
        self, examples: Sequence[Any], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        """Tokenise examples; raise `Unsupported` for examples that do not fit."""

    def check(self, examples: Sequence[Any], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int) -> None:
        """Raise what `encode` would raise; formats that read windows or write text do so with less work."""
        if examples:
            self.encode(examples, tokenizer, max_length, stride)

    def readable(
        self, made: Sequence[Any], known: Sequence[Any], tokenizer: PreTrainedTokenizerBase, window: tuple[int, int]
    ) -> Sequence[Example]:
        """The examples, of those that techniques made from known ones, that fit a sequence.

        `window` is the longest sequence and the stride.
        """
        return made

    def fitted(self, changed: Any, before: Any, tokenizer: PreTrainedTokenizerBase, window: tuple[int, int]) -> Example:
        """An example with changed words, where they fit; words that do not fit are as before."""
        changed_example: Example = changed
        return changed_example

    # ---- features to batches -----------------------------------------------------------------------------------------

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        """The targets of a batch that is padded to a length; here as in the features, (batch, ...)."""
        return torch.from_numpy(np.stack([feature.targets for feature in features]))

    def taken_targets(self, inputs: dict[str, Tensor]) -> Tensor:
        """The targets of a batch as transformers' collators make it, taken out of its inputs."""
        return inputs.pop("labels")

    def row_place(self, feature: Feature) -> int:
        """The token that represents the whole feature."""
        return feature.row

    def counted(self, targets: Tensor) -> int:
        """The number of rows in the loss of a batch."""
        return len(targets)

    # ---- a model's outputs -------------------------------------------------------------------------------------------

    def inputs(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
        """What a model is given of a batch."""
        return batch.inputs

    def forward(self, model: nn.Module, batch: Batch) -> Any:
        """The model's output for a batch, or for that part of it which `output` and `table` read."""
        return model(**batch.inputs)

    def logits(self, raw: Any, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """The logits of a model's output in fp32; several where a row has several targets."""
        return (raw.logits.float(),)

    def output(self, raw: Any, batch: Batch) -> Output:
        """The output for the rows of a batch that have a target."""
        return Output(self.logits(raw, batch.inputs["attention_mask"]), (batch.targets,), batch.places)

    def table(self, raw: Any, batch: Batch) -> Tensor:
        """What the answers of a batch are read from: logits, (batch, ...), of several targets in the last dimension."""
        parts = self.logits(raw, batch.inputs["attention_mask"])
        return parts[0] if len(parts) == 1 else torch.stack(parts, dim=-1)

    def read(self, logits: np.ndarray, feature: Feature) -> np.ndarray:
        """The logits of one feature that its answer is read from: those at its spots."""
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

    def completed(self, examples: Sequence[Any], found: Predictions, texts: Sequence[tuple[str, bool]]) -> Predictions:
        """Predictions with the texts that a model wrote, and whether each ended, of formats that write text."""
        return found
