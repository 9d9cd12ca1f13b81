"""Input noise: typos, deleted words and swapped words, with the targets kept right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench_lib.core.errors import require
from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.word_edits import Passage, exchanged, with_words, without

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""The rows of letters of a keyboard."""
TYPO, DELETED, SWAPPED = range(3)


def perturbed(example: Example, share: float, labels: Sequence[str], generator: np.random.Generator) -> Example:
    """The example with about a share of its words changed: by a typo, deleted, or swapped with the next.

    Words of an entity may get typos but stay in place, so that the tags stay right. Words of answers do not change, and
    the starts of the answers move with them. At least one word of a text stays.
    """
    require(0 <= share <= 1, "share of words to perturb", share, "0 to 1")
    return example.rewritten([_noisy(words, share, generator) for words in example.passages(labels)], labels)


def typo(word: str, generator: np.random.Generator) -> str:
    """The word with two letters swapped, or one deleted, doubled, or replaced by a neighbour on the keyboard."""
    found = [other for other in _typos(word, int(generator.integers(len(word)))) if other != word]
    return found[int(generator.integers(len(found)))]


def _noisy(words: Passage, share: float, generator: np.random.Generator) -> Passage:
    # Drawn for every word, so that the changed words of a smaller share are among those of a larger one.
    chances, choices = generator.random(len(words)), generator.integers(3, size=len(words)).tolist()
    seeds = generator.integers(2**63, size=len(words)).tolist()
    spare = sum(bool(word.text) for word in words) - 1
    typos: dict[int, str] = {}
    deleted: set[int] = set()
    swapped: set[int] = set()  # the first of the two
    for i in np.flatnonzero(chances < share).tolist():
        if not words[i].editable or i - 1 in swapped:
            continue
        choice = choices[i] if words[i].movable else TYPO
        if choice == DELETED and len(deleted) < spare:
            deleted.add(i)
        elif choice == SWAPPED and i + 1 < len(words) and words[i + 1].movable:
            swapped.add(i)
        else:
            typos[i] = typo(words[i].text, np.random.default_rng(seeds[i]))
    changed = with_words(words, typos)
    for i in swapped:
        changed = exchanged(changed, i, i + 1)
    return without(changed, deleted)


def _typos(word: str, at: int) -> Iterator[str]:
    before, letter, after = word[:at], word[at], word[at + 1 :]
    yield before + letter + letter + after
    if after:
        yield before + after
        yield before + after[0] + letter + after[1:]
    for row in ROWS:
        if letter.lower() in row:
            place = row.index(letter.lower())
            neighbour = row[place + 1] if place + 1 < len(row) else row[place - 1]
            yield before + (neighbour.upper() if letter.isupper() else neighbour) + after
