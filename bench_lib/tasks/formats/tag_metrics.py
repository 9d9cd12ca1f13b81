"""Metrics of tagged words, as fractions: of entities, read strictly or as conlleval does, and of single words."""

from __future__ import annotations

from collections.abc import Sequence

from bench_lib.core.errors import require

Tags = Sequence[Sequence[int]]
"""The tags of each sentence, as indices into the task's labels."""


def entity_f1(labels: Sequence[str], predictions: Tags, references: Tags) -> float:
    """The F1 of entities in strict IOB2: one begins with `B-`, and an `I-` that continues none belongs to none."""
    predicted, true = _named(labels, predictions, references)
    import seqeval.metrics
    from seqeval.scheme import IOB2

    return float(seqeval.metrics.f1_score(true, predicted, mode="strict", scheme=IOB2, zero_division=0))


def conlleval_f1(labels: Sequence[str], predictions: Tags, references: Tags) -> float:
    """The F1 of entities as the script conlleval reads them: an `I-` that continues none begins one.

    The script is that of the CoNLL-2000 shared task (Tjong Kim Sang & Buchholz 2000).
    """
    predicted, true = _named(labels, predictions, references)
    import seqeval.metrics

    return float(seqeval.metrics.f1_score(true, predicted, zero_division=0))


def token_accuracy(_labels: Sequence[str], predictions: Tags, references: Tags) -> float:
    """The share of words with the right tag."""
    _check_lengths(predictions, references)
    pairs = [
        pair for guess, tags in zip(predictions, references, strict=True) for pair in zip(guess, tags, strict=True)
    ]
    return sum(guess == tag for guess, tag in pairs) / len(pairs)


TAG_METRICS = {"entity_f1": entity_f1, "conlleval_f1": conlleval_f1, "token_accuracy": token_accuracy}
OF_ENTITIES = ("entity_f1", "conlleval_f1")
"""Those that read entities from the tags."""


def _named(labels: Sequence[str], predictions: Tags, references: Tags) -> tuple[list[list[str]], list[list[str]]]:
    """Both as names of tags."""
    _check_lengths(predictions, references)
    predicted, true = ([[labels[tag] for tag in tags] for tags in side] for side in (predictions, references))
    return predicted, true


def _check_lengths(predictions: Tags, references: Tags) -> None:
    for number, (guess, tags) in enumerate(zip(predictions, references, strict=True)):
        require(len(guess) == len(tags), f"number of tags predicted for sentence {number}", len(guess), f"{len(tags)}")
