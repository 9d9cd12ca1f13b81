"""Bounds of techniques' fields: declared beside the default, checked whenever a technique is made."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, fields
from typing import Any, TypeVar

from bench_lib.core.errors import BadValue, require

T = TypeVar("T")
KEY = "bounds"
"""Under which a field's metadata hold them."""
_INTERVAL = re.compile(r"([\[(])(\S+), (\S+)([\])])( or None)?")


@dataclass(frozen=True)
class Bounds:
    """The values of an interval such as `[0, 1)` or `(0, inf] or None`, and how a message describes them."""

    interval: str
    allowed: str

    def __contains__(self, value: Any) -> bool:
        left, low, high, right, or_none = _parts(self.interval)
        if value is None and or_none:
            return True
        above = float(low) <= value if left == "[" else float(low) < value
        return bool(above and (value <= float(high) if right == "]" else value < float(high)))


@dataclass(frozen=True)
class Choices:
    """The words that a field may hold, and how a message lists them."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        return " or ".join(self.words)

    def __contains__(self, value: Any) -> bool:
        return value in self.words


def one_of(default: str, *others: str) -> str:
    """A field that holds one of several words, the default first: `on: str = one_of("dev", "evaluation")`."""
    chosen: str = field(default=default, metadata={KEY: Choices((default, *others))})
    return chosen


def bounded(default: T, interval: str, allowed: str = "") -> T:
    """A field with a default and bounds: `p: float = bounded(0.1, "[0, 1)")`.

    `allowed` replaces the description of the interval in the message for another value.
    """
    return field(default=default, metadata={KEY: Bounds(interval, allowed or described(interval))})


def described(interval: str) -> str:
    """The interval in words, such as `above 0, at most 1`."""
    left, low, high, right, or_none = _parts(interval)
    if high == "inf":
        text = (f"{low} or more" if left == "[" else f"above {low}") + (", finite" if right == ")" else "")
    elif left == "(":
        text = f"above {low}, {'at most' if right == ']' else 'below'} {high}"
    else:
        text = f"{low} {'to' if right == ']' else 'up to, not including,'} {high}"
    return f"{text}; None to keep" if or_none else text


def check_bounds(made: Any) -> None:
    """Raise `BadValue` for a field of a technique whose value is out of its bounds."""
    for declared in fields(made):
        if bounds := declared.metadata.get(KEY):
            value = getattr(made, declared.name)
            require(value in bounds, f"{made.name}:{declared.name}", value, bounds.allowed)


def _parts(interval: str) -> tuple[str | Any, ...]:
    found = _INTERVAL.fullmatch(interval)
    if found is None:
        raise BadValue("interval of a bounded field", interval, "such as [0, 1), (0, inf] or [1, 5] or None")
    return found.groups()
