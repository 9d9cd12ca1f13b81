"""A plan as a report reads it: the progress of its parts, and its contrasts by the ids of their first runs."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.comparison.contrasts import Contrasts, family_of, paired
from bench_lib.plans.plan import Plan
from bench_lib.plans.plan_file import read_plan
from bench_lib.plans.status import PartStatus, part_statuses
from bench_lib.report.analysis.declared import DeclaredContrast, DeclaredFamily, DeclaredPlan, PartProgress
from bench_lib.runner.grid import runs_of
from bench_lib.store import Store
from bench_lib.store.parquet import KEPT, Reduction
from bench_lib.tasks import TASKS

DATA = '"data":"(?P<data>[^"]*)"'
"""The fingerprint of a run's data in the canonical JSON of its spec."""

NOT_STORED = "not stored"
"""In place of the fingerprint of data that no stored run is on: no fingerprint, so that no id is a stored one."""


def declared_in(file: Path, data: str | None, store: Store) -> DeclaredPlan:
    """What a plan's file declares, on the data of the stored runs unless others are named."""
    plan = read_plan(file, data, str(store.root))
    return declared_plan(plan if data else on_stored_data(plan, store), store)


def declared_plan(plan: Plan, store: Store) -> DeclaredPlan:
    """What a plan declares, and how far its parts are in a store; nothing is run, and no data are tried.

    Contrasts that wait for a tuning are left out until its trials are stored.
    """
    cells = plan.cells(store)
    parts, whole = part_statuses(cells, store)
    families = [_family(name, contrasts) for name, contrasts in plan.contrasts.items() if name in cells]
    waiting = [name for name in plan.waiting if name not in cells]
    return DeclaredPlan(plan.title, [_progress(part) for part in parts], _progress(whole), waiting, families)


def on_stored_data(plan: Plan, store: Store) -> Plan:
    """The plan on the data of the stored runs, which are not read.

    Nor are those of a task without stored runs: no run of the plan on it can be there. Where a task's runs were on
    different data, the plan's own are read, as a user's own tasks are.
    """
    stored = _stored_data(store)
    known = {task: data[0] for task, data in stored.items() if len(data) == 1}
    return plan.on_data({**{task: NOT_STORED for task in TASKS.names() if task not in stored}, **known})


def _stored_data(store: Store) -> dict[str, list[str]]:
    """The fingerprints of the data of the stored runs, by task."""
    found = store.table(Reduction((*KEPT, "spec"), _with_data)).group_by(["task", "data"]).aggregate([])
    known: dict[str, list[str]] = {}
    for row in found.to_pylist():
        if row["data"] is not None:
            known.setdefault(row["task"], []).append(row["data"])
    return known


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
