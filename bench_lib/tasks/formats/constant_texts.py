"""The constant baseline of text generation: one output for all prompts, or each prompt's input copied."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence

from bench_lib.tasks.formats.text_metrics import TEXT_METRICS, Written, last_number

CANDIDATES = 12
"""References that are tried as the one output, beside the most frequent one."""
SAMPLE = 96
"""Prompts on which they are compared; the best one is then scored on all."""

Pair = tuple[str, Sequence[str]]
"""An input, and its references."""


def best_constant(metric: str, pairs: Sequence[Pair], language: str) -> float:
    """The higher of the scores of the best constant output and of the inputs, copied.

    Candidates are the most frequent reference and some chosen by the hashes of their texts, or every final number.
    """
    references = [own for _, own in pairs]
    if metric == "final_number":
        answers = Counter(number for own in references for number in {*map(last_number, own)} - {None})
        best = max(answers.values(), default=0) / len(pairs)
    else:
        sample = sorted(pairs, key=lambda pair: _digest(pair[0]))[:SAMPLE]
        own = [own for _, own in sample]
        tried = {text: _score(metric, [text] * len(own), own, language) for text in _candidates(references)}
        best = _score(metric, [max(tried, key=tried.__getitem__)] * len(pairs), references, language)
    return max(best, _score(metric, [text for text, _ in pairs], references, language))


def _candidates(references: Sequence[Sequence[str]]) -> list[str]:
    counts = Counter(text for own in references for text in own)
    by_hash = sorted(counts, key=_digest)
    frequent = max(by_hash, key=counts.__getitem__)
    return list(dict.fromkeys([frequent, *by_hash[:CANDIDATES]]))


def _score(metric: str, texts: Sequence[str], references: Sequence[Sequence[str]], language: str) -> float:
    return TEXT_METRICS[metric]((), [Written(text, language=language) for text in texts], references)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
