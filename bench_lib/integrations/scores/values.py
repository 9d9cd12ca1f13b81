"""The values of a table of runs: scores, seeds and statuses, each error with its row and column."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import StrEnum
from numbers import Integral

from bench_lib.core.errors import BadData, BadValue, shortened
from bench_lib.core.record import Status
from bench_lib.core.seeds import LARGEST

NOTHING = frozenset(("", "nan", "none", "null", "na", "n/a", "-", "inf", "+inf", "-inf", "infinity", "-infinity"))
"""Texts for a score that a failed run has not."""

STATUSES: Mapping[str, Status] = {
    **dict.fromkeys(("converged", "finished", "complete", "completed", "success", "succeeded", "ok"), Status.CONVERGED),
    **dict.fromkeys(("done", "true"), Status.CONVERGED),
    **dict.fromkeys(("failed", "diverged", "failure", "nan", "false"), Status.DIVERGED),
    "collapsed": Status.COLLAPSED,
    **dict.fromkeys(("oom", "out of memory"), Status.OOM),
    **dict.fromkeys(("timeout", "timed out"), Status.TIMEOUT),
    **dict.fromkeys(("crashed", "killed", "preempted", "cancelled", "canceled", "interrupted", "lost"), Status.CRASHED),
    **dict.fromkeys(("running", "pending", "scheduled", "queued", "unfinished"), Status.CRASHED),
    "unsupported": Status.UNSUPPORTED,
}
"""What words of a status column mean; crashed and unfinished runs count neither as converged nor as failed."""


SURELY_PERCENT = 10.0
"""Median size of scores from which one of at most 1 among them looks like a fraction, not like 1 percent."""


class Scale(StrEnum):
    """The unit of scores."""

    FRACTION = "fraction"
    PERCENT = "percent"
    NUMBER = "number"

    @property
    def whole(self) -> float:
        """The value that stands for 1."""
        return 100.0 if self is Scale.PERCENT else 1.0


def score(value: object, place: str) -> float:
    """A score as it stands in the file, nan for none; a sign of percent is left out."""
    if value is None:
        return math.nan
    text = str(value).strip()
    if text.lower() in NOTHING:
        return math.nan
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        found = math.nan
    if isinstance(value, bool) or not math.isfinite(found):
        raise _bad(place, value, "a number, or for a failed run nothing, nan or inf")
    return found


def seed(value: object, place: str) -> int:
    """A seed, also one that was written as a decimal fraction without decimals."""
    text = "" if value is None or isinstance(value, bool) else str(value).strip()
    if isinstance(value, Integral | str) and text.isascii() and text.isdigit():
        whole = int(text) if len(text) <= len(str(LARGEST)) else -1
    else:
        try:
            number = float(text)
        except ValueError:
            number = math.nan
        whole = int(number) if math.isfinite(number) and number == int(number) else -1
    if not 0 <= whole <= LARGEST:
        raise _bad(place, value, f"a whole number from 0 to {LARGEST}")
    return whole


def status(value: object, place: str) -> Status | None:
    """The status that a word stands for, None for no word."""
    word = "" if value is None else str(value).strip().lower().replace("_", " ")
    if word in ("", "nan"):
        return None
    if word not in STATUSES:
        near = get_close_matches(word, STATUSES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise _bad(place, value, f"{', '.join(STATUSES)}, or nothing{hint}")
    return STATUSES[word]


def name(value: object, place: str) -> str:
    """A name of a task, technique or model."""
    text = "" if value is None else " ".join(str(value).split())
    if not text or text == "nan" or not text.isprintable() or len(text) > 200:
        raise _bad(place, value, "a name of 1 to 200 printable characters")
    return text


def guessed_scale(scores: Sequence[tuple[str, object, float]]) -> Scale:
    """The scale of (place, value, score): percent above 1 up to 100, else a fraction, else a plain number.

    `BadData` where some scores look like fractions and others like percent.
    """
    known = [(place, value, found) for place, value, found in scores if not math.isnan(found)]
    if any(str(value).strip().endswith("%") for _, value, _ in known):
        return Scale.PERCENT
    sizes = sorted(abs(found) for _, _, found in known)
    if not sizes or sizes[-1] <= 1:
        return Scale.FRACTION
    place, value, _ = next(one for one in known if abs(one[2]) == sizes[-1])
    if sizes[len(sizes) // 2] <= 1:
        raise _bad(place, value, "a fraction like most of the others; or say --scale percent or number")
    if sizes[-1] > 100:
        return Scale.NUMBER
    if sizes[len(sizes) // 2] >= SURELY_PERCENT:
        for place, value, found in known:
            if 0 < abs(found) <= 1:
                raise _bad(place, value, "a percentage like most of the others; or say --scale percent or number")
    return Scale.PERCENT


def constant_score(given: float, scale: Scale) -> float:
    """What a constant predictor scores, given in the scale of a file, with 1 for the whole.

    `BadValue` where its size says that it is in another scale.
    """
    if scale is Scale.PERCENT and 0 < abs(given) < 1:
        raise BadValue("--constant-baseline", given, f"percent like the scores, such as {100 * given:g}")
    if scale is Scale.FRACTION and abs(given) > 1:
        raise BadValue("--constant-baseline", given, f"a fraction like the scores, such as {given / 100:g}")
    return given / scale.whole


def _bad(place: str, value: object, allowed: str) -> BadData:
    return BadData(f"{place} is {shortened(repr(value), 80)}; allowed: {allowed}")
