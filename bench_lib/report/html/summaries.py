"""Short summaries of groups: the best and worst techniques, and what is unproven."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench_lib.report import formatting as md
from bench_lib.report.analysis.evidence import Conclusion, conclusions
from bench_lib.report.analysis.recommend import Recommendation
from bench_lib.report.cells import EXTERNAL
from bench_lib.report.glossary import LEAST
from bench_lib.report.html.statements import Statements
from bench_lib.report.prose import count, name_list
from bench_lib.report.values import Row, few

NUMBER = re.compile(r"\d+(\.\d+)?(e[-+]?\d+)?")
BEST = 3
"""Maximum numbers of best and of worst techniques in a summary."""


@dataclass(frozen=True)
class Claim:
    """A statement on a technique, with its display name in the group."""

    name: str
    technique: str
    text: str


@dataclass(frozen=True)
class GroupSummary:
    """The summary of a group: best and worst techniques, and further sentences."""

    group: tuple[str, ...]
    best: tuple[Claim, ...]
    worse: tuple[Claim, ...]
    lines: tuple[str, ...]


def group_summary(
    group: tuple[str, ...],
    cells: Mapping[str, Sequence[Row]],
    sentences: Mapping[str, Statements],
    found: Recommendation | None,
    baseline: str,
) -> GroupSummary:
    """The summary of a group: its cells and statements by technique, and what is recommended over all its tasks.

    Best are those that `recommend` ranks first and that are more stable on some task; worse are those less stable or
    lower in scores on some task, whether or not they were judged on all.
    """
    compared = {name: rows for name, rows in cells.items() if any(_contrast(row) for row in rows)}
    ranked = (*found.found, *found.others, *found.partly) if found else ()
    best = [one for one in found.found if one.gains] if found else []
    worse = [one for one in ranked if one.misses]
    elsewhere = [one for one in found.partly if one.gains and not one.misses] if found else []
    return GroupSummary(
        group,
        tuple(Claim(one.name, one.technique, _praise(sentences[one.technique])) for one in best[:BEST]),
        tuple(Claim(one.name, one.technique, name_list(sentences[one.technique].hurts)) for one in worse[:BEST]),
        (
            *_reference(cells.get(baseline, ()), baseline),
            *_more([one.name for one in best], [one.name for one in worse], compared, baseline),
            *_partly([one.name for one in elsewhere]),
            *(_unproven(compared) if compared else ()),
        ),
    )


def _praise(one: Statements) -> str:
    return "; ".join([name_list(one.helps), *one.cost[:1], *one.undecided])


def _partly(names: Sequence[str]) -> list[str]:
    """The sentence on techniques that are not ranked, since they were not judged on all tasks."""
    return [f"More stable on some tasks, and not judged on all: {name_list(names)}."] if names else []


def _reference(rows: Sequence[Row], baseline: str) -> list[str]:
    """The failures of the baseline itself."""
    judged = sum(int(row["judged"]) for row in rows)
    if not judged:
        return []
    failed = sum(int(row["failed"]) for row in rows)
    where = name_list(sorted({str(row["task"]) for row in rows}))
    return [f"{baseline} itself fails in {failed} of {count(judged, 'run')}, on {where}."]


def _more(best: Sequence[str], worse: Sequence[str], compared: Mapping[str, Sequence[Row]], baseline: str) -> list[str]:
    if not compared:
        return [f"Nothing is compared: {baseline} was not run here, or nothing else was."]
    lines = []
    if not best:
        lines.append(f"No technique is shown to be more stable than {baseline}.")
    if len(best) > BEST:
        lines.append(f"{count(len(best) - BEST, 'more technique')} are as well: {name_list(best[BEST:])}.")
    if len(worse) > BEST:
        lines.append(f"{count(len(worse) - BEST, 'more technique')} do worse: {name_list(worse[BEST:])}.")
    return lines


def _unproven(cells: Mapping[str, Sequence[Row]]) -> list[str]:
    rows = [row for own in cells.values() for row in own if _contrast(row)]
    undecided = [row for row in rows if Conclusion.OPEN in conclusions(row)]
    short = [row for row in undecided if few(row)]
    open_ = [row for row in undecided if not few(row)]
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
    """Whether a cell is compared with another and not declined as a whole."""
    return bool(row["against"] and row["label"] != row["against"] and row["attempted"] > row["unsupported"])


def folded(summaries: Sequence[GroupSummary]) -> tuple[list[GroupSummary], list[GroupSummary]]:
    """The summaries to be read first, and those of profiles with settings, such as `desk:per_class=8`, by the numbers.

    Where there are no others, the latter are read first.
    """
    variants = [one for one in summaries if ":" in one.group[-1]]
    first = [one for one in summaries if one not in variants]
    variants.sort(key=lambda one: (one.group[:-1], _by_number(one.group[-1])))
    return (first, variants) if first else (variants, [])


def _by_number(name: str) -> list[tuple[str, float]]:
    """Sort key: settings by name and numeric value, so that 8 comes before 32; other values come last."""
    settings = (part.partition("=") for part in name.split(":"))
    return [(key, float(value) if NUMBER.fullmatch(value) else math.inf) for key, _, value in settings]


def heading(group: tuple[str, ...]) -> str:
    """The heading of a group."""
    data, model, profile = (md.plain(part) for part in group)
    return f"{'external runs' if data == EXTERNAL else f'{data} data'}, {model}, profile {profile}"
