"""Text classification in torch: a class is read from the first token, a causal model's last, or a prompt's mask."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import Feature, feature_of
from bench_lib.models.causal import nothing, text_token
from bench_lib.tasks.formats.text_classification import TextExample


class TextClassification(TorchFormat):
    """One row of logits for each text, (batch, labels)."""

    def encode(
        self, examples: Sequence[TextExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        pairs = [e.pair or "" for e in examples] if any(e.pair is not None for e in examples) else None
        encoded = tokenizer(
            [e.text or nothing(tokenizer) for e in examples],
            pairs,
            truncation=True,
            max_length=max_length,
            return_special_tokens_mask=True,
        )
        rows = [text_token(tokenizer, ids) for ids in encoded["input_ids"]]
        return [
            feature_of(encoded, (i, i), np.array([e.label]), np.array([row]), np.array([0]), row)
            for i, (e, row) in enumerate(zip(examples, rows, strict=True))
        ]

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
