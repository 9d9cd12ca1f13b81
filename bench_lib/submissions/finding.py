"""What a check of a submission found, and what follows from all of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Standing(StrEnum):
    """How a check ended; the words are also those of the verdict."""

    VERIFIED = "verified"
    OPEN = "open"
    REFUSED = "refused"


@dataclass(frozen=True)
class Finding:
    """The result of one check."""

    check: str
    standing: Standing
    found: str


def verdict(findings: Iterable[Finding]) -> Standing:
    """`REFUSED` if any check refuses, else `OPEN` if any is open."""
    standings = {finding.standing for finding in findings}
    return next((one for one in (Standing.REFUSED, Standing.OPEN) if one in standings), Standing.VERIFIED)


def judged(check: str, problems: Iterable[str], good: str, shown: int = 5) -> Finding:
    """Refused with the first few problems, or verified with what is good."""
    lines = list(problems)
    if not lines:
        return Finding(check, Standing.VERIFIED, good)
    more = [f"and {len(lines) - shown} more"] if len(lines) > shown else []
    return Finding(check, Standing.REFUSED, "; ".join([*lines[:shown], *more]))
