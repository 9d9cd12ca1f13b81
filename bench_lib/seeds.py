"""Seeds derived by hashing names, so that no stream shifts when another draws more or fewer numbers."""

from __future__ import annotations

import hashlib

from bench_lib.errors import BadValue, require

MOST = 1_000_000
"""Seeds that one range may hold: a slip of the key should not fill the memory."""
STREAMS = ("init", "order", "dropout", "augment", "subset")


def derive(base: int, stream: str, *names: str | int) -> int:
    """A seed in [0, 2**63) for one stream of one run, optionally for a named or numbered part of it."""
    require(stream in STREAMS, "seed stream", stream, ", ".join(STREAMS))
    text = "\x1f".join([str(base), stream, *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from text such as `0-4,7`; duplicates are dropped, order is kept."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()) or (dash and int(last) < int(first)):
            raise BadValue("seed range", text, "numbers and rising ranges, such as 0-29 or 0-4,7,9")
        if int(last or first) - int(first) >= MOST:
            raise BadValue("seed range", text, f"at most {MOST:,} seeds")
        seeds.extend(range(int(first), int(last or first) + 1))
    return tuple(dict.fromkeys(seeds))
