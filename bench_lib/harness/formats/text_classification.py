"""Text classification in torch: a class is read from the first token, a causal model's last, or a prompt's mask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.formats.texts import encode_texts
from bench_lib.tasks.formats.text_classification import TextExample

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TextClassification(TorchFormat):
    """One row of logits for each text, (batch, labels)."""

    def encode(
        self, examples: Sequence[TextExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        return encode_texts(examples, [np.array([e.label]) for e in examples], tokenizer, max_length)

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        return torch.from_numpy(np.stack([feature.targets for feature in features]))[:, 0]

    def row_place(self, feature: Feature) -> int:
        return int(feature.spots[0])

    def read(self, logits: np.ndarray, feature: Feature) -> np.ndarray:
        return logits

    def decode(
        self,
        examples: Sequence[TextExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        return Predictions(np.stack(outputs).astype(np.float32))
