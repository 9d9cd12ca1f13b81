"""Seeds derived by hashing names, so that no stream shifts when another draws more or fewer numbers."""

from __future__ import annotations

import hashlib

from bench_lib.core.errors import BadValue, UnknownName, require

MOST = 1_000_000
"""Maximum number of seeds in one text, since a typing error should not fill the memory."""
LARGEST = 2**63 - 1
"""The largest seed: the store keeps them in 64 bits."""
TUNING_SEEDS = range(1_000_000, 1_001_000)
"""Seeds for choosing settings: runs with them are part of no verdict, so that none rests on the seeds it chose by."""
TRIAL_SEEDS = TUNING_SEEDS[:2]
"""Each trial of a tuning runs with all of them."""
STREAMS = ("init", "order", "dropout", "augment", "subset")
Frozen = tuple[tuple[str, int], ...]
"""Streams with a fixed seed instead of the run's, and that seed; sorted by name."""


def derive(base: int, stream: str, *names: str | int) -> int:
    """A seed in [0, 2**63) for a stream of a run, optionally for a named or numbered part of it."""
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
    """Whether a text is a valid seed; a text of thousands of digits is refused without parsing it."""
    return text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST


def check_seed(what: str, seed: object) -> None:
    """Raise `BadValue` for an invalid seed."""
    require(type(seed) is int and 0 <= seed <= LARGEST, what, seed, f"an integer from 0 to {LARGEST}")


def parse_vary(text: str, seeds: tuple[int, ...], frozen: Frozen = ()) -> tuple[Frozen, ...]:
    """The frozen-seed configurations of a text such as `init,order+dropout,all`: each varies the streams that it names.

    The other streams have seed 0, or that in `frozen`, which may name no stream that varies. `init+order` varies both
    with the seed. `initxorder` is the grid of all pairs of seeds: the stream that is first in `STREAMS` varies with the
    seed, in a configuration for each seed of the other (Dodge et al. 2020).
    """
    configurations: list[Frozen] = []
    for part in text.split(","):
        varied, across = _varied(part.strip())
        for stream, seed in frozen:
            require(stream not in varied + across, "--freeze", f"{stream}={seed}", f"what --vary {text} does not vary")
        require(not across or len(seeds) ** 2 <= MOST, "seeds of a grid", len(seeds), f"at most {MOST:,} pairs")
        fixed = {**dict.fromkeys(STREAMS, 0), **dict(frozen)}
        for level in seeds if across else (0,):
            levels = {**fixed, **dict.fromkeys(across, level)}
            configurations.append(tuple(sorted((name, seed) for name, seed in levels.items() if name not in varied)))
    return tuple(dict.fromkeys(configurations))


def _varied(text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The streams that vary with the seed in a configuration, and the second stream of a grid, if it is one."""
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
