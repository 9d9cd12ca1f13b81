"""Contrasts as rows of text, for the tables with which a report opens."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.report.analysis.published_claims import shipped
from bench_lib.report.glossary import LEAST, LOOKS
from bench_lib.report.values import Row
from bench_lib.stats.verdict import Location, Stability

DECIDED = ("technique", "task", "verdict", "seeds", "MAD ratio [95 %]", "Δ failed, % [95 %]", "Δ mean", "time")
OPEN = ("technique", "task", "so far", "seeds", "MAD ratio [95 %]", "seeds that would decide it")
REFUTED = ("technique", "task", "verdict", "seeds", "MAD ratio [95 %]", "Δ failed, % [95 %]", "what is claimed")


def is_least(row: Row) -> bool:
    """Whether the missing seeds are those to the least number for a claim about spread, which may not decide."""
    return bool(row["basis"] != LOOKS and row["shared"] < LEAST)


class ContrastRows:
    """Contrasts as rows of text, with the columns of a group where there are several of them."""

    def __init__(self, table: pd.DataFrame) -> None:
        self.several = [name for name in ("model", "profile") if table[name].nunique() > 1]

    def head(self, names: Sequence[str]) -> list[str]:
        return [*names[:2], *self.several, *names[2:]]

    def decided(self, row: Row) -> list[str]:
        return [*self._names(row), _verdict(row), *_evidence(row), md.signed(row["mean_difference"]), _times(row)]

    def refuted(self, row: Row) -> list[str]:
        said = [f"{shipped()[name].statement} ({shipped()[name].source})" for name in str(row["claims"]).split("; ")]
        return [*self._names(row), _verdict(row), *_evidence(row), " ".join(said)]

    def undecided(self, row: Row) -> list[str]:
        missing, least = row["missing"], "at least " if is_least(row) else ""
        known = f"{least}{math.ceil(missing)} more" if math.isfinite(missing) else "more than 500 in all"
        return [*self._names(row), _verdict(row), *_evidence(row)[:2], "unknown" if math.isnan(missing) else known]

    def _names(self, row: Row) -> list[str]:
        return [md.shorten(row[name]) for name in ("label", "task", *self.several)]


def _verdict(row: Row) -> str:
    return ", ".join(_concluded(row))


def _concluded(row: Row) -> Iterator[str]:
    is_open = row["verdict"] in ("", Stability.UNDERPOWERED)
    by = f" ({row['decided_by']})" if row["decided_by"] in ("failures", "spread") else ""
    yield "undecided" if is_open else f"{row['verdict']}{by}"
    if row["verdict_location"] in (Location.BETTER, Location.WORSE):
        yield f"scores {'higher' if row['verdict_location'] == Location.BETTER else 'lower'}"


def _evidence(row: Row) -> list[str]:
    """The seeds, the MAD ratio and the difference of failure rates."""
    ends = [row[f"failure_difference{end}"] for end in ("", "_low", "_high")]
    difference = f"{md.percent(ends[0], 0)} {md.interval(ends[1], ends[2], 0)}".strip()
    ratio = md.estimate(*(row[f"mad_ratio{end}"] for end in ("", "_low", "_high")))
    return [f"{int(row['shared'])}{', looks' if row['basis'] == LOOKS else ''}", ratio, difference]


def _times(row: Row) -> str:
    return f"{md.number(row['cost_ratio'])}\u00d7" if math.isfinite(row["cost_ratio"]) else md.DASH
