"""Wrong labels on purpose: a share of the training examples is given another class, entity type or answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench_lib.core.errors import require
from bench_lib.tasks.formats import Example


def mislabelled(
    examples: Sequence[Example], share: float, labels: Sequence[str], generator: np.random.Generator
) -> tuple[Example, ...]:
    """The examples, all of one format, with a share of their labels, rounded to a whole number, replaced by wrong ones.

    A text gets another class, uniformly; an entity as a whole another type, uniformly, so that the tags stay IOB2 and
    nothing else is tagged; an answer another place in its context, as many words long where there is one, that shares
    no character with any right answer and does not read like one. From generators in the same state, what is wrong at a
    smaller share is wrong, in the same way, at a larger one. Where too little can be made wrong, as with one class
    alone, raises `Unsupported`.
    """
    require(0 <= share <= 1, "label noise", share, "a share of the labels, 0 to 1")
    if not share or not examples:
        return tuple(examples)
    return examples[0].format.mislabelled(examples, share, labels, generator)
