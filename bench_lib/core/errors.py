"""Errors that name the wrong value, its origin and the ways out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import PurePath
from typing import TypeVar

T = TypeVar("T")

SHOWN = 300
"""Characters of a value in a message; of a longer one the ends are shown."""
LONGEST_NAME = 200
"""Maximum number of characters of a name, which is part of file names."""
LONGEST_PART, LONGEST_PATH = 255, 4096
"""Maximum number of bytes of a file's name and of a whole path on common file systems."""


class BenchError(Exception):
    """Input that cannot be used; the message names the value, its origin and the ways out."""


class UnknownName(BenchError):
    """A name that is not registered; the message ends with the nearest known ones."""

    def __init__(self, kind: str, name: str, known: Iterable[str]) -> None:
        names = sorted(known)
        near = get_close_matches(name, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(repr(n) for n in near)}?" if near else f"known: {', '.join(names)}"
        super().__init__(f"unknown {kind} {shortened(name, SHOWN)!r}: {hint}")
        self.name = name


class BadValue(BenchError):
    """A setting outside its range, or text that does not parse."""

    def __init__(self, what: str, value: object, allowed: str) -> None:
        super().__init__(f"{what} is {shortened(repr(value), SHOWN)}; allowed: {allowed}")


class BadPlan(BenchError):
    """A grid that cannot be run; `problems` are all reasons, one line each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(dict.fromkeys(map(one_line, problems)))
        super().__init__("\n".join(self.problems))

    def __reduce__(self) -> tuple[type[BadPlan], tuple[tuple[str, ...]]]:
        return (BadPlan, (self.problems,))


class BadData(BenchError):
    """A data set that does not fit its task."""


class BadStore(BenchError):
    """A results file that cannot be read, or that a newer version wrote."""


class Unwritten(BadStore):
    """Results that could not be written to their store; the message names the folder that they are in instead."""


class Unavailable(BenchError):
    """A model or data set that this machine cannot reach."""


class Unsupported(BenchError):
    """A combination that a technique, task or model declines, with its reason."""


class Problems:
    """Collects errors, so that all of them are reported together."""

    def __init__(self) -> None:
        self.found: list[str] = []

    def of(self, function: Callable[..., T], *arguments: object) -> T | None:
        """The result of a function, or None where it raises `BenchError`, which is collected."""
        try:
            return function(*arguments)
        except BadPlan as error:
            self.found += error.problems
        except BenchError as error:
            self.found.append(str(error))
        return None

    @contextmanager
    def at(self, place: str) -> Iterator[Problems]:
        """Collect errors in a part of the input, whose place precedes each of them."""
        inner = Problems()
        yield inner
        self.found += [f"{place}: {problem}" for problem in inner.found]

    def refuse(self) -> None:
        """Raise `BadPlan` if any error was collected."""
        if self.found:
            raise BadPlan(self.found)


class Diverged(Exception):
    """The loss or the gradient is not finite; carries the optimiser step."""

    def __init__(self, step: int, what: str = "the loss") -> None:
        super().__init__(f"{what} was not finite at step {step}")
        self.step, self.what = step, what

    def __reduce__(self) -> tuple[type[Diverged], tuple[int, str]]:
        return (Diverged, (self.step, self.what))


def described(error: BaseException) -> str:
    """An exception of foreign code on one line: its type, and its message unless that raises too."""
    try:
        message = str(error)
    except Exception:
        message = ""
    return ": ".join(filter(None, (type(error).__name__, shortened(one_line(message), SHOWN))))


def require(condition: bool, what: str, value: object, allowed: str) -> None:
    """Raise `BadValue` unless the condition holds."""
    if not condition:
        raise BadValue(what, value, allowed)


def check_name(what: str, name: str) -> None:
    """Raise `BadValue` for a name that is empty, too long or not printable, and so unfit for tables and files."""
    clean = name.isprintable() and name == name.strip() and 0 < len(name) <= LONGEST_NAME
    require(clean, what, name, f"1 to {LONGEST_NAME} printable characters, without blanks at the ends")


def check_path(what: str, path: str) -> None:
    """Raise `BadValue` for an impossible path: empty, with a null character, or too long for common file systems."""
    parts = [part.encode(errors="surrogateescape") for part in PurePath(path).parts]
    fits = all(len(part) <= LONGEST_PART for part in parts) and sum(map(len, parts)) + len(parts) < LONGEST_PATH
    allowed = f"a path, with at most {LONGEST_PART} bytes for each of its names and {LONGEST_PATH} in all"
    require(bool(path) and "\0" not in path and fits, what, path, allowed)


def one_line(text: str) -> str:
    """A text as one line: lines are joined by blanks, and unprintable characters escaped."""
    joined = " ".join(filter(None, (part.strip() for part in text.splitlines())))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)


def shortened(text: str, limit: int) -> str:
    """A text of at most `limit` characters; a longer one is cut in the middle, since its end mostly has the reason."""
    gap = " ... "
    if len(text) <= limit:
        return text
    head = (limit - len(gap)) // 2
    return f"{text[:head]}{gap}{text[len(text) - (limit - len(gap) - head) :]}"
