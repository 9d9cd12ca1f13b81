"""Statements on a technique compared with the baseline: where it helps, hurts, is equal or undecided, and its cost.

It helps on a task if the conclusion is that it is more stable or scores higher, and hurts if less stable or lower; the
command line follows the same conclusions, of `report.analysis.evidence`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench_lib.report import formatting as md
from bench_lib.report.analysis.evidence import Conclusion, conclusions
from bench_lib.report.glossary import LEAST
from bench_lib.report.prose import count, name_list
from bench_lib.report.values import Row, few


@dataclass(frozen=True)
class Statements:
    """Sentences on one technique in one group, by kind."""

    helps: tuple[str, ...] = ()
    hurts: tuple[str, ...] = ()
    same: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    cost: tuple[str, ...] = ()


def statements(cells: Sequence[Row], partners: Mapping[tuple[Any, ...], Row]) -> Statements:
    """Statements from the cells of one technique and group; `partners` are the baseline's cells by `place`."""
    compared = [row for row in cells if row["against"] and row["label"] != row["against"]]
    if not compared:
        return Statements(undecided=tuple(_alone(cells)), cost=tuple(_declined(cells)))
    pairs = [(row, partners.get(place(row, row["against"]), row)) for row in compared]
    return Statements(
        helps=tuple(text for row, base in pairs for text in _helps(row, base)),
        hurts=tuple(text for row, base in pairs for text in _hurts(row, base)),
        same=tuple(_same(compared)),
        undecided=tuple(_undecided(compared)),
        cost=(*_cost(compared), *_declined(cells)),
    )


def place(row: Row, label: str) -> tuple[Any, ...]:
    """The key of the cell with this label and the same task and setting as a row."""
    return (row["data"], row["model"], row["profile"], row["task"], row["setting"], label)


def steadier(row: Row, base: Row) -> str:
    """The numbers behind the verdict."""
    if row["decided_by"] == "failures":
        theirs = f"{base['failed']} of {base['judged']}"
        return f"{row['failed']} of {row['judged']} runs fail, {theirs} of {row['against']}'s"
    shown = md.estimate(row["mad_ratio"], row["mad_ratio_low"], row["mad_ratio_high"])
    return f"MAD ratio {shown}, {count(int(_known(row['shared'])), 'seed')}"


def _helps(row: Row, base: Row) -> Iterator[str]:
    if Conclusion.STEADIER in conclusions(row):
        verb = "fails less often" if row["decided_by"] == "failures" else "steadier"
        yield f"{verb} on {row['task']} ({steadier(row, base)})"
    if Conclusion.HIGHER in conclusions(row):
        yield f"scores higher on {row['task']} ({_shift(row)})"


def _hurts(row: Row, base: Row) -> Iterator[str]:
    if Conclusion.LESS_STEADY in conclusions(row):
        verb = "fails more often" if row["decided_by"] == "failures" else "less steady"
        yield f"{verb} on {row['task']} ({steadier(row, base)})"
    if Conclusion.LOWER in conclusions(row):
        yield f"scores lower on {row['task']} ({_shift(row)})"


def _shift(row: Row) -> str:
    return f"mean {md.signed(row['mean_difference'])} points, P(higher) {md.number(row['superiority'])}"


def _same(rows: Sequence[Row]) -> Iterator[str]:
    names = [str(row["task"]) for row in rows if Conclusion.AS_STEADY in conclusions(row)]
    if names:
        yield f"as stable on {name_list(names)}, within the margins of a difference that matters"


def _undecided(rows: Sequence[Row]) -> Iterator[str]:
    left = [row for row in rows if Conclusion.OPEN in conclusions(row)]
    short = [str(row["task"]) for row in left if few(row)]
    rest = [str(row["task"]) for row in left if not few(row)]
    if short:
        where = f"{len(short)} of {count(len(rows), 'task')}"
        yield f"not decided on {where}: fewer than {LEAST} converged seeds on {name_list(short)}"
    if rest:
        yield f"not decided on {name_list(rest)}, with {LEAST} converged seeds or more"


def _alone(rows: Sequence[Row]) -> Iterator[str]:
    if any(row["label"] == row["against"] for row in rows):
        yield "the baseline itself: all others are compared with it"
    elif rows:
        yield "not compared: the baseline has no runs of the same setting"


def _cost(rows: Sequence[Row]) -> Iterator[str]:
    ratios = np.array([row["cost_ratio"] for row in rows], dtype=np.float64)
    ratios = ratios[np.isfinite(ratios)]
    if not ratios.size:
        return
    low, high = float(ratios.min()), float(ratios.max())
    span = md.number(low) if md.number(low) == md.number(high) else f"{md.number(low)} to {md.number(high)}"
    yield f"trains {span} times as long as the baseline"


def _declined(rows: Sequence[Row]) -> Iterator[str]:
    for row in rows:
        if row["unsupported"]:
            yield f"declines {row['task']}: {md.shorten(row['reason'])}"


def _known(value: float) -> float:
    return value if np.isfinite(value) else 0.0
