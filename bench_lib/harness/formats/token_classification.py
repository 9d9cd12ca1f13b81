"""Token classification in torch: the tag of a word is read from its first sub-token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import IGNORED, Batch, Feature, feature_of, padded
from bench_lib.models.words import tokenize_words
from bench_lib.tasks.formats.token_classification import OUTSIDE, TagExample
from bench_lib.techniques.interface.context import Output

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class TokenClassification(TorchFormat):
    """One row of logits for each word, of (batch, length, labels)."""

    def encode(
        self, examples: Sequence[TagExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        encoded, words_of = tokenize_words([e.words for e in examples], tokenizer, max_length)
        features = []
        for i, (example, words) in enumerate(zip(examples, words_of, strict=True)):
            first = np.flatnonzero((words >= 0) & (words != np.append(-1, words[:-1])))
            if not len(first):
                continue  # no word has a token, so that there is nothing to learn; in evaluation its words count as `O`
            targets = np.full(len(words), IGNORED)
            targets[first] = np.array(example.tags)[words[first]]
            features.append(feature_of(encoded, (i, i), targets, first, words[first]))
        return features

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        return padded([feature.targets for feature in features], length, IGNORED)

    def counted(self, targets: Tensor) -> int:
        return int((targets != IGNORED).sum())

    def output(self, raw: Any, batch: Batch) -> Output:
        (logits,) = self.logits(raw, batch.inputs["attention_mask"])
        counted = batch.targets != IGNORED  # (batch, length)
        return Output((logits[counted],), (batch.targets[counted],), counted)

    def decode(
        self,
        examples: Sequence[TagExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        """Logits of every word; a word that was cut off, or has no token, is given `O`."""
        lengths = [len(example.words) for example in examples]
        outside = np.eye(len(labels), dtype=np.float32)[[labels.index(OUTSIDE)]]
        tables = [outside.repeat(length, axis=0) for length in lengths]
        for feature, logits in zip(features, outputs, strict=True):
            tables[feature.item][feature.places] = logits
        return Predictions(np.concatenate(tables), np.array(lengths, dtype=np.int32))
