"""Noise as people make it: typos, words left out and words in the wrong order, with the answers where they belong."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from bench_lib.core.errors import require
from bench_lib.tasks.formats import Example
from bench_lib.tasks.formats.word_edits import Passage, exchanged, with_words, without

ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
"""Letters as a keyboard has them."""
TYPO, LEFT_OUT, SWAPPED = range(3)


def perturbed(example: Example, share: float, labels: Sequence[str], generator: np.random.Generator) -> Example:
    """The example with about a share of its words changed: each by a typo, left out, or swapped with the next.

    An entity keeps its words, though they may have typos, so that the tags stay right; the words of a context that
    answers lie in stay as they are, and the answers' starts move with them. At least one word of a text stays.
    """
    require(0 <= share <= 1, "share of words to perturb", share, "0 to 1")
    return example.rewritten([_noisy(words, share, generator) for words in example.passages(labels)], labels)


def typo(word: str, generator: np.random.Generator) -> str:
    """The word with two letters swapped, one left out, doubled, or replaced by its neighbour on the keyboard."""
    found = [other for other in _typos(word, int(generator.integers(len(word)))) if other != word]
    return found[int(generator.integers(len(found)))]


def _noisy(words: Passage, share: float, generator: np.random.Generator) -> Passage:
    # Drawn for every word, so that another share changes the same ones and others.
    chances, choices = generator.random(len(words)), generator.integers(3, size=len(words)).tolist()
    seeds = generator.integers(2**63, size=len(words)).tolist()
    spare = sum(bool(word.text) for word in words) - 1
    slips: dict[int, str] = {}
    gone: set[int] = set()
    swapped: set[int] = set()  # the former of the two
    for i in np.flatnonzero(chances < share).tolist():
        if not words[i].free or i - 1 in swapped:
            continue
        choice = choices[i] if words[i].loose else TYPO
        if choice == LEFT_OUT and len(gone) < spare:
            gone.add(i)
        elif choice == SWAPPED and i + 1 < len(words) and words[i + 1].loose:
            swapped.add(i)
        else:
            slips[i] = typo(words[i].text, np.random.default_rng(seeds[i]))
    changed = with_words(words, slips)
    for i in swapped:
        changed = exchanged(changed, i, i + 1)
    return without(changed, gone)


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
