"""Two techniques of one store, or two stores, side by side."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.core.record import RunRecord, Status
from bench_lib.report import columns
from bench_lib.report.analysis import runs as stored
from bench_lib.report.analysis.provenance import variants
from bench_lib.report.analysis.results import leaderboard_rows
from bench_lib.report.analysis.variance import ordinary
from bench_lib.report.cells import CELL_ID, GROUP, Cell, add_cell_ids, key_parts, split_cells
from bench_lib.report.values import Row
from bench_lib.store import Store
from bench_lib.store.repeats import differences
from bench_lib.store.schema import to_records

CHUNK = 1000
"""Number of records of each store that are loaded at a time."""

NAME = (*GROUP, "task", "technique")
"""The columns that match cells of two stores, whatever their specs."""


@dataclass(frozen=True, eq=False)
class LoadedStore:
    """A store with its runs, and the cells of its ordinary runs."""

    store: Store
    runs: pd.DataFrame
    cells: Sequence[Cell]


@dataclass(frozen=True)
class Side:
    """One of two cells; scores are fractions, the time is the median of the runs that converged.

    `row` is the cell by column.
    """

    row: Row = field(repr=False)
    label: str
    failed: int
    judged: int
    lost: int
    failure_low: float
    failure_high: float
    mad: float
    minimum: float
    mean: float
    train_seconds: float


@dataclass(frozen=True)
class Pair:
    """Two cells of one group and task, and their comparison on the shared seeds."""

    group: tuple[str, ...]
    task: str
    metric: str
    one: Side
    other: Side
    mean_difference: float
    cost_ratio: float
    mad_ratio: float
    mad_ratio_low: float
    mad_ratio_high: float
    superiority: float
    shared: int
    verdict: str
    verdict_location: str
    decided_by: str


@dataclass(frozen=True)
class MissingRuns:
    """Runs of one cell name that the other store lacks; `whole` if it has no run of that name."""

    name: tuple[str, ...]
    seeds: tuple[int, ...]
    whole: bool


@dataclass(frozen=True)
class Difference:
    """A run with different results in the two stores: the differing fields, both statuses and both scores."""

    run_id: str
    name: tuple[str, ...]
    seed: int
    fields: tuple[str, ...]
    statuses: tuple[str, str]
    scores: tuple[float | None, float | None]


@dataclass(frozen=True)
class ChangedSpec:
    """A cell name with different specs in two stores: the settings that differ, and the comparison on shared seeds."""

    name: tuple[str, ...]
    settings: tuple[str, str]
    pair: Pair | None


@dataclass(frozen=True)
class StoreComparison:
    """The comparison of two stores: runs of one store only, and equal and different runs of both.

    `lost` counts shared runs lost to infrastructure in either store, which are not compared.
    """

    only_one: tuple[MissingRuns, ...]
    only_other: tuple[MissingRuns, ...]
    equal: int
    lost: int
    differing: tuple[Difference, ...]
    changed: tuple[ChangedSpec, ...]


def load(store: Store) -> LoadedStore:
    """Load the runs and cells of a store; a store without runs raises `BenchError`."""
    frame = stored.read(store).frame
    if frame.empty:
        raise BenchError(f"no runs in {store.root}: fill it with `stabbench run --store {store.root}`")
    return LoadedStore(store, add_cell_ids(frame), split_cells(add_cell_ids(ordinary(frame))))


def compare_techniques(known: Sequence[Cell], one: str, other: str) -> list[Pair]:
    """Compare the cells of one technique or label with those of another that have the same task and settings.

    Raises `UnknownName` for a name that no run has, and `BenchError` where the two have no task and setting in common.
    """
    ours, theirs = _cells_named(known, one), _cells_named(known, other)
    if {cell.cell_id for cell in ours} & {cell.cell_id for cell in theirs}:
        raise BenchError(f"{one} and {other} are the same runs: name two different techniques")
    renamed = [*(_rekeyed(cell, technique=one) for cell in ours), *(_rekeyed(cell, technique=other) for cell in theirs)]
    found = _pairs(renamed, one, other)
    if not found:
        places = (f"{name} was run on {_places(cells)}" for name, cells in ((one, ours), (other, theirs)))
        raise BenchError(f"{one} and {other} have no task with the same settings in common: {'; '.join(places)}")
    return found


def compare_stores(one: LoadedStore, other: LoadedStore) -> StoreComparison:
    """Compare two stores run by run."""
    shared = sorted(set(one.runs["run_id"]) & set(other.runs["run_id"]))
    equal, lost, differing = _shared(one, other, shared)
    return StoreComparison(
        only_one=_missing(one.runs, other.runs),
        only_other=_missing(other.runs, one.runs),
        equal=equal,
        lost=lost,
        differing=tuple(differing),
        changed=tuple(_changed(one.cells, other.cells)),
    )


def _cells_named(known: Sequence[Cell], name: str) -> list[Cell]:
    names = [cell.id_fields() for cell in known]
    column = "technique" if any(named["technique"] == name for named in names) else "label"
    found = [cell for cell, named in zip(known, names, strict=True) if named[column] == name]
    if not found:
        raise UnknownName("technique", name, {named[part] for named in names for part in ("technique", "label")})
    return found


def _rekeyed(cell: Cell, **changes: str) -> Cell:
    return dataclasses.replace(cell, cell_id=tuple((cell.id_fields() | changes)[name] for name in CELL_ID))


def _places(cells: Iterable[Cell]) -> str:
    """The tasks and groups of cells, in short form."""
    named = [cell.id_fields() for cell in cells]
    return ", ".join(sorted({f"{n['task']} ({n['data']}, {n['model']}, {n['profile']})" for n in named}))


def _pairs(cells: Sequence[Cell], one: str, other: str) -> list[Pair]:
    """The cells of the technique `one` beside the baseline's, `other`, that the tables and verdicts compare them to."""
    rows = columns.as_rows(leaderboard_rows(cells, other))
    where = (*GROUP, "task", "setting")
    bases = {(*(row[name] for name in where), row["label"]): row for row in rows if row["technique"] == other}
    pairs = [(row, bases.get((*(row[name] for name in where), row["against"]))) for row in rows]
    return [_pair(row, base) for row, base in pairs if base is not None and row["technique"] == one]


def _pair(row: Row, base: Row) -> Pair:
    plain = [f.name for f in dataclasses.fields(Pair) if f.name not in ("group", "one", "other")]
    group = tuple(str(row[name]) for name in GROUP)
    return Pair(group=group, one=_side(row), other=_side(base), **{name: row[name] for name in plain})


def _side(row: Row) -> Side:
    return Side(row, **{f.name: row[f.name] for f in dataclasses.fields(Side) if f.name != "row"})


def _missing(here: pd.DataFrame, there: pd.DataFrame) -> tuple[MissingRuns, ...]:
    absent = here[~here["run_id"].isin(set(there["run_id"]))]
    names = set(there[list(NAME)].itertuples(index=False, name=None))
    groups = absent.groupby(list(NAME), sort=True, observed=True)["seed"]
    return tuple(MissingRuns(key_parts(key), tuple(map(int, seeds)), key not in names) for key, seeds in groups)


def _shared(one: LoadedStore, other: LoadedStore, ids: Sequence[str]) -> tuple[int, int, list[Difference]]:
    """Numbers of equal runs and of runs lost in either store, and the differing runs under their names in the first."""
    names = one.runs.set_index("run_id")[list(NAME)]
    tables = [side.store.table() for side in (one, other)]
    wanted = pa.array(ids, pa.string())
    tables = [table.take(pc.index_in(wanted, table["run_id"])) for table in tables]
    equal, lost, differing = 0, 0, []
    for start in range(0, len(ids), CHUNK):
        for ours, theirs in zip(*(to_records(table.slice(start, CHUNK)) for table in tables), strict=True):
            if not (Status(ours.status).completed and Status(theirs.status).completed):
                lost += 1
            elif fields := differences(ours, theirs):
                differing.append(_difference(ours, theirs, fields, key_parts(tuple(names.loc[ours.run_id]))))
            else:
                equal += 1
    return equal, lost, sorted(differing, key=lambda found: (found.name, found.seed, found.run_id))


def _difference(ours: RunRecord, theirs: RunRecord, fields: Sequence[str], name: tuple[str, ...]) -> Difference:
    statuses, scores = (ours.status, theirs.status), (ours.score, theirs.score)
    return Difference(ours.run_id, name, ours.seed, tuple(fields), statuses, scores)


def _changed(ours: Sequence[Cell], theirs: Sequence[Cell]) -> Iterator[ChangedSpec]:
    """Names with specs in each store that the other lacks; of several specs the one with the most judged runs."""
    mine, others = (_by_name(cells) for cells in (ours, theirs))
    for name in sorted(mine.keys() & others.keys()):
        mine_only = mine[name].keys() - others[name].keys()
        others_only = others[name].keys() - mine[name].keys()
        if mine_only and others_only:
            cells = [_fullest(mine[name], mine_only), _fullest(others[name], others_only)]
            settings = [_readable(str(text)) for text in variants(cells)["settings"]]
            yield ChangedSpec(name, (settings[0], settings[1]), _cross_store_pair(*cells))


def _readable(settings: str) -> str:
    """Settings without the stack index of a technique, and with `version` for its version."""
    return re.sub(r"\bstack\.\d+\.1\.", "", re.sub(r"\bstack\.\d+\.2\b", "version", settings))


def _by_name(cells: Sequence[Cell]) -> dict[tuple[str, ...], dict[str, Cell]]:
    found: dict[tuple[str, ...], dict[str, Cell]] = {}
    for cell in cells:
        named = cell.id_fields()
        found.setdefault(tuple(named[part] for part in NAME), {})[named["variant"]] = cell
    return found


def _fullest(cells: Mapping[str, Cell], variants: Collection[str]) -> Cell:
    return max((cells[variant] for variant in variants), key=lambda cell: (cell.judged(), cell.cell_id))


def _cross_store_pair(ours: Cell, theirs: Cell) -> Pair | None:
    """Compare a cell of each store, whatever their settings; None without shared judged seeds."""
    setting = theirs.id_fields()["setting"]
    cells = [_rekeyed(ours, technique="A", setting=setting), _rekeyed(theirs, technique="B", setting=setting)]
    (pair,) = _pairs(cells, "A", "B")
    return pair if pair.shared else None
