"""Question answering in torch: the best span over all windows of a context, or none.

No answer is the token that stands for the sequence, as start and end: the first, or the last of a causal model and of a
decoder beside an encoder, which alone has seen the whole. It is the target of each window that holds no answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from bench_lib.core.errors import Unsupported
from bench_lib.core.record import Predictions
from bench_lib.harness.formats.base import TorchFormat
from bench_lib.harness.formats.features import Batch, Feature, feature_of
from bench_lib.models.causal import pair_token
from bench_lib.models.stacks import last_end
from bench_lib.tasks.formats.question_answering import SpanExample
from bench_lib.techniques.interface.context import Output

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase

LONGEST_ANSWER = 30
"""Tokens that an answer span may have, as in the BERT reference code for SQuAD."""


class QuestionAnswering(TorchFormat):
    """Logits of an answer's start and end, each (batch, length)."""

    def encode(
        self, examples: Sequence[SpanExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> list[Feature]:
        self.check(examples, tokenizer, max_length, stride)
        encoded = tokenizer(
            [e.question.strip() for e in examples],
            [e.context for e in examples],
            truncation="only_second",
            max_length=max_length,
            stride=stride,
            return_overflowing_tokens=True,
            return_offsets_mapping=True,
            return_special_tokens_mask=True,
        )
        items = encoded["overflow_to_sample_mapping"]
        spots = [np.flatnonzero([place == 1 for place in encoded.sequence_ids(i)]) for i in range(len(items))]
        offsets = [np.array(encoded["offset_mapping"][i])[own] for i, own in enumerate(spots)]
        windows: dict[int, list[np.ndarray]] = {}
        for item, window in zip(items, offsets, strict=True):
            windows.setdefault(item, []).append(window)
        bounds = {item: _answer_bounds(examples[item], np.concatenate(found)) for item, found in windows.items()}
        rows = [last_end(tokenizer, ids) or pair_token(tokenizer, ids) for ids in encoded["input_ids"]]
        targets = [_span_target(bounds[item], spots[i], offsets[i], rows[i]) for i, item in enumerate(items)]
        return [
            feature_of(encoded, (i, item), targets[i], spots[i], offsets[i], rows[i]) for i, item in enumerate(items)
        ]

    def check(
        self, examples: Sequence[SpanExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
    ) -> None:
        """Raise `Unsupported` for a question that is too long for a window to hold more than the next one repeats.

        So for an answer of nothing that the model reads. The tokenizer's own check ends the whole process.
        """
        if not examples:
            return
        taken = tokenizer.num_special_tokens_to_add(pair=True)
        questions = tokenizer([e.question.strip() for e in examples], add_special_tokens=False)["input_ids"]
        for example, question in zip(examples, questions, strict=True):
            if max_length - taken - len(question) <= stride:
                raise Unsupported(
                    f"question {example.id!r} has {len(question)} tokens and leaves no room for its context in "
                    f"{max_length} tokens with a stride of {stride}; raise max_length or lower stride"
                )
        answered = [example for example in examples if example.answers]
        texts = [example.answers[0] for example in answered]
        answers = tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        for example, answer in zip(answered, answers, strict=True):
            if not answer:
                raise Unsupported(_unread(example))

    def readable(
        self,
        made: Sequence[SpanExample],
        known: Sequence[SpanExample],
        tokenizer: PreTrainedTokenizerBase,
        window: tuple[int, int],
    ) -> Sequence[SpanExample]:
        """Without the new ones whose question became so long that it leaves no room for the context."""
        before = {example.question for example in known}
        asked = {example.question for example in made} - before
        read = before | {question for question in asked if has_room(question, tokenizer, *window)}
        return [example for example in made if example.question in read]

    def fitted(
        self, changed: SpanExample, before: SpanExample, tokenizer: PreTrainedTokenizerBase, window: tuple[int, int]
    ) -> SpanExample:
        """A word with a typo takes more tokens, and a question must leave room for its context."""
        room = has_room(changed.question, tokenizer, *window)
        return changed if room else replace(changed, question=before.question)

    def taken_targets(self, inputs: dict[str, Tensor]) -> Tensor:
        return torch.stack([inputs.pop("start_positions"), inputs.pop("end_positions")], dim=1)

    def logits(self, raw: Any, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """Positions of padding cannot be chosen as an answer's start or end."""
        padding = attention_mask == 0
        return tuple(ends.float().masked_fill(padding, -torch.inf) for ends in (raw.start_logits, raw.end_logits))

    def output(self, raw: Any, batch: Batch) -> Output:
        logits = self.logits(raw, batch.inputs["attention_mask"])
        return Output(logits, (batch.targets[:, 0], batch.targets[:, 1]), batch.places)

    def read(self, logits: np.ndarray, feature: Feature) -> np.ndarray:
        """The logits of the context's tokens, and last those of no answer."""
        found: np.ndarray = logits[[*feature.spots, feature.row]]
        return found

    def decode(
        self,
        examples: Sequence[SpanExample],
        features: Sequence[Feature],
        outputs: Sequence[np.ndarray],
        labels: Sequence[str],
    ) -> Predictions:
        """The best valid span of each example over all its windows: (start, end, score), the former in characters.

        With labels it is (0, 0, score) where no answer has a higher score, which is its lowest over the windows, as in
        the BERT reference code for SQuAD v2.0, with its threshold of 0.
        """
        best = np.full((len(examples), 3), [0, 0, -np.inf], dtype=np.float32)
        none = np.full(len(examples), np.inf, dtype=np.float32)
        for feature, logits in zip(features, outputs, strict=True):
            spots = len(feature.places)
            first, last, value = best_span(logits[:spots, 0], logits[:spots, 1])
            if value > best[feature.item, 2]:
                best[feature.item] = (feature.places[first, 0], feature.places[last, 1], value)
            if labels:
                none[feature.item] = min(none[feature.item], logits[spots].sum())
        unanswered = (none > best[:, 2]) & bool(labels)
        best[unanswered] = np.stack([np.zeros_like(none), np.zeros_like(none), none], axis=1)[unanswered]
        return Predictions(best)


def has_room(question: str, tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int) -> bool:
    """Whether a question leaves room for more of its context than the next window repeats."""
    tokens = len(tokenizer(question.strip(), add_special_tokens=False)["input_ids"])
    return max_length - tokenizer.num_special_tokens_to_add(pair=True) - tokens > stride


def best_span(starts: np.ndarray, ends: np.ndarray) -> tuple[int, int, float]:
    """The span with the highest sum of start and end logit: start not after end, at most `LONGEST_ANSWER` tokens."""
    sums = starts[:, None] + ends[None, :]  # (spots, spots)
    gap = np.subtract.outer(np.arange(len(ends)), np.arange(len(starts))).T
    sums = np.where((gap >= 0) & (gap < LONGEST_ANSWER), sums, -np.inf)
    first, last = divmod(int(sums.argmax()), len(ends))
    return first, last, float(sums[first, last])


def _unread(example: SpanExample) -> str:
    return f"the answer {example.answers[0]!r} to question {example.id!r} has no token of this model"


def _answer_bounds(example: SpanExample, offsets: np.ndarray) -> tuple[int, int] | None:
    """Where the tokens of the first answer start and end, given those of the whole context, (tokens, 2); None for none.

    From the first one that ends after the answer's start to the last that starts before its end: characters that the
    tokenizer drops, such as white space, are in no token.
    """
    if not example.answers:
        return None
    start = example.starts[0]
    end = start + len(example.answers[0])
    own = offsets[(offsets[:, 1] > start) & (offsets[:, 0] < end)]
    if not len(own):
        raise Unsupported(_unread(example))
    return int(own[:, 0].min()), int(own[:, 1].max())


def _span_target(bounds: tuple[int, int] | None, spots: np.ndarray, offsets: np.ndarray, row: int) -> np.ndarray:
    """First and last token between the bounds, or twice the sequence's own where the window does not hold all."""
    if bounds is None or offsets[0, 0] > bounds[0] or offsets[-1, 1] < bounds[1]:
        return np.array([row, row])
    start, end = bounds
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
    return spots[inside[[0, -1]]]
