"""Verdicts of sequential comparisons: the looks that a store has a record of, or that a plan declares.

They are taken again from the stored runs, with the functions of `stats.looks` by which the comparison took them.
"""

from __future__ import annotations

import bisect
import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Status
from bench_lib.core.spec import digest
from bench_lib.report.analysis.declared import DeclaredContrast, DeclaredFamily
from bench_lib.report.analysis.summary import baseline_cells
from bench_lib.report.analysis.verdicts import MEASURES, measures, paired_samples
from bench_lib.report.cells import CELL_ID, Cell, split_cells
from bench_lib.report.glossary import LOOKS
from bench_lib.stats.design import Design, Margins, staged
from bench_lib.stats.looks import FamilyVerdicts, permutation_seed, power_generator
from bench_lib.stats.reach import LEAST_CHANCE
from bench_lib.stats.verdict import PairedSamples
from bench_lib.store import Looks, Store, read_looks, recorded_looks

CellId = tuple[str, ...]


@dataclass(frozen=True, eq=False)
class FamilyOutcome:
    """The contrasts of a family: number, how many are decided, and the `MEASURES` of those with a look, by cell id.

    Cell ids are of a technique's and its baseline's cell. `name` is empty for a family that no plan names; `baselines`
    are the names of what the techniques are compared with.
    """

    name: str
    baselines: Sequence[str]
    contrasts: int
    decided: int
    measures: Mapping[tuple[CellId, CellId], tuple[Any, ...]]


@dataclass(frozen=True, eq=False)
class _Located:
    """A declared contrast with its cells; None where its first run is not stored."""

    declared: DeclaredContrast
    cells: tuple[Cell, Cell] | None

    def complete(self, seeds: Sequence[int]) -> bool:
        return self.cells is not None and all(set(seeds) <= set(cell.seeds) for cell in self.cells)

    def declined(self, seeds: Sequence[int]) -> bool:
        """Whether a run of these seeds was declined."""
        asked = set(seeds)
        runs = [run for cell in self.cells or () for run in zip(cell.seeds, cell.statuses, strict=True)]
        return any(seed in asked and status == Status.UNSUPPORTED for seed, status in runs)


def outcomes(known: pd.DataFrame, store: Store, declared: Sequence[DeclaredFamily]) -> list[FamilyOutcome]:
    """The outcomes of declared families, then of those that the store has a record of, the largest first.

    `known` are the runs with cell ids and run ids. Of declared families all looks are taken that their stored runs
    allow, of the others those that were taken before.
    """
    recorded = recorded_looks(store.root)
    if not declared and not recorded:
        return []
    wanted = [(family, read_looks(store.root, family.comparison), len(family.seeds)) for family in declared]
    ours = {digest(family.comparison) for family, _, _ in wanted}
    others = [_recorded(comparison, looks, store) for comparison, looks in recorded if digest(comparison) not in ours]
    found = [(family, looks, looks.taken) for family, looks in others if family is not None]
    found.sort(key=lambda one: (-len(one[0].contrasts), -one[2], str(one[0].comparison)))
    cells = split_cells(known)
    return [_outcome(family, looks, most, _locate(family, known, cells)) for family, looks, most in (*wanted, *found)]


def overlaid(table: pd.DataFrame, cells: Sequence[Cell], found: Sequence[FamilyOutcome], baseline: str) -> pd.DataFrame:
    """The table of cells with sequential verdicts in place of those of a single look; the first family counts."""
    references = {key: cell.cell_id for key, cell in baseline_cells(cells, baseline).items()}
    chosen: dict[CellId, tuple[Any, ...]] = {}
    for family in found:
        for (ours, theirs), row in family.measures.items():
            if references.get(ours) == theirs:
                chosen.setdefault(ours, row)
    ids = [tuple(key) for key in table[list(CELL_ID)].astype(str).itertuples(index=False, name=None)]
    columns = {name: table[name].tolist() for name in MEASURES}
    for number, key in enumerate(ids):
        if key in chosen:
            for name, value in zip(MEASURES, chosen[key], strict=True):
                columns[name][number] = value
    return table.assign(**columns) if chosen else table


def _recorded(comparison: object, looks: Looks, store: Store) -> tuple[DeclaredFamily | None, Looks]:
    """The family of a record, or None where none of its first runs is in the store."""
    try:
        assert isinstance(comparison, Mapping)
        ids = [(str(ours), str(theirs)) for ours, theirs in comparison["contrasts"]]
        alpha, margins = float(comparison["alpha"]), Margins(*map(float, comparison["margins"]))
    except (AssertionError, KeyError, TypeError, ValueError) as error:
        raise BadStore(f"a record of looks in {store.root} is not of contrasts: {comparison!r:.200}") from error
    records = {record.run_id: record for record in store.records({run_id for pair in ids for run_id in pair})}
    whole = [pair for pair in ids if set(pair) <= records.keys()]
    if not whole or not looks.stages:
        return None, looks
    named = [
        DeclaredContrast((ours, theirs), records[ours].task, records[ours].technique, records[theirs].technique)
        if (ours, theirs) in whole
        else DeclaredContrast((ours, theirs), "", "", "")
        for ours, theirs in ids
    ]
    first = records[whole[0][0]].seed
    # `check` compares one technique and gives nothing up.
    several = len({one.technique for one in named if one.technique}) > 1
    seeds = range(first, first + looks.stages[-1])
    return DeclaredFamily("", comparison, named, alpha, margins, seeds, LEAST_CHANCE if several else 0.0), looks


def _locate(family: DeclaredFamily, known: pd.DataFrame, cells: Sequence[Cell]) -> list[_Located]:
    wanted = {run_id for contrast in family.contrasts for run_id in contrast.ids}
    starts = [cell.rows.start for cell in cells]
    rows = np.flatnonzero(known["run_id"].isin(wanted))
    of_run = {known["run_id"].iloc[row]: cells[bisect.bisect_right(starts, row) - 1] for row in rows.tolist()}
    pairs = [[of_run.get(run_id) for run_id in contrast.ids] for contrast in family.contrasts]
    return [
        _Located(contrast, (ours, theirs) if ours is not None and theirs is not None else None)
        for contrast, (ours, theirs) in zip(family.contrasts, pairs, strict=True)
    ]


def _outcome(family: DeclaredFamily, looks: Looks, most: int, located: Sequence[_Located]) -> FamilyOutcome:
    known, declined = _taken(family, _design(family, looks), most, located)
    verdicts, rows = known.verdicts, {}
    for number, one in enumerate(located):
        if one.cells is not None and known.looked[number]:
            samples = _samples(one, family.seeds[: known.looked[number]])
            missing = _missing(known, number, samples, one.declared.task)
            rows[one.cells[0].cell_id, one.cells[1].cell_id] = measures(verdicts[number], LOOKS, missing)
    decided = sum(verdicts[number].sure or number in declined for number in verdicts)
    baselines = [*dict.fromkeys(one.baseline for one in family.contrasts if one.baseline)]
    return FamilyOutcome(family.name, baselines, len(located), decided, rows)


def _design(family: DeclaredFamily, looks: Looks) -> Design:
    """The design of the looks, as `comparison.looks.Family.design` has it."""
    design = staged(looks.continued(len(family.seeds)), len(family.contrasts), family.alpha, family.margins)
    within = tuple(look for look in design.looks if look <= len(family.seeds))
    return dataclasses.replace(design, looks=within, least_chance=family.least_chance)


def _taken(
    family: DeclaredFamily, design: Design, most: int, located: Sequence[_Located]
) -> tuple[FamilyVerdicts[int], set[int]]:
    """The verdicts after the looks up to `most` seeds that the stored runs allow, and the declined contrasts.

    The looks are those of `comparison.looks.Looking`, where all open contrasts take one before any takes the next. Here
    one goes on while others lack runs: these can only raise its levels by what they reject later, so that what is
    decided stays so.
    """
    names = [(one.declared.task, one.declared.technique, one.declared.baseline) for one in located]
    known = FamilyVerdicts(design, {number: permutation_seed(*name) for number, name in enumerate(names)})
    declined: set[int] = set()
    for before, look in pairwise((0, *(look for look in design.looks if look <= most))):
        left = [number for number in known.undecided() if number not in declined and known.looked[number] == before]
        complete = [number for number in left if located[number].complete(family.seeds[before:look])]
        if not complete:
            break
        seeds = family.seeds[:look]
        known.judge({number: _samples(located[number], seeds) for number in complete}, look)
        declined |= {number for number in complete if located[number].declined(seeds)}
        known.give_up_hopeless({*complete}.intersection(known.undecided()) - declined, look)
    return known, declined


def _samples(one: _Located, seeds: Sequence[int]) -> PairedSamples:
    assert one.cells is not None
    return paired_samples(*one.cells, set(seeds))


def _missing(known: FamilyVerdicts[int], number: int, samples: PairedSamples, task: str) -> float:
    """The seeds that would decide an open contrast, as the comparison itself says."""
    scores = samples.baseline[~np.isnan(samples.baseline)]
    return known.seeds_to_add(number, scores, power_generator(task))
