"""Regression in torch: a number is read from the first token, or a causal model's last."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.formats.texts import encode_texts
from bench_lib.tasks.formats.regression import NumberExample
from bench_lib.techniques.interface.context import Output

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


class Regression(TorchFormat):
    """The one output of the head is the number, (batch, 1)."""

    def encode(
        self, examples: Sequence[NumberExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        targets = [np.array([e.number], dtype=np.float32) for e in examples]
        return encode_texts(examples, targets, tokenizer, max_length)

    def targets(self, features: Sequence[Feature], length: int) -> Tensor:
        return torch.from_numpy(np.concatenate([feature.targets for feature in features]))

    def taken_targets(self, inputs: dict[str, Tensor]) -> Tensor:
        return inputs.pop("labels").float().flatten()

    def output(self, raw: Any, batch: Batch) -> Output:
        logits = self.logits(raw, batch.inputs["attention_mask"])
        return Output(logits, (batch.targets,), batch.places, numbers=True)

    def read(self, logits: np.ndarray, feature: Feature) -> np.ndarray:
        return logits

    def decode(
        self,
        examples: Sequence[NumberExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        return Predictions(np.stack(outputs).astype(np.float32))
