"""Where the variance comes from: runs whose streams were frozen in turn in, one row a cell, design and source out."""

from __future__ import annotations

import functools
import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Status
from bench_lib.core.seeds import STREAMS
from bench_lib.core.spec import canonical_json, digest
from bench_lib.report.cells import CELL_ID, Cell, group_runs, numbers, parse_spec
from bench_lib.stats.components import MOST_RUNS, crossed
from bench_lib.stats.variance import REST, TOTAL, Component, component, one_at_a_time

ALWAYS = ("init", "order", "dropout")
"""Streams that vary in the runs of a leaderboard."""
APART = "apart"
"""The design of arms that no runs hold in which all that they vary varies together."""
SOURCES = (*CELL_ID, "design", "source", "variance", "low", "high", "share", "runs", "failed", "note")

Held = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class Arm:
    """Judged runs of a cell that hold the same streams at the same seeds; a column for each stream has its seed."""

    held: Held
    runs: pd.DataFrame

    @property
    def varied(self) -> tuple[str, ...]:
        return tuple(stream for stream in STREAMS if stream not in self.held)

    def name(self) -> str:
        return "all" if self.varied == STREAMS else "+".join(self.varied)

    def within(self, other: Arm) -> bool:
        """Varies a part of what the other does, and stands where that stands in the rest."""
        return set(self.varied) < set(other.varied) and other.held.items() <= self.held.items()

    def moved(self, *named: str) -> str:
        """The streams that it holds elsewhere than at 0, apart from those named."""
        return ", ".join(f"{s}={self.held[s]}" for s in STREAMS if self.held.get(s) and s not in named)


@dataclass(frozen=True)
class Line:
    """A component as a row: how many runs it comes from, how many failed, and a note on those."""

    component: Component
    runs: int
    failed: int
    note: str = ""

    def row(self) -> dict[str, object]:
        one = self.component
        measured = {name: getattr(one, name) for name in ("source", "variance", "low", "high", "share")}
        return {**measured, "runs": self.runs, "failed": self.failed, "note": _joined("; ", one.note, self.note)}


Design = tuple[str, list[Line]]


def sources(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a cell, design and source of variance, for the cells of which some runs freeze streams in turn.

    Columns are `SOURCES`; variances are of scores as fractions, with intervals at 95 %; runs that failed in training
    are counted and left out. A design is named after what varies together in its `total`, such as `init+order` or
    `all`: its sources are the smallest sets of streams that were varied within (`one_at_a_time`), `apart` if no runs
    vary them together. `init x order` is a grid of two streams (`crossed`), in which of several runs with the same
    seeds one counts. Raises `BadStore` for what `group_runs` refuses and for a spec without its frozen streams.
    """
    rows = [
        {**cell.id_fields(), "design": design, **line.row()}
        for cell in group_runs(_levels(_several(frame)))
        for design, lines in _designs(cell)
        for line in lines
    ]
    return pd.DataFrame(rows, columns=list(SOURCES))


def ordinary(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs without those that freeze init, order or dropout: arms of a decomposition, and no seeds of a cell.

    Runs that freeze the subset or the augmentation stay, and so do those that freeze nothing.
    """
    specs = frame["spec"].astype("category").cat
    keep = [not _held(str(text)).keys() & set(ALWAYS) for text in specs.categories]
    return frame[np.array(keep, dtype=bool)[specs.codes]]


def _several(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of specs that differ from others in their frozen streams alone, or freeze some that usually vary."""
    specs = frame["spec"].astype("category").cat
    helds: dict[str, set[str]] = {}
    for text in map(str, specs.categories):
        helds.setdefault(_melted(text), set()).add(canonical_json(_held(text)))
    telling = [len(helds[_melted(t)]) > 1 or bool(_held(t).keys() & set(ALWAYS)) for t in map(str, specs.categories)]
    return frame[np.array(telling, dtype=bool)[specs.codes]]


def _levels(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs with the seed of each stream in a column, and no more frozen streams in their specs."""
    helds = [_held(str(text)) for text in frame["spec"]]
    seeds = [int(seed) for seed in frame["seed"]]
    columns = {s: [held.get(s, seed) for held, seed in zip(helds, seeds, strict=True)] for s in STREAMS}
    held = [canonical_json(one) for one in helds]
    return frame.assign(**columns, held=held, spec=[_melted(str(text)) for text in frame["spec"]])


@functools.lru_cache(maxsize=2**16)
def _held(text: str) -> Held:
    """The frozen streams of a spec, each with its seed."""
    held = parse_spec(text).get("frozen")
    if not isinstance(held, Mapping) or not all(s in STREAMS and isinstance(seed, int) for s, seed in held.items()):
        raise BadStore(f"a run's spec does not say which of {', '.join(STREAMS)} are frozen, and where: {text[:60]!r}")
    return held


def _melted(text: str) -> str:
    return canonical_json({name: part for name, part in parse_spec(text).items() if name not in ("frozen", "seed")})


def _designs(cell: Cell) -> Iterator[Design]:
    """The decompositions that a cell's arms allow: within each total, of what no total holds, and of grids."""
    arms = _arms(cell)
    planes = list(_planes(arms))
    told = [arm for _, lines in planes for arm in lines]
    for total in arms:
        inside = [arm for arm in arms if arm.within(total)]
        if inside:
            told += [total, *inside]
            yield _joined(", ", total.name(), total.moved()), _in_turn(inside, total)
    apart = [arm for arm in arms if arm not in told and arm.held.keys() & set(ALWAYS)]
    if apart:
        yield APART, _in_turn(apart, None)
    for pair, lines in planes:
        yield _grid(pair, lines, cell.cell_id)


def _arms(cell: Cell) -> list[Arm]:
    """By what they vary, those of fewer streams first, and then by where they hold the others."""
    judged = cell.runs[cell.runs["status"].isin([str(s) for s in Status if s.judged])]
    held = [json.loads(text) for text in sorted(set(cell.runs["held"]))]
    arms = [Arm(one, judged[judged["held"] == canonical_json(one)]) for one in held if len(one) < len(STREAMS)]
    place = {arm: [arm.held.get(stream, -1) for stream in STREAMS] for arm in arms}
    return sorted(arms, key=lambda arm: (len(arm.varied), [seed >= 0 for seed in place[arm]], place[arm]))


def _planes(arms: Iterable[Arm]) -> Iterator[tuple[tuple[str, str], list[Arm]]]:
    """Pairs of streams of which one varied at several seeds of the other, with all arms that vary one of them alone."""
    for pair in combinations(STREAMS, 2):
        planes: dict[str, list[Arm]] = {}
        for arm in arms:
            if len(arm.varied) == 1 and arm.varied[0] in pair:
                others = canonical_json({s: seed for s, seed in arm.held.items() if s not in pair})
                planes.setdefault(others, []).append(arm)
        for lines in planes.values():
            if max(Counter(arm.varied for arm in lines).values()) > 1:
                yield pair, lines


def _in_turn(inside: Sequence[Arm], total: Arm | None) -> list[Line]:
    """The smallest of the arms, each at the first of its references, against the one that varies all that they do."""
    parts = [arm for arm in inside if not any(other.within(arm) for other in inside)]
    places = Counter(arm.name() for arm in parts)
    chosen: dict[str, Arm] = {}
    for arm in parts:
        chosen.setdefault(arm.name(), arm)
    components = one_at_a_time({n: _scores(a.runs) for n, a in chosen.items()}, _scores(total.runs) if total else ())
    sources = [
        Line(one, *_counts(arm.runs), _note(arm, places[one.source], total))
        for one, arm in zip(components, chosen.values(), strict=False)
    ]
    if total is None:
        return sources
    rest, whole = components[-2:]
    streams = Counter(stream for arm in chosen.values() for stream in arm.varied)
    twice = ", ".join(stream for stream, count in streams.items() if count > 1)
    last = Line(whole, *_counts(total.runs))
    runs, failed = (sum(getattr(line, name) for line in [*sources, last]) for name in ("runs", "failed"))
    return [*sources, Line(rest, runs, failed, f"{twice} counted in several sources" if twice else ""), last]


def _note(arm: Arm, places: int, total: Arm | None) -> str:
    moved = arm.moved(*(total.held if total else ()))
    several = f"one of {places} references" if places > 1 else ""
    return _joined("; ", moved and f"at {moved}", several, "" if total else "no runs vary it together with others")


def _grid(pair: tuple[str, str], lines: Sequence[Arm], key: tuple[str, ...]) -> Design:
    name = _joined(", ", " x ".join(pair), lines[0].moved(*pair))
    found = pd.concat([arm.runs for arm in lines if len(arm.runs)] or [lines[0].runs])
    found = found.assign(lost=found["status"] != Status.CONVERGED).sort_values([*STREAMS, "lost", "run_id"])
    once = found.drop_duplicates(list(STREAMS))
    survivors = once[once["status"] == Status.CONVERGED]
    if len(survivors) > MOST_RUNS:
        unknown = (math.nan, math.nan, math.nan)
        components = tuple(component(s, unknown, math.nan, f"more than {MOST_RUNS} runs") for s in (*pair, REST, TOTAL))
    else:
        generator = np.random.default_rng(int(digest([*key, name]), 16))
        components = crossed(survivors[list(pair)].to_numpy(dtype=np.int64), _scores(survivors), pair, generator)
    return name, [Line(one, *_counts(once), _unequal(found)) for one in components]


def _unequal(found: pd.DataFrame) -> str:
    """Says how often runs of the same seeds came out differently, as they may on two machines."""
    outcomes = found.assign(outcome=found["status"].astype(str) + found["score"].astype(str))
    several = int((outcomes.groupby(list(STREAMS))["outcome"].nunique() > 1).sum())
    return f"{several} runs came out differently when repeated: one of each counts" if several else ""


def _counts(runs: pd.DataFrame) -> tuple[int, int]:
    """How many converged and how many failed."""
    converged = int((runs["status"] == Status.CONVERGED).sum())
    return converged, len(runs) - converged


def _scores(runs: pd.DataFrame) -> np.ndarray:
    return numbers(runs[runs["status"] == Status.CONVERGED]["score"])


def _joined(between: str, *parts: str) -> str:
    return between.join(filter(None, parts))
