"""The noise floor measured: runs made again, as this machine computes and as lesser processors do."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from bench_lib.core.record import RunRecord
from bench_lib.core.spec import RunSpec
from bench_lib.harness.precision import computed_by
from bench_lib.instruments.kernels import VARIABLE, lesser_processors
from bench_lib.instruments.provenance import lesser_kernels, provenance
from bench_lib.report.analysis import runs as stored
from bench_lib.report.analysis.noise import noise_of, repeat_scores
from bench_lib.report.analysis.variance import ordinary
from bench_lib.report.cells import Cell, group_runs
from bench_lib.runner.resolved import resolve_run
from bench_lib.stats.noise import Noise
from bench_lib.store import Store, kind_of_machine, repeats, store_of_repeats
from bench_lib.store.repeats import differences, is_judged

HERE = "as this machine computes"


@dataclass(frozen=True)
class Way:
    """A way to compute: its name, and the environment of the processes that compute so."""

    name: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def kind(self, spec: RunSpec) -> str:
        """The kind of machine on which a run computed this way is made."""
        device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        products = computed_by(device, resolve_run(spec).profile.precision)
        facts = {**provenance(device), **products, **lesser_kernels({**os.environ, **self.environment})}
        if products and VARIABLE in self.environment:
            facts["bf16"] = self.environment[VARIABLE]
        return kind_of_machine(facts)


@dataclass(frozen=True)
class Batch:
    """Runs to be made in new processes of one way, and the store that takes them."""

    title: str
    specs: tuple[RunSpec, ...]
    store: Store
    way: Way


@dataclass(frozen=True)
class Agreement:
    """How the repeats made one way compare: with one another, and with the stored runs.

    `unsteady` are the fields in which results of one run and one kind of machine differ. Of the runs that were stored
    by another kind, `unlike` differ from those, `shifted` in the score, by `most` at most.
    """

    way: str
    runs: int
    results: int
    unsteady: tuple[str, ...]
    compared: int
    unlike: int
    shifted: int
    most: float


def ways() -> list[Way]:
    """This machine as it is, and the lesser processors that its own includes; on a GPU these decide nothing."""
    lesser = {} if torch.cuda.is_available() else lesser_processors()
    return [Way(HERE), *(Way(f"as a processor with {name} at most", found) for name, found in lesser.items())]


def batches(specs: Sequence[RunSpec], store: Store, times: int) -> Iterator[Batch]:
    """The runs, then their repeats: so many results of this machine, and one of each lesser processor.

    Each batch has to be made before the next one is asked for; what is stored is part of it. A stored run of this kind
    of machine is one of its results. Runs that were lost are not repeated.
    """
    here, *lesser = ways()
    yield Batch("the runs", tuple(specs), store, here)
    first = _records(specs, store)
    judged = [spec for spec in specs if is_judged(first[spec.run_id()])]
    for way in (here, *lesser):
        kinds = {spec.run_id(): way.kind(spec) for spec in judged}
        stored_here = {one for one, kind in kinds.items() if kind_of_machine(first[one].provenance) == kind}
        for number in range(1, (times if way is here else 1) + 1):
            wanted = [spec for spec in judged if way is not here or number + (spec.run_id() in stored_here) <= times]
            for kind in dict.fromkeys(kinds[spec.run_id()] for spec in wanted):
                part = tuple(spec for spec in wanted if kinds[spec.run_id()] == kind)
                yield Batch(way.name, part, store_of_repeats(store, kind, number), way)


def agreements(specs: Sequence[RunSpec], store: Store) -> list[Agreement]:
    """How the repeats of these runs compare, for each way of this machine that has some."""
    first = _records(specs, store)
    again = repeats(store)
    found = []
    for way in ways():
        pairs = []
        for spec in specs:
            original, kind = first[spec.run_id()], way.kind(spec)
            of_kind = [r for r in again.get(spec.run_id(), ()) if kind_of_machine(r.provenance) == kind]
            if is_judged(original) and of_kind:
                pairs.append((original, of_kind, kind))
        if pairs:
            found.append(_agreement(way.name, pairs))
    return found


def noise_by_cell(specs: Sequence[RunSpec], store: Store) -> list[tuple[Cell, Noise]]:
    """The noise of every cell of these runs, with all of its stored seeds."""
    wanted = {spec.run_id() for spec in specs}
    again = repeat_scores(store)
    cells = group_runs(ordinary(stored.read(store).frame))
    return [(cell, noise_of(cell, again)) for cell in cells if wanted & set(cell.texts("run_id"))]


def _records(specs: Sequence[RunSpec], store: Store) -> dict[str, RunRecord]:
    return {record.run_id: record for record in store.records([spec.run_id() for spec in specs])}


def _agreement(way: str, pairs: Sequence[tuple[RunRecord, list[RunRecord], str]]) -> Agreement:
    unsteady: dict[str, None] = {}
    results = compared = unlike = 0
    shifts = []
    for original, again, kind in pairs:
        same = kind_of_machine(original.provenance) == kind
        results += len(again) + same
        reference = original if same else again[0]
        for record in again:
            unsteady |= dict.fromkeys(differences(reference, record))
        if not same:
            compared += 1
            unlike += bool(differences(original, again[0]))
            if original.score is not None and again[0].score is not None:
                shifts.append(abs(original.score - again[0].score))
    shifted = sum(shift > 0 for shift in shifts)
    return Agreement(way, len(pairs), results, tuple(unsteady), compared, unlike, shifted, max(shifts, default=0.0))
