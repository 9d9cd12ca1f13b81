"""Label noise: a share of the training examples gets another class, entity type or answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from bench_lib.core.errors import require
from bench_lib.tasks.formats import Example


def mislabelled(
    examples: Sequence[Example], share: float, labels: Sequence[str], generator: np.random.Generator
) -> tuple[Example, ...]:
    """The examples, all of one format, with a share of their labels, rounded to whole labels, replaced by wrong ones.

    A text gets another class, and an entity as a whole another type, both uniformly, so that tags stay IOB2. A text
    with a set of labels gets as many others, and one with a number that of an example with a different one. An answer
    becomes another span of its context, of as many words where possible, that shares no character with a right answer
    and differs from all of them. From generators in the same state, the wrong labels of a smaller share are among those
    of a larger one. Where too few labels can be corrupted, as with a single class, raises `Unsupported`.
    """
    require(0 <= share <= 1, "label noise", share, "a share of the labels, 0 to 1")
    if not share or not examples:
        return tuple(examples)
    return examples[0].format.mislabelled(examples, share, labels, generator)
