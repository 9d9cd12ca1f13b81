"""The identity of a data set: by the values of its examples."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from bench_lib.core.spec import canonical_json
from bench_lib.tasks.formats import Example


def fingerprint(train: Iterable[Example], evaluation: Iterable[Example]) -> str:
    """The first 20 hexadecimal digits of the SHA-256 over the values of all examples, in order."""
    running = hashlib.sha256()
    for split, examples in (("train", train), ("evaluation", evaluation)):
        running.update(f"{split}\n".encode())
        for example in examples:
            running.update(f"{canonical_json(vars(example))}\n".encode())
    return running.hexdigest()[:20]
