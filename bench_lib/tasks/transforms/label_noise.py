"""Wrong labels on purpose: a share of the training examples is given another class, entity type or answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from bench_lib.core.errors import Unsupported, require
from bench_lib.core.examples import Example, SpanExample, TagExample, TextExample
from bench_lib.tasks.scoring.squad_metrics import exact_match
from bench_lib.tasks.transforms.sampling import entity_types

WORD = re.compile(r"\S+")


def mislabelled(
    examples: Sequence[Example], share: float, labels: Sequence[str], generator: np.random.Generator
) -> tuple[Example, ...]:
    """The examples with a share of their labels, rounded to a whole number of them, replaced by wrong ones.

    A text gets another class, uniformly; an entity as a whole another type, uniformly, so that the tags stay IOB2 and
    nothing else is tagged; an answer another place in its context, as many words long where there is one, that shares
    no character with any right answer and does not read like one. From generators in the same state, what is wrong at a
    smaller share is wrong, in the same way, at a larger one. Where too little can be made wrong, as with one class
    alone, raises `Unsupported`.
    """
    require(0 <= share <= 1, "label noise", share, "a share of the labels, 0 to 1")
    if not share or not examples:
        return tuple(examples)
    if isinstance(examples[0], SpanExample):
        return _moved([e for e in examples if isinstance(e, SpanExample)], share, generator)
    if isinstance(examples[0], TagExample):
        return _retyped([e for e in examples if isinstance(e, TagExample)], share, labels, generator)
    return _flipped([e for e in examples if isinstance(e, TextExample)], share, labels, generator)


def mentions(tags: Sequence[int], labels: Sequence[str]) -> list[tuple[int, int]]:
    """Where the entities of a sentence begin and end, in words, the end not included."""
    starts = [i for i, tag in enumerate(tags) if labels[tag].startswith("B-")]
    inside = [labels[tag].startswith("I-") for tag in tags] + [False]
    return [(start, inside.index(False, start + 1)) for start in starts]


def _flipped(
    rows: Sequence[TextExample], share: float, labels: Sequence[str], generator: np.random.Generator
) -> tuple[Example, ...]:
    shifts = _shifts(len(rows), share, len(labels), generator)
    return tuple(replace(row, label=(row.label + shifts.get(i, 0)) % len(labels)) for i, row in enumerate(rows))


def _retyped(
    rows: Sequence[TagExample], share: float, labels: Sequence[str], generator: np.random.Generator
) -> tuple[Example, ...]:
    types, tags = entity_types(labels), [list(row.tags) for row in rows]
    found = [(i, start, end) for i, row in enumerate(rows) for start, end in mentions(row.tags, labels)]
    for number, shift in _shifts(len(found), share, len(types), generator).items():
        i, start, end = found[number]
        before = types.index(labels[tags[i][start]][2:])
        other = types[(before + shift) % len(types)]
        tags[i][start:end] = [labels.index(f"{'I' if at else 'B'}-{other}") for at in range(end - start)]
    return tuple(replace(row, tags=tuple(new)) for row, new in zip(rows, tags, strict=True))


def _shifts(n: int, share: float, classes: int, generator: np.random.Generator) -> dict[int, int]:
    """Which of `n` labels are wrong, and by how many classes, 1 to all but one, they are off."""
    if classes < 2:
        raise Unsupported(f"no label can be made wrong where there is {classes} class to choose from")
    # Drawn for all of them, so that another share draws the same.
    order, shifts = generator.permutation(n).tolist(), generator.integers(1, classes, n).tolist()
    return {i: shifts[i] for i in order[: round(share * n)]}


def _moved(rows: Sequence[SpanExample], share: float, generator: np.random.Generator) -> tuple[Example, ...]:
    order = generator.permutation(len(rows)).tolist()
    seeds = generator.integers(2**63, size=len(rows)).tolist()
    asked, found = round(share * len(rows)), list(rows)
    wrong = 0
    for i in order:
        if wrong == asked:
            break
        start = _elsewhere(rows[i], np.random.default_rng(seeds[i]))
        if start is not None:
            found[i], wrong = start, wrong + 1
    if wrong < asked:
        raise Unsupported(f"{asked} answers are to be wrong, and {wrong} contexts have another place for theirs")
    return tuple(found)


def _elsewhere(row: SpanExample, generator: np.random.Generator) -> SpanExample | None:
    """The example with a wrong answer, or None where its context has no room for one."""
    words = [match.span() for match in WORD.finditer(row.context)]
    for length in range(max(1, len(row.answers[0].split())), 0, -1):
        places = list(_clear(row, words, length))
        for at in generator.permutation(len(places)).tolist():
            start, end = places[at]
            if not exact_match(row.context[start:end], row.answers):
                return replace(row, answers=(row.context[start:end],), starts=(start,))
    return None


def _clear(row: SpanExample, words: Sequence[tuple[int, int]], length: int) -> Iterator[tuple[int, int]]:
    """Runs of so many words that share no character with an answer, in characters."""
    right = [(start, start + len(text)) for start, text in zip(row.starts, row.answers, strict=True)]
    for (start, _), (_, end) in zip(words, words[length - 1 :], strict=False):
        if all(end <= first or start >= last for first, last in right):
            yield start, end
