"""Variance decomposition: components of the score variance by seed stream, from runs with frozen streams."""

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
from bench_lib.report.analysis.tuning import outside_tuning
from bench_lib.report.cells import CELL_ID, Cell, group_runs, numbers, parse_spec
from bench_lib.stats.components import MOST_RUNS, crossed
from bench_lib.stats.variance import REST, TOTAL, Component, component, one_at_a_time

ALWAYS = ("init", "order", "dropout")
"""Streams that vary between the seeds of a leaderboard cell."""
APART = "apart"
"""The design of stream groups without runs that vary all their streams together."""
COMPONENT_COLUMNS = (*CELL_ID, "design", "source", "variance", "low", "high", "share", "runs", "failed", "note")

FrozenSeeds = Mapping[str, int]


@dataclass(frozen=True, eq=False)
class StreamGroup:
    """Judged runs of a cell with the same frozen streams and seeds; one column per stream has its seed."""

    frozen: FrozenSeeds
    runs: pd.DataFrame

    @property
    def varied(self) -> tuple[str, ...]:
        return tuple(stream for stream in STREAMS if stream not in self.frozen)

    def name(self) -> str:
        return "all" if self.varied == STREAMS else "+".join(self.varied)

    def within(self, other: StreamGroup) -> bool:
        """Whether it varies a proper subset of the other's streams, at the same frozen seeds."""
        return set(self.varied) < set(other.varied) and other.frozen.items() <= self.frozen.items()

    def offsets(self, *named: str) -> str:
        """The frozen streams with a seed other than 0, without the named ones."""
        return ", ".join(f"{s}={self.frozen[s]}" for s in STREAMS if self.frozen.get(s) and s not in named)


@dataclass(frozen=True)
class ComponentRow:
    """A component as a table row, with its numbers of converged and failed runs and a note."""

    component: Component
    runs: int
    failed: int
    note: str = ""

    def row(self) -> dict[str, object]:
        one = self.component
        measured = {name: getattr(one, name) for name in ("source", "variance", "low", "high", "share")}
        return {**measured, "runs": self.runs, "failed": self.failed, "note": _join("; ", one.note, self.note)}


Design = tuple[str, list[ComponentRow]]


def variance_components(frame: pd.DataFrame) -> pd.DataFrame:
    """One row per cell, design and source of variance, for cells with runs that freeze streams in turn.

    Columns are `COMPONENT_COLUMNS`; variances are of scores as fractions, with intervals at 95 %; runs that
    failed in training are counted and left out. A design is named after the streams of its `total`, such as
    `init+order` or `all`: its sources are the smallest varied sets of these streams (`one_at_a_time`). It is `apart`
    without a total. `init x order` is a grid of two streams (`crossed`), in which one run counts for each seed pair.
    Raises `BadStore` as `group_runs` does, and for a spec without its frozen streams.
    """
    rows = [
        {**cell.id_fields(), "design": design, **line.row()}
        for cell in group_runs(_with_stream_seeds(_with_frozen_streams(outside_tuning(frame))))
        for design, lines in _designs(cell)
        for line in lines
    ]
    return pd.DataFrame(rows, columns=list(COMPONENT_COLUMNS))


def ordinary(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs of ordinary cells: without trials, and those that freeze init, order or dropout to decompose variance.

    Runs that freeze the subset, the augmentation or nothing are included.
    """
    frame = outside_tuning(frame)
    specs = frame["spec"].astype("category").cat
    keep = [not _frozen_seeds(str(text)).keys() & set(ALWAYS) for text in specs.categories]
    return frame[np.array(keep, dtype=bool)[specs.codes]]


def _with_frozen_streams(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs whose spec differs from another only in the frozen streams, or freezes init, order or dropout."""
    specs = frame["spec"].astype("category").cat
    frozen_by_spec: dict[str, set[str]] = {}
    for text in map(str, specs.categories):
        frozen_by_spec.setdefault(_without_seeds(text), set()).add(canonical_json(_frozen_seeds(text)))
    keep = [
        len(frozen_by_spec[_without_seeds(text)]) > 1 or bool(_frozen_seeds(text).keys() & set(ALWAYS))
        for text in map(str, specs.categories)
    ]
    return frame[np.array(keep, dtype=bool)[specs.codes]]


def _with_stream_seeds(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs with one column per stream for its seed, and without frozen streams in their specs."""
    frozen_by_run = [_frozen_seeds(str(text)) for text in frame["spec"]]
    seeds = [int(seed) for seed in frame["seed"]]
    columns = {s: [frozen.get(s, seed) for frozen, seed in zip(frozen_by_run, seeds, strict=True)] for s in STREAMS}
    frozen = [canonical_json(one) for one in frozen_by_run]
    return frame.assign(**columns, frozen=frozen, spec=[_without_seeds(str(text)) for text in frame["spec"]])


@functools.lru_cache(maxsize=2**16)
def _frozen_seeds(text: str) -> FrozenSeeds:
    """The seed of each frozen stream of a spec."""
    frozen = parse_spec(text).get("frozen")
    if not isinstance(frozen, Mapping) or not all(s in STREAMS and isinstance(seed, int) for s, seed in frozen.items()):
        raise BadStore(f"a run's spec does not say which of {', '.join(STREAMS)} are frozen, and where: {text[:60]!r}")
    return frozen


def _without_seeds(text: str) -> str:
    return canonical_json({name: part for name, part in parse_spec(text).items() if name not in ("frozen", "seed")})


def _designs(cell: Cell) -> Iterator[Design]:
    """The decompositions of a cell: within each total, of the groups without a total, and of grids."""
    groups = _stream_groups(cell)
    grids = list(_grids(groups))
    grouped = [group for _, lines in grids for group in lines]
    for total in groups:
        inside = [group for group in groups if group.within(total)]
        if inside:
            grouped += [total, *inside]
            yield _join(", ", total.name(), total.offsets()), _one_at_a_time(inside, total)
    apart = [group for group in groups if group not in grouped and group.frozen.keys() & set(ALWAYS)]
    if apart:
        yield APART, _one_at_a_time(apart, None)
    for pair, lines in grids:
        yield _grid(pair, lines, cell.cell_id)


def _stream_groups(cell: Cell) -> list[StreamGroup]:
    """Stream groups, sorted by the number of varied streams, then by the frozen seeds."""
    judged = cell.runs[cell.runs["status"].isin([str(s) for s in Status if s.completed])]
    frozen = [json.loads(text) for text in sorted(set(cell.runs["frozen"]))]
    groups = [
        StreamGroup(seeds, judged[judged["frozen"] == canonical_json(seeds)])
        for seeds in frozen
        if len(seeds) < len(STREAMS)
    ]
    seeds_of = {group: [group.frozen.get(stream, -1) for stream in STREAMS] for group in groups}
    return sorted(groups, key=lambda g: (len(g.varied), [seed >= 0 for seed in seeds_of[g]], seeds_of[g]))


def _grids(groups: Iterable[StreamGroup]) -> Iterator[tuple[tuple[str, str], list[StreamGroup]]]:
    """Pairs of streams, one varied at several seeds of the other, with the groups that vary either alone."""
    for pair in combinations(STREAMS, 2):
        grids: dict[str, list[StreamGroup]] = {}
        for group in groups:
            if len(group.varied) == 1 and group.varied[0] in pair:
                others = canonical_json({s: seed for s, seed in group.frozen.items() if s not in pair})
                grids.setdefault(others, []).append(group)
        for lines in grids.values():
            if max(Counter(group.varied for group in lines).values()) > 1:
                yield pair, lines


def _one_at_a_time(inside: Sequence[StreamGroup], total: StreamGroup | None) -> list[ComponentRow]:
    """Components of the smallest stream groups, each at its first reference seeds, against their total."""
    parts = [group for group in inside if not any(other.within(group) for other in inside)]
    places = Counter(group.name() for group in parts)
    chosen: dict[str, StreamGroup] = {}
    for group in parts:
        chosen.setdefault(group.name(), group)
    components = one_at_a_time({n: _scores(a.runs) for n, a in chosen.items()}, _scores(total.runs) if total else ())
    sources = [
        ComponentRow(one, *_counts(group.runs), _note(group, places[one.source], total))
        for one, group in zip(components, chosen.values(), strict=False)
    ]
    if total is None:
        return sources
    rest, whole = components[-2:]
    streams = Counter(stream for group in chosen.values() for stream in group.varied)
    twice = ", ".join(stream for stream, count in streams.items() if count > 1)
    last = ComponentRow(whole, *_counts(total.runs))
    runs, failed = (sum(getattr(line, name) for line in [*sources, last]) for name in ("runs", "failed"))
    return [*sources, ComponentRow(rest, runs, failed, f"{twice} counted in several sources" if twice else ""), last]


def _note(group: StreamGroup, places: int, total: StreamGroup | None) -> str:
    offsets = group.offsets(*(total.frozen if total else ()))
    several = f"one of {places} references" if places > 1 else ""
    return _join("; ", offsets and f"at {offsets}", several, "" if total else "no runs vary it together with others")


def _grid(pair: tuple[str, str], lines: Sequence[StreamGroup], key: tuple[str, ...]) -> Design:
    name = _join(", ", " x ".join(pair), lines[0].offsets(*pair))
    found = pd.concat([group.runs for group in lines if len(group.runs)] or [lines[0].runs])
    found = found.assign(lost=found["status"] != Status.CONVERGED).sort_values([*STREAMS, "lost", "run_id"])
    once = found.drop_duplicates(list(STREAMS))
    survivors = once[once["status"] == Status.CONVERGED]
    if len(survivors) > MOST_RUNS:
        unknown = (math.nan, math.nan, math.nan)
        components = tuple(component(s, unknown, math.nan, f"more than {MOST_RUNS} runs") for s in (*pair, REST, TOTAL))
    else:
        generator = np.random.default_rng(int(digest([*key, name]), 16))
        components = crossed(survivors[list(pair)].to_numpy(dtype=np.int64), _scores(survivors), pair, generator)
    return name, [ComponentRow(one, *_counts(once), _unequal(found)) for one in components]


def _unequal(found: pd.DataFrame) -> str:
    """A note with the number of seeds whose repeated runs differ, as they may between machines."""
    outcomes = found.assign(outcome=found["status"].astype(str) + found["score"].astype(str))
    several = int((outcomes.groupby(list(STREAMS))["outcome"].nunique() > 1).sum())
    return f"{several} runs came out differently when repeated: one of each counts" if several else ""


def _counts(runs: pd.DataFrame) -> tuple[int, int]:
    """Numbers of converged and of failed runs."""
    converged = int((runs["status"] == Status.CONVERGED).sum())
    return converged, len(runs) - converged


def _scores(runs: pd.DataFrame) -> np.ndarray:
    return numbers(runs[runs["status"] == Status.CONVERGED]["score"])


def _join(between: str, *parts: str) -> str:
    return between.join(filter(None, parts))
