"""A task format of a test's own, the torch half: one logit for each token, and the word with the highest is meant."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import Feature, feature_of
from bench_lib.models.words import tokenize_words
from tests.formats.pointing import PointExample


class Pointing(TorchFormat):
    def encode(
        self, examples: Sequence[PointExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        encoded, words_of = tokenize_words([example.words for example in examples], tokenizer, max_length)
        features = []
        for i, (example, words) in enumerate(zip(examples, words_of, strict=True)):
            first = np.flatnonzero((words >= 0) & (words != np.append(-1, words[:-1])))
            # Of a word that is cut off the target is the sequence's first token.
            target = np.append(first[words[first] == example.target], 0)[:1]
            features.append(feature_of(encoded, (i, i), target, first, words[first]))
        return features

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        return super().targets(features, length)[:, 0]

    def logits(self, raw: Any, attention_mask: Tensor) -> tuple[Tensor, ...]:
        return (raw.logits[..., 0].float().masked_fill(attention_mask == 0, -torch.inf),)  # (batch, length)

    def decode(
        self,
        examples: Sequence[PointExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        pairs = zip(features, outputs, strict=True)
        best = [(feature.places[logits.argmax()], logits.max()) for feature, logits in pairs]
        return Predictions(np.array(best, dtype=np.float32))
