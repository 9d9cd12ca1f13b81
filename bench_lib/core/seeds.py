"""Seeds derived by hashing names, so that no stream shifts when another draws more or fewer numbers."""

from __future__ import annotations

import hashlib

from bench_lib.core.errors import BadValue, UnknownName, require

MOST = 1_000_000
"""Seeds that one text may name: a slip of the key should not fill the memory."""
LARGEST = 2**63 - 1
"""The largest seed: the store keeps them in 64 bits."""
STREAMS = ("init", "order", "dropout", "augment", "subset")
Frozen = tuple[tuple[str, int], ...]
"""Streams that do not go with the seed of a run, and what they draw from instead; sorted by name."""


def derive(base: int, stream: str, *names: str | int) -> int:
    """A seed in [0, 2**63) for one stream of one run, optionally for a named or numbered part of it."""
    require(stream in STREAMS, "seed stream", stream, ", ".join(STREAMS))
    text = "\x1f".join([str(base), stream, *map(str, names)])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds from text such as `0-4,7`; duplicates are dropped, order is kept."""
    ranges: list[range] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not is_seed(first) or (dash and not is_seed(last)) or (dash and int(last) < int(first)):
            allowed = f"numbers and rising ranges, such as 0-29 or 0-4,7,9, up to {LARGEST}"
            raise BadValue("seed range", text, allowed)
        ranges.append(range(int(first), int(last or first) + 1))
    # Not by `len`, which takes no range of more than 2**63.
    if sum(numbers.stop - numbers.start for numbers in ranges) > MOST:
        raise BadValue("seed range", text, f"at most {MOST:,} seeds")
    return tuple(dict.fromkeys(seed for numbers in ranges for seed in numbers))


def is_seed(text: str) -> bool:
    """Whether a text is a number that can be a seed; one of thousands of digits is told without reading it."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST


def check_seed(what: str, seed: object) -> None:
    """Raise `BadValue` for what is no seed."""
    require(type(seed) is int and 0 <= seed <= LARGEST, what, seed, f"an integer from 0 to {LARGEST}")


def parse_vary(text: str, seeds: tuple[int, ...], frozen: Frozen = ()) -> tuple[Frozen, ...]:
    """What is frozen in each arm of a text such as `init,order+dropout,all`: the streams that an arm does not name.

    They stand at 0, or where `frozen` has them, which may name none that varies. `init+order` lets both go with the
    seed; `initxorder` is the grid of all pairs of seeds, in which the stream that stands first in `STREAMS` goes with
    the seed, in an arm for each seed of the other (Dodge et al. 2020).
    """
    arms: list[Frozen] = []
    for part in text.split(","):
        varied, across = _varied(part.strip())
        for stream, seed in frozen:
            require(stream not in varied + across, "--freeze", f"{stream}={seed}", f"what --vary {text} does not vary")
        require(not across or len(seeds) ** 2 <= MOST, "seeds of a grid", len(seeds), f"at most {MOST:,} pairs")
        held = {**dict.fromkeys(STREAMS, 0), **dict(frozen)}
        for level in seeds if across else (0,):
            places = {**held, **dict.fromkeys(across, level)}
            arms.append(tuple(sorted((stream, at) for stream, at in places.items() if stream not in varied)))
    return tuple(dict.fromkeys(arms))


def _varied(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The streams that go with the seed in an arm, and the one that a grid crosses with them, if it is one."""
    if text == "all":
        return STREAMS, ()
    names = [name.strip() for name in text.replace("x", "+").split("+")]
    for name in names:
        if name not in STREAMS:
            raise UnknownName("stream in --vary", name, (*STREAMS, "all"))
    allowed = "init, init+order, initxorder and the like, each stream once and a grid of two, or all"
    require(len(set(names)) == len(names) and ("x" not in text or len(names) == 2), "--vary", text, allowed)
    first, *others = sorted(names, key=STREAMS.index)
    return ((first,), tuple(others)) if "x" in text else ((first, *others), ())
