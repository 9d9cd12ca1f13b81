"""The opening of a report: the answer in three sentences, then what is decided, refuted and open."""

from __future__ import annotations

import itertools
import math
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.report.analysis.contrast_rows import DECIDED, OPEN, REFUTED, ContrastRows, is_least
from bench_lib.report.analysis.contrasts import contrasts
from bench_lib.report.analysis.declared import DeclaredPlan, PartProgress
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.sequential import CellId, FamilyOutcome
from bench_lib.report.analysis.table_sections import TextTable
from bench_lib.report.cells import CELL_ID, EXTERNAL, GROUP
from bench_lib.report.columns import as_rows
from bench_lib.report.glossary import LOOKS
from bench_lib.report.prose import count, name_list
from bench_lib.report.values import Row
from bench_lib.stats.verdict import Location, Stability

TITLE = "The answer"
FILE = "contrasts.csv"
MOST = 20
"""The largest number of rows of a table; the file has all."""
NAMED = 4
"""The largest number of techniques that a sentence names."""

KINDS = (
    ("verdict", Stability.MORE, "more stable"),
    ("verdict", Stability.LESS, "less stable"),
    ("verdict", Stability.EQUIVALENT, "equivalent in stability"),
    ("verdict_location", Location.BETTER, "better in scores"),
    ("verdict_location", Location.WORSE, "worse in scores"),
)
ORDER = (Stability.MORE, Stability.LESS, Stability.UNDERPOWERED, Stability.EQUIVALENT, "")
"""Verdicts in the order of the rows; the undecided among the decided contrasts score lower."""

PROGRESS = ("part", "runs", "done", "left", "not converged", "decided")


@dataclass(frozen=True)
class Opening:
    """The opening for real or embedded data: three sentences, and tables with a note on rows left out."""

    data: str
    sentences: tuple[str, str, str]
    decided: TextTable
    refuted: TextTable
    open: TextTable
    left_out: Sequence[str]


class _Declared(NamedTuple):
    """The numbers of contrasts that a plan declares, and of other ones on the same data."""

    contrasts: int
    others: int
    baselines: Sequence[str]


def openings(summary: Summary) -> list[Opening]:
    """The openings of real and of embedded data, which are never compared; none without contrasts."""
    table, every = answered(summary), contrasts(summary.cells)
    parts = [(str(data), in_order(own)) for data, own in table.groupby("data")]
    found = []
    for data, own in reversed(parts):  # real data first
        others = int((every["data"] == data).sum()) - len(own)
        found.append(_opening(data, own, summary.baseline, _declared(summary, others)))
    return found


def _declared(summary: Summary, others: int) -> _Declared | None:
    families = _looked_at(summary)
    if not families:
        return None
    baselines = dict.fromkeys(name for family in families for name in family.baselines)
    return _Declared(sum(family.contrasts for family in families), others, [*baselines])


def answered(summary: Summary) -> pd.DataFrame:
    """The contrasts by which a report answers: those with a look among the plan's, or all before the first of them.

    Labels are the techniques' names, without the marks that tell versions apart, where one version alone answers.
    """
    table = contrasts(summary.cells)
    ids = {ours for family in _looked_at(summary) for ours, _ in family.measures}
    return _plainly_labelled(_of(table, summary.cells, ids) if ids else table)


def _of(table: pd.DataFrame, every: pd.DataFrame, ids: Set[CellId]) -> pd.DataFrame:
    """The contrasts of the cells with these ids."""
    cells = every[[tuple(key) in ids for key in every[list(CELL_ID)].astype(str).to_numpy()]]
    place = [*GROUP, "task", "label"]
    keys = set(cells[place].astype(str).itertuples(index=False, name=None))
    return table[[key in keys for key in table[place].astype(str).itertuples(index=False, name=None)]]


def _plainly_labelled(table: pd.DataFrame) -> pd.DataFrame:
    several = table.duplicated([*GROUP, "task", "technique"], keep=False)
    return table.assign(label=table["label"].where(several, table["technique"]))


def _looked_at(summary: Summary) -> list[FamilyOutcome]:
    """The families of the plan, of which any contrast had a look."""
    named = [family for family in summary.families if family.name]
    return named if any(family.measures for family in named) else []


def in_order(table: pd.DataFrame) -> pd.DataFrame:
    """Contrasts in the order of the rows: by verdict, then by the MAD ratio."""
    place = table["verdict"].map({verdict: number for number, verdict in enumerate(ORDER)})
    return (
        table.assign(_place=place)
        .sort_values(["_place", "mad_ratio", *GROUP, "task", "label"], ignore_index=True)
        .drop(columns="_place")
    )


def progress(summary: Summary) -> TextTable | None:
    """How far the parts of the plan are, None without one."""
    plan = summary.plan
    if plan is None:
        return None
    decided = {family.name: family for family in summary.families if family.name}
    rows = [_part(part, decided.get(part.name)) for part in (*plan.parts, plan.whole)]
    return TextTable(f"The plan: {md.plain(plan.title)}", PROGRESS, rows)


def waiting(plan: DeclaredPlan | None) -> str:
    """The sentence on parts that wait for a tuning; may be empty."""
    names = [f'"{md.shorten(name)}"' for name in plan.waiting] if plan else []
    return f"{name_list(names)} {'waits' if len(names) == 1 else 'wait'} for a tuning." if names else ""


def _part(part: PartProgress, family: FamilyOutcome | None) -> list[str]:
    other = ", ".join(f"{number} {status}" for status, number in sorted(part.statuses.items()) if status != "converged")
    decided = f"{family.decided} of {family.contrasts}" if family else md.DASH
    numbers = [f"{number:,}" for number in (part.runs, part.done, part.left)]
    return [md.shorten(part.name), *numbers, other or md.DASH, decided]


def _opening(data: str, table: pd.DataFrame, baseline: str, declared: _Declared | None) -> Opening:
    rows = as_rows(table)
    decided = [row for row in rows if row["decided"]]
    refuted = [row for row in rows if row["claims"]]
    left = sorted((row for row in rows if not row["decided"]), key=_nearest)
    shown = ContrastRows(table)
    against = _either(declared.baselines if declared else [baseline])
    return Opening(
        data,
        (_counted(data, rows, decided, against, declared), _proven(rows, against), _left(left, rows, declared)),
        TextTable("Decided against the baseline", shown.head(DECIDED), [shown.decided(row) for row in decided[:MOST]]),
        TextTable("Refuted: claimed to stabilise", shown.head(REFUTED), [shown.refuted(row) for row in refuted[:MOST]]),
        TextTable(
            "Open, the nearest to a decision first", shown.head(OPEN), [shown.undecided(row) for row in left[:MOST]]
        ),
        [
            f"{len(own) - MOST:,} more {name} contrasts are in {FILE}."
            for name, own in (("decided", decided), ("refuted", refuted), ("open", left))
            if len(own) > MOST
        ]
        + ([f"{declared.others:,} contrasts that the plan does not declare are in {FILE}."] if declared else []),
    )


def _counted(data: str, rows: Sequence[Row], decided: Sequence[Row], against: str, declared: _Declared | None) -> str:
    where = {"embedded": " on data that the suite generates itself", EXTERNAL: " among external runs"}.get(data, "")
    verb = "is" if len(decided) == 1 else "are"
    number = f"{count(declared.contrasts if declared else len(rows), 'contrast')} with {against}"
    text = f"{len(decided)} of {number}{where}{' that the plan declares' if declared else ''} {verb} decided"
    if not decided:
        return f"{text}."
    seeds = [int(row["shared"]) for row in decided]
    looks = sum(row["basis"] == LOOKS for row in decided)
    by = {0: "", len(decided): " in looks that stop when the verdict is sure"}
    how = by.get(looks, f", {looks} of them in looks that stop when the verdict is sure")
    return f"{text}, on {_range(seeds)} each{how}."


def _range(seeds: Sequence[int]) -> str:
    low, high = min(seeds), max(seeds)
    return count(low, "seed") if low == high else f"{low} to {high} seeds"


def _proven(rows: Sequence[Row], against: str) -> str:
    found = [(text, [row for row in rows if row[column] == value]) for column, value, text in KINDS]
    usual = Counter(str(row["profile"]) for row in rows).most_common(1)
    parts = [f"{text}: {_techniques(own, usual[0][0])}" for text, own in found if own]
    if not parts:
        return f"Nothing is proven to be more or less stable than {against}, or to score better or worse."
    return f"Proven against {_baselines(row for _, own in found for row in own)}: {'; '.join(parts)}."


def _baselines(rows: Iterable[Row]) -> str:
    return _either(sorted({str(row["against"]) for row in rows}))


def _either(names: Iterable[str]) -> str:
    return name_list([md.plain(name) for name in names], last=" or ")


def _techniques(rows: Sequence[Row], usual: str) -> str:
    """The techniques of some contrasts with their tasks, and the profile where it is not the usual one."""
    places: dict[str, list[str]] = {}
    for row in rows:
        profile = str(row["profile"])
        place = str(row["task"]) if profile == usual else f"{row['task']} under {md.shorten(profile)}"
        own = places.setdefault(md.shorten(row["technique"]), [])
        own += [] if place in own else [place]
    alike: dict[str, list[str]] = {}
    for name, own in itertools.islice(places.items(), NAMED):
        alike.setdefault(name_list(own, NAMED, last=", "), []).append(name)
    parts = [f"{name_list(names)} ({where})" for where, names in alike.items()]
    left = len(places) - NAMED
    return f"{', '.join(parts)} and {left} more" if left > 0 else name_list(parts)


def _left(left: Sequence[Row], rows: Sequence[Row], declared: _Declared | None) -> str:
    unseen = declared.contrasts - len(rows) if declared else 0
    waits = f" {unseen} more had no look yet." if unseen > 0 else ""
    return f"{_still_open(left)}{waits}"


def _still_open(left: Sequence[Row]) -> str:
    if not left:
        return "None is open."
    known = [row for row in left if math.isfinite(row["missing"])]
    verb = "is" if len(left) == 1 else "are"
    text = f"{len(left)} {verb} open"
    if not known:
        return f"{text}, and it is not known how many seeds would decide {'it' if len(left) == 1 else 'them'}."
    seeds = _range([math.ceil(row["missing"]) for row in known])
    which = "" if len(known) == len(left) else f"{len(known)} of them with "
    least = "at least " if any(map(is_least, known)) else ""
    return f"{text}; by estimate {which}{least}{seeds} more each would decide, {count(_runs(known), 'run')} in all."


def _runs(rows: Sequence[Row]) -> int:
    """The runs that some contrasts lack, those of their baselines counted once."""
    baselines: dict[tuple[str, ...], float] = {}
    for row in rows:
        place = tuple(str(row[name]) for name in (*GROUP, "task", "against"))
        baselines[place] = max(baselines.get(place, 0.0), row["missing_baseline_runs"])
    return math.ceil(float(sum(row["missing_runs"] for row in rows)) + sum(baselines.values()))


def _nearest(row: Row) -> tuple[float, str, str]:
    """Sort key: the fewest missing seeds first, unknown numbers last."""
    missing = row["missing"]
    return (math.inf if math.isnan(missing) else missing, str(row["task"]), str(row["label"]))
