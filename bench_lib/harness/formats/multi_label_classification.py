"""Multi-label classification in torch: each label of a text is a decision of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import IGNORED, Batch, Feature, padded
from bench_lib.harness.formats.texts import encode_texts
from bench_lib.tasks.formats.multi_label_classification import LabelSetExample
from bench_lib.techniques.interface.context import Output

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class MultiLabelClassification(TorchFormat):
    """A logit for each label, (batch, labels); in the loss a row for each label of each text, absent or present."""

    def encode(
        self, examples: Sequence[LabelSetExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        targets = [np.array(e.label_set, dtype=np.int64) for e in examples]
        return encode_texts(examples, targets, tokenizer, max_length)

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        """The labels of each text as indices, filled up: (batch, most labels)."""
        sets = [feature.targets for feature in features]
        return padded(sets, max(map(len, sets)), IGNORED)

    def taken_targets(self, inputs: dict[str, Tensor]) -> Tensor:
        """Labels are 1 where present and 0 where absent, (batch, labels), targets their indices."""
        marked = inputs.pop("labels") > 0
        indices = torch.arange(marked.shape[1], device=marked.device)
        return torch.where(marked, indices, IGNORED)

    def output(self, raw: Any, batch: Batch) -> Output:
        """The cross-entropy of these rows is the binary cross-entropy: softmax(0, z) has the sigmoid of z second."""
        (logits,) = self.logits(raw, batch.inputs["attention_mask"])
        rows = torch.stack([torch.zeros_like(logits), logits], dim=-1).flatten(0, 1)  # (batch * labels, 2)
        return Output((rows,), (present(batch.targets, logits.shape[-1]).flatten(),), batch.places)

    def read(self, logits: np.ndarray, feature: Feature) -> np.ndarray:
        return logits

    def decode(
        self,
        examples: Sequence[LabelSetExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        return Predictions(np.stack(outputs).astype(np.float32))


def present(sets: Tensor, labels: int) -> Tensor:
    """1 where a text has a label and 0 where not, (batch, labels), from indices that are filled up."""
    places = torch.where(sets == IGNORED, labels, sets)
    marked = torch.zeros(len(sets), labels + 1, dtype=torch.int64, device=sets.device)
    return marked.scatter_(1, places, 1)[:, :labels]
