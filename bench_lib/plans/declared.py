"""A plan as a report reads it: the progress of its parts, and its contrasts by the ids of their first runs."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.comparison.contrasts import Contrasts, family_of, paired
from bench_lib.plans.plan import Plan
from bench_lib.plans.status import PartStatus, part_statuses
from bench_lib.report.analysis.declared import DeclaredContrast, DeclaredFamily, DeclaredPlan, PartProgress
from bench_lib.runner.grid import runs_of
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction

DATA = '"data":"(?P<data>[^"]*)"'
"""The fingerprint of a run's data in the canonical JSON of its spec."""


def declared_plan(plan: Plan, store: Store) -> DeclaredPlan:
    """What a plan declares, and how far its parts are in a store; nothing is run, and no data are tried.

    Contrasts that wait for a tuning are left out until its trials are stored.
    """
    cells = plan.cells(store)
    parts, whole = part_statuses(cells, store)
    families = [_family(name, contrasts) for name, contrasts in plan.contrasts.items() if name in cells]
    waiting = [name for name in plan.waiting if name not in cells]
    return DeclaredPlan(plan.title, [_progress(part) for part in parts], _progress(whole), waiting, families)


def stored_data(store: Store) -> dict[str, str]:
    """The fingerprint of the data by task, for tasks whose stored runs all were on the same data."""
    found = store.table(Reduction((*KEPT, "spec"), _with_data)).group_by(["task", "data"]).aggregate([])
    known: dict[str, list[str]] = {}
    for row in found.to_pylist():
        if row["data"] is not None:
            known.setdefault(row["task"], []).append(row["data"])
    return {task: data[0] for task, data in known.items() if len(data) == 1}


def _with_data(table: pa.Table) -> pa.Table:
    # No part of canonical JSON before it can hold this text; imported scores are on data of which nothing is known.
    found = pc.extract_regex(table["spec"], DATA)
    return table.select(KEPT).append_column("data", pc.struct_field(found, "data"))


def _progress(part: PartStatus) -> PartProgress:
    return PartProgress(part.name, part.runs, {str(status): number for status, number in part.statuses.items()})


def _family(name: str, contrasts: Contrasts) -> DeclaredFamily:
    pairs, family = paired(contrasts, runs_of).values(), family_of(contrasts)
    declared = []
    for pair in pairs:
        ours, theirs = pair.ids(family.seeds[0])
        declared.append(DeclaredContrast((ours, theirs), *pair.names()))
    comparison = family.comparison(pairs)
    return DeclaredFamily(name, comparison, declared, family.alpha, family.margins, family.seeds, family.least_chance)
