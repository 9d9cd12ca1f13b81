"""Random and stratified subsets of examples."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from itertools import islice

import numpy as np

from bench_lib.core.errors import Unsupported, require
from bench_lib.tasks.formats import Example


def choose(n: int, size: int | None, generator: np.random.Generator) -> tuple[int, ...]:
    """Rising indices of `size` of `n` examples, without replacement; all where size is None or at least n.

    From generators in the same state, the indices of a smaller size are among those of a larger one.
    """
    require(n >= 0, "number of examples", n, "0 or more")
    require(size is None or size >= 0, "size of the subset", size, "0 or more, or None for all")
    if size is None or size >= n:
        return tuple(range(n))
    drawn: list[int] = np.sort(generator.permutation(n)[:size]).tolist()
    return tuple(drawn)


def choose_per_class(
    examples: Sequence[Example], labels: Sequence[str], size: int, generator: np.random.Generator
) -> tuple[int, ...]:
    """Rising indices of a stratified sample: at least `size` examples with each class, drawn without replacement.

    Starting with the rarest class, examples with a class are drawn until the sample has `size` of them (the greedy
    sampling of Yang & Katiyar 2020, arXiv:2010.02405, as Ma et al. 2023 describe it, without the pruning that they
    add). A text has one class, so the sample has exactly `size` of each; a sentence has the types of all its entities,
    so common types may occur more often, and a sentence without entities is never drawn; answer spans are one class.
    Raises `Unsupported` for a class with fewer examples.
    """
    classes = [example.classes(labels) for example in examples]
    names = examples[0].format.class_names(labels) if examples else tuple(labels)
    counts = {name: sum(name in one for one in classes) for name in names}
    for name, count in counts.items():
        if count < size:
            raise Unsupported(f"{size} training examples of each class are asked for, and {count} hold {name!r}")
    order: list[int] = generator.permutation(len(classes)).tolist()
    drawn: dict[int, None] = {}
    for name in sorted(names, key=counts.__getitem__):
        missing = size - sum(name in classes[i] for i in drawn)
        fresh = (i for i in order if i not in drawn and name in classes[i])
        drawn.update(dict.fromkeys(list(islice(fresh, max(missing, 0)))))
    return tuple(sorted(drawn))


def choose_by_content(examples: Sequence[Example], labels: Sequence[str], size: int) -> tuple[int, ...]:
    """Rising indices of up to `size` examples, in proportion to their classes, by the hashes of their texts.

    The same texts are chosen in whatever order they come, and those of a smaller size are among those of a larger one.
    """
    hashes = [hashlib.sha256(json.dumps(example.inputs).encode()).digest() for example in examples]
    strata: dict[tuple[str, ...], list[int]] = {}
    for index in sorted(range(len(examples)), key=hashes.__getitem__):
        strata.setdefault(tuple(sorted(examples[index].classes(labels))), []).append(index)
    # Of each stratum the first tenth comes before the second tenth of any, and so on.
    ranks = {i: (place + 0.5) / len(stratum) for stratum in strata.values() for place, i in enumerate(stratum)}
    return tuple(sorted(sorted(ranks, key=lambda i: (ranks[i], hashes[i]))[:size]))
