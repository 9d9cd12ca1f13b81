"""Numbers as text of fixed width, which a page holds in little room and reads at any place."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
"""Six bits a character, the highest first; the code of ones alone stands for what is not known."""

PAIRED = 512
"""Codes of half a pair, of which the last stands for what is not known."""

_HEX = re.compile("[0-9a-f]*")
_LETTERS = np.frombuffer(ALPHABET.encode(), dtype=np.uint8)


@dataclass(frozen=True)
class Scaled:
    """Numbers on a scale: the code 0 is `low`, the last but one `high`; with `log` the steps are ratios."""

    text: str
    width: int
    low: float
    high: float
    log: bool

    def packed(self) -> dict[str, Any]:
        return {"text": self.text, "width": self.width, "low": self.low, "high": self.high, "log": self.log}


@dataclass
class Coded:
    """Values that repeat, each told once, in the order in which they come."""

    values: list[Any] = field(default_factory=list)
    places: dict[Hashable, int] = field(default_factory=dict)

    def place(self, key: Hashable, value: object) -> int:
        """The number of a value, which it keeps; `key` tells it from others."""
        if key not in self.places:
            self.places[key] = len(self.values)
            self.values.append(value)
        return self.places[key]


def missing(width: int) -> int:
    """The code of what is not known, the largest of this width."""
    return int(64**width - 1)


def fixed(codes: ArrayLike, width: int) -> str:
    """Whole numbers from 0 to `missing(width)`, of any shape, as text of so many characters each."""
    whole = np.asarray(codes, dtype=np.int64).reshape(-1, 1)
    shifts = 6 * np.arange(width - 1, -1, -1)
    return str(_LETTERS[(whole >> shifts) & 63].tobytes(), "ascii")


def narrow(codes: ArrayLike) -> dict[str, Any]:
    """Whole numbers from 0 as text of the least width that holds them all."""
    whole = np.asarray(codes, dtype=np.int64)
    width = 1
    while whole.size and whole.max() >= missing(width):
        width += 1
    return {"text": fixed(whole, width), "width": width}


def repeated(places: Sequence[int]) -> dict[str, Any]:
    """Whole numbers of which each often stands several times in a row: each once, and how often."""
    values = np.asarray(places, dtype=np.int64)
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    return {"each": narrow(values[starts]), "times": narrow(np.diff(starts, append=len(values)))}


def hexadecimal(texts: Sequence[str]) -> dict[str, Any]:
    """Texts of equal length, three hexadecimal digits in two characters; texts of another kind as they are."""
    length = max(map(len, texts), default=0)
    if not all(_HEX.fullmatch(text) and len(text) == length for text in texts):
        return {"text": "".join(text.ljust(length) for text in texts), "width": length, "length": length, "hex": False}
    padded = -(-length // 3) * 3
    whole = "".join(text.ljust(padded, "0") for text in texts)
    codes = [int(whole[at : at + 3], 16) for at in range(0, len(whole), 3)]
    return {"text": fixed(codes, 2), "width": 2 * padded // 3, "length": length, "hex": True}


def linear(values: ArrayLike, low: float, high: float, width: int) -> Scaled:
    """Numbers in equal steps between two bounds, at which those beyond are cut; what is not finite is not known."""
    numbers = np.asarray(values, dtype=np.float64)
    return Scaled(fixed(_codes(numbers, low, high, missing(width)), width), width, low, high, log=False)


def logarithmic(values: ArrayLike, width: int) -> Scaled:
    """Positive numbers in equal ratios between the least and the greatest; those at or below 0 count as the least."""
    codes, low, high = _logarithmic(values, missing(width))
    return Scaled(fixed(codes, width), width, low, high, log=True)


def halved(values: ArrayLike) -> dict[str, Any]:
    """Positive numbers like `logarithmic`, in 9 bits each: two neighbours in three characters, of an even number."""
    codes, low, high = _logarithmic(values, PAIRED - 1)
    pairs = codes.reshape(-1, 2) @ np.array([PAIRED, 1])
    return {"text": fixed(pairs, 3), "low": low, "high": high}


def _logarithmic(values: ArrayLike, unknown: int) -> tuple[NDArray[np.int64], float, float]:
    numbers = np.asarray(values, dtype=np.float64)
    known = numbers[np.isfinite(numbers) & (numbers > 0)]
    # Rounded, so that the last bit of a library's minimum is none of the page's.
    low, high = (float(f"{known.min():.6g}"), float(f"{known.max():.6g}")) if known.size else (1.0, 1.0)
    finite = np.where(np.isfinite(numbers), np.maximum(numbers, low), np.nan)
    return _codes(np.log(finite), float(np.log(low)), float(np.log(high)), unknown), low, high


def short(value: object, digits: int = 6) -> object:
    """A value as JSON takes it: a number to so many digits, None for what is not finite."""
    if isinstance(value, (bool, np.bool_)):
        return bool(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.{digits}g}") if np.isfinite(value) else None
    return None if value is None else str(value)


def stretches(places: Sequence[int]) -> list[int]:
    """Whole numbers as stretches that follow one another: the first of each, and how many there are."""
    values = np.asarray(places, dtype=np.int64)
    starts = np.flatnonzero(np.diff(values, prepend=-2) != 1)
    counts = np.diff(starts, append=len(values))
    return np.column_stack([values[starts], counts]).ravel().tolist()


def ranges(seeds: Sequence[int]) -> object:
    """Seeds of a cell: the first where they follow one another, else all of them."""
    first = int(seeds[0]) if len(seeds) else 0
    follow = list(range(first, first + len(seeds)))
    return first if list(seeds) == follow else [int(seed) for seed in seeds]


def factored(maps: Iterable[dict[str, Any]], parts: Coded) -> list[list[int]]:
    """Maps as lists of their entries' places in `parts`, where each entry stands once."""
    return [[parts.place((name, repr(value)), [name, value]) for name, value in sorted(one.items())] for one in maps]


def _codes(numbers: NDArray[np.float64], low: float, high: float, unknown: int) -> NDArray[np.int64]:
    """Whole numbers below `unknown`, which stands for what is not finite."""
    steps = unknown - 1
    span = high - low or 1.0
    known = np.isfinite(numbers)
    share = np.clip((np.where(known, numbers, low) - low) / span, 0, 1)
    return np.where(known, np.rint(share * steps), unknown).astype(np.int64)
