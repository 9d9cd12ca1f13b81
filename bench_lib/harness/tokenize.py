"""Tokenisation: examples to features, one encoder for each kind of task."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from transformers import BatchEncoding, PreTrainedTokenizerBase

from bench_lib.core.errors import Unsupported
from bench_lib.models.words import tokenize_words
from bench_lib.tasks.formats import Example, Format, Kind, SpanExample, TagExample, TextExample

IGNORED = -100
"""The target of a token that has none, as torch's cross-entropy skips it by default."""


@dataclass(frozen=True, eq=False)
class Feature:
    """One sequence for the model; a long example on a context gives several.

    `targets` is the class, a target for each token, or the answer's first and last token. `spots` are the tokens that
    the answer is read from: the first one, or the mask of a prompt, the first sub-token of each word, or the tokens of
    the context; `places` says which word each is, or where it starts and ends in the context's characters.
    """

    item: int
    input_ids: np.ndarray  # (length,)
    token_types: np.ndarray | None  # (length,)
    special: np.ndarray  # (length,), True for special tokens
    targets: np.ndarray  # (1,), (length,) or (2,)
    spots: np.ndarray  # (spots,)
    places: np.ndarray  # (spots,) or (spots, 2)

    def __len__(self) -> int:
        return len(self.input_ids)


Encoder = Callable[[Sequence[Example], PreTrainedTokenizerBase, int, int], list[Feature]]


def encode(
    kind: Format, examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
) -> list[Feature]:
    """Tokenise examples of one kind; lengths and stride count tokens."""
    return ENCODERS[kind](examples, tokenizer, max_length, stride)


def _texts(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int, _stride: int
) -> list[Feature]:
    rows = [e for e in examples if isinstance(e, TextExample)]
    pairs = [e.pair or "" for e in rows] if any(e.pair is not None for e in rows) else None
    encoded = tokenizer(
        [e.text for e in rows], pairs, truncation=True, max_length=max_length, return_special_tokens_mask=True
    )
    return [_feature(encoded, (i, i), np.array([e.label]), np.array([0]), np.array([0])) for i, e in enumerate(rows)]


def _words(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int, _stride: int
) -> list[Feature]:
    rows = [e for e in examples if isinstance(e, TagExample)]
    encoded, words_of = tokenize_words([e.words for e in rows], tokenizer, max_length)
    features = []
    for i, (row, words) in enumerate(zip(rows, words_of, strict=True)):
        first = np.flatnonzero((words >= 0) & (words != np.append(-1, words[:-1])))
        if not len(first):
            continue  # no word has a token, so that there is nothing to learn; in evaluation its words count as `O`
        targets = np.full(len(words), IGNORED)
        targets[first] = np.array(row.tags)[words[first]]
        features.append(_feature(encoded, (i, i), targets, first, words[first]))
    return features


def _spans(
    examples: Sequence[Example], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
) -> list[Feature]:
    rows = [e for e in examples if isinstance(e, SpanExample)]
    check_questions(rows, tokenizer, max_length, stride)
    encoded = tokenizer(
        [e.question.strip() for e in rows],
        [e.context for e in rows],
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
    bounds = {item: _answer_bounds(rows[item], np.concatenate(found)) for item, found in windows.items()}
    return [
        _feature(encoded, (i, item), _span_target(bounds[item], spots[i], offsets[i]), spots[i], offsets[i])
        for i, item in enumerate(items)
    ]


def has_room(question: str, tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int) -> bool:
    """Whether a question leaves room for more of its context than the next window repeats."""
    tokens = len(tokenizer(question.strip(), add_special_tokens=False)["input_ids"])
    return max_length - tokenizer.num_special_tokens_to_add(pair=True) - tokens > stride


def check_questions(
    rows: Sequence[SpanExample], tokenizer: PreTrainedTokenizerBase, max_length: int, stride: int
) -> None:
    """Raise `Unsupported` for a question that is too long for a window to hold more than the next one repeats.

    So for an answer of nothing that the model reads. The tokenizer's own check ends the whole process.
    """
    taken = tokenizer.num_special_tokens_to_add(pair=True)
    questions = tokenizer([e.question.strip() for e in rows], add_special_tokens=False)["input_ids"]
    for row, question in zip(rows, questions, strict=True):
        if max_length - taken - len(question) <= stride:
            raise Unsupported(
                f"question {row.id!r} has {len(question)} tokens and leaves no room for its context in {max_length}"
                f" tokens with a stride of {stride}; raise max_length or lower stride"
            )
    answers = tokenizer([e.answers[0] for e in rows], add_special_tokens=False)["input_ids"]
    for row, answer in zip(rows, answers, strict=True):
        if not answer:
            raise Unsupported(_unread(row))


def _unread(example: SpanExample) -> str:
    return f"the answer {example.answers[0]!r} to question {example.id!r} has no token of this model"


def _answer_bounds(example: SpanExample, offsets: np.ndarray) -> tuple[int, int]:
    """Where the tokens of the first answer start and end, given those of the whole context, (tokens, 2).

    From the first one that ends after the answer's start to the last that starts before its end: characters that the
    tokenizer drops, such as white space, are in no token.
    """
    start = example.starts[0]
    end = start + len(example.answers[0])
    own = offsets[(offsets[:, 1] > start) & (offsets[:, 0] < end)]
    if not len(own):
        raise Unsupported(_unread(example))
    return int(own[:, 0].min()), int(own[:, 1].max())


def _span_target(bounds: tuple[int, int], spots: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """First and last token between the bounds, or twice the sequence's first where the window does not hold all."""
    start, end = bounds
    if offsets[0, 0] > start or offsets[-1, 1] < end:
        return np.array([0, 0])
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < end))
    return spots[inside[[0, -1]]]


def _feature(
    encoded: BatchEncoding, row_and_item: tuple[int, int], targets: np.ndarray, spots: np.ndarray, places: np.ndarray
) -> Feature:
    row, item = row_and_item
    types = encoded.get("token_type_ids")
    return Feature(
        item=item,
        input_ids=np.array(encoded["input_ids"][row]),
        token_types=None if types is None else np.array(types[row]),
        special=np.array(encoded["special_tokens_mask"][row], dtype=bool),
        targets=targets,
        spots=spots,
        places=places,
    )


ENCODERS: dict[Format, Encoder] = {Kind.SEQUENCE: _texts, Kind.TOKENS: _words, Kind.SPAN: _spans}
