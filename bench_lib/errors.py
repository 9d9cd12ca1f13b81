"""Errors that say what was wrong, where it came from, and what to do about it."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches


class BenchError(Exception):
    """Input that cannot be used; the message names the value, its origin and the ways out."""


class UnknownName(BenchError):
    """A name that no registry holds; the message ends with the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {name!r}: {hint}")
        self.name = name


class BadValue(BenchError):
    """A setting outside its range, or text that does not parse."""

    def __init__(self, what: str, value: object, allowed: str) -> None:
        super().__init__(f"{what} is {value!r}; allowed: {allowed}")


class BadData(BenchError):
    """A data set that does not hold what its task says it holds."""


class BadStore(BenchError):
    """A results file that cannot be read, or that a newer version wrote."""


class Unwritten(BadStore):
    """Results that could not be written to their store; the message says where they are kept instead."""


class Unavailable(BenchError):
    """A model or data set that this machine cannot reach."""


class Unsupported(BenchError):
    """A combination that a technique, task or model declines, with its reason."""


class Diverged(Exception):
    """The loss or the gradient left the finite numbers; carries the optimiser step at which it did."""

    def __init__(self, step: int, what: str = "the loss") -> None:
        super().__init__(f"{what} was not finite at step {step}")
        self.step, self.what = step, what

    def __reduce__(self) -> tuple[type[Diverged], tuple[int, str]]:
        return (Diverged, (self.step, self.what))


def require(condition: bool, what: str, value: object, allowed: str) -> None:
    """Raise `BadValue` unless the condition holds."""
    if not condition:
        raise BadValue(what, value, allowed)
