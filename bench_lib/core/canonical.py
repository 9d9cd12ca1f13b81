"""Canonical JSON and digests of it: one text and one id for one value."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping
from typing import Any


def canonical_json(value: object) -> str:
    """JSON with sorted keys and no spaces, in which infinities and NaN are strings."""
    return json.dumps(_plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: object) -> str:
    """The first 20 hexadecimal digits of the SHA-256 of the value's canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()[:20]


def _plain(value: object) -> object:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    return value


def ids_by_seed(identity: Mapping[str, Any]) -> Callable[[int], str]:
    """What `digest` says of an identity with any seed; what is written before the seed is hashed once."""
    before = canonical_json({name: value for name, value in identity.items() if name < "seed"}).removesuffix("}")
    after = canonical_json({name: value for name, value in identity.items() if name > "seed"}).removeprefix("{")
    begun, rest = hashlib.sha256(f'{before},"seed":'.encode()), f",{after}".encode()

    def run_id(seed: int) -> str:
        hashed = begun.copy()
        hashed.update(b"%d" % seed + rest)
        return hashed.hexdigest()[:20]

    return run_id
