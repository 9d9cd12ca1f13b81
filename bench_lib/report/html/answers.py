"""The answer in half a minute: what a group of results shows, and what it does not."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench_lib.report import formatting as md
from bench_lib.report.glossary import LEAST
from bench_lib.report.html.evidence import Evidence
from bench_lib.report.prose import count, listed
from bench_lib.report.values import Row, few
from bench_lib.stats.verdict import Location, Stability

NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
BEST = 3
"""Techniques that are named at most, for the better and for the worse."""


@dataclass(frozen=True)
class Told:
    """A technique and what is said of it."""

    technique: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What one group shows: the best techniques, those to keep away from, and what is unproven."""

    group: tuple[str, ...]
    best: tuple[Told, ...]
    worse: tuple[Told, ...]
    lines: tuple[str, ...]


def answer(
    group: tuple[str, ...], cells: Mapping[str, Sequence[Row]], said: Mapping[str, Evidence], baseline: str
) -> Answer:
    """The answer from the cells and the evidence of each technique of a group.

    Best are those more stable on some task, and neither less stable nor worse on any: by the number of such tasks, then
    by failure rate, MAD ratio and time. Worse are those less stable or scoring lower on some task, by the number of
    such tasks. Cells with too few seeds have no verdict, so they are in neither.
    """
    compared = {name: rows for name, rows in cells.items() if any(_contrast(row) for row in rows)}
    won = {name: _wins(rows) for name, rows in compared.items()}
    lost = {name: _losses(rows) for name, rows in compared.items()}
    best = sorted((n for n in compared if won[n] and not lost[n]), key=lambda n: (-won[n], *_order(compared[n]), n))
    worse = sorted((n for n in compared if lost[n]), key=lambda n: (-lost[n], n))
    return Answer(
        group,
        tuple(Told(name, _praise(said[name])) for name in best[:BEST]),
        tuple(Told(name, listed(said[name].hurts)) for name in worse[:BEST]),
        (*_reference(cells.get(baseline, ()), baseline), *_lines(compared, best, worse, baseline)),
    )


def _praise(one: Evidence) -> str:
    return "; ".join([listed(one.helps), *one.cost[:1], *one.undecided])


def _reference(rows: Sequence[Row], baseline: str) -> list[str]:
    """How the baseline itself fares."""
    judged = sum(int(row["judged"]) for row in rows)
    if not judged:
        return []
    failed = sum(int(row["failed"]) for row in rows)
    where = listed(sorted({str(row["task"]) for row in rows}))
    return [f"{baseline} itself fails in {failed} of {count(judged, 'run')}, on {where}."]


def _lines(cells: Mapping[str, Sequence[Row]], best: Sequence[str], worse: Sequence[str], baseline: str) -> list[str]:
    if not cells:
        return [f"Nothing is compared: {baseline} was not run here, or nothing else was."]
    lines = []
    if not best:
        lines.append(f"No technique is shown to be more stable than {baseline}.")
    if len(best) > BEST:
        lines.append(f"{count(len(best) - BEST, 'more technique')} are as well: {listed(best[BEST:])}.")
    if len(worse) > BEST:
        lines.append(f"{count(len(worse) - BEST, 'more technique')} do worse: {listed(worse[BEST:])}.")
    return [*lines, *_unproven(cells)]


def _unproven(cells: Mapping[str, Sequence[Row]]) -> list[str]:
    rows = [row for own in cells.values() for row in own if _contrast(row)]
    short = [row for row in rows if few(row)]
    open_ = [row for row in rows if not few(row) and row["verdict"] in ("", Stability.UNDERPOWERED)]
    whole = sum(all(few(row) for row in own if _contrast(row)) for own in cells.values())
    lines = []
    if short:
        rest = "" if len(short) == len(rows) else f"; {count(whole, 'technique')} of {len(cells)} have no others"
        which = f"{'all' if len(short) == len(rows) else f'{len(short)} of'} {count(len(rows), 'comparison')}"
        lines.append(f"Unproven: {which} rest on fewer than {LEAST} converged seeds and are not ranked{rest}.")
    if open_:
        lines.append(f"{len(open_)} of {count(len(rows), 'comparison')} have the seeds, and are still undecided.")
    return lines


def _contrast(row: Row) -> bool:
    """Whether a cell is set against another; one that was declined whole is not."""
    return bool(row["against"] and row["label"] != row["against"] and row["attempted"] > row["unsupported"])


def _wins(rows: Sequence[Row]) -> int:
    return sum(row["verdict"] == Stability.MORE for row in rows)


def _losses(rows: Sequence[Row]) -> int:
    return sum(row["verdict"] == Stability.LESS or row["verdict_location"] == Location.WORSE for row in rows)


def _order(rows: Sequence[Row]) -> tuple[float, ...]:
    """Failure rate, MAD ratio and time, means over the tasks; what is not known comes last."""
    return tuple(_mean([row[name] for row in rows]) for name in ("failure_rate", "mad_ratio", "cost_ratio"))


def _mean(values: Sequence[Any]) -> float:
    known = np.array(values, dtype=np.float64)
    known = known[np.isfinite(known)]
    return float(known.mean()) if known.size else float("inf")


def folded(answers: Sequence[Answer]) -> tuple[list[Answer], list[Answer]]:
    """Those to be read first, and those of profiles with settings, such as `desk:per_class=8`, in order of the numbers.

    Where there are no others, the latter are read first.
    """
    made = [one for one in answers if ":" in one.group[-1]]
    first = [one for one in answers if one not in made]
    made.sort(key=lambda one: (one.group[:-1], _by_number(one.group[-1])))
    return (first, made) if first else (made, [])


def _by_number(name: str) -> list[tuple[str, float]]:
    """Settings by name and value, so that 8 comes before 32; what is no number comes last."""
    settings = (part.partition("=") for part in name.split(":"))
    return [(key, float(value) if NUMBER.fullmatch(value) else math.inf) for key, _, value in settings]


def heading(group: tuple[str, ...]) -> str:
    """What a group is called in a heading."""
    data, model, profile = (md.plain(part) for part in group)
    return f"{data} data, {model}, profile {profile}"
