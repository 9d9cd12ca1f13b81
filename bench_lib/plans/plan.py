"""A plan: sweeps, tunings and contrasts under limits, and which of them wait for others."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple, TypeVar

from bench_lib.comparison.contrasts import Contrasts, paired
from bench_lib.core.errors import BadPlan, BenchError, Problems, UnknownName
from bench_lib.core.spec import RunSpec
from bench_lib.runner.cells import CellRuns
from bench_lib.runner.grid import Grid, cells_of, plan, runs_of
from bench_lib.runner.limits import Limits
from bench_lib.runner.sweep import check_weights
from bench_lib.runner.trials import Arm, outcomes, parse_arm
from bench_lib.runner.tuning import TuningPlan, plan_tuning, trials_of
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack

T = TypeVar("T")


class Tuning(NamedTuple):
    """Techniques that are tuned alike on the tasks and profiles of a grid."""

    grid: Grid
    budget: int

    def arms(self) -> set[ArmCell]:
        """What it tunes."""
        stacks = [parse_stack(text, TECHNIQUES) for text in self.grid.techniques]
        return set(product([Arm(stack, self.budget).label for stack in stacks], self.grid.tasks, self.grid.profile))


ArmCell = tuple[str, str, str]
"""A label such as `mixout[tuned@16]`, with a task and a profile."""


@dataclass(frozen=True)
class Plan:
    """Sweeps, tunings and contrasts, by name and each in their order.

    Contrasts come last, and sweeps that wait for tunings after the last of their own.
    """

    path: Path
    title: str
    limits: Limits
    sweeps: Mapping[str, Grid]
    tunings: Mapping[str, Tuning]
    contrasts: Mapping[str, Contrasts]

    def only(self, names: Sequence[str]) -> Plan:
        """The plan with these of its parts alone; an unknown name raises `BadPlan`."""
        known = (*self.sweeps, *self.tunings, *self.contrasts)
        if unknown := [str(UnknownName("part", name, known)) for name in names if name not in known]:
            raise BadPlan(unknown)
        return dataclasses.replace(
            self,
            sweeps={name: part for name, part in self.sweeps.items() if name in names},
            tunings={name: part for name, part in self.tunings.items() if name in names},
            contrasts={name: part for name, part in self.contrasts.items() if name in names},
        )

    def on_data(self, fingerprints: Mapping[str, str]) -> Plan:
        """The plan on the data with these fingerprints, by task; what is known of them is not read."""
        known = tuple(sorted(fingerprints.items()))
        return dataclasses.replace(
            self,
            sweeps={name: dataclasses.replace(grid, fingerprints=known) for name, grid in self.sweeps.items()},
            tunings={
                name: tuning._replace(grid=dataclasses.replace(tuning.grid, fingerprints=known))
                for name, tuning in self.tunings.items()
            },
            contrasts={name: dataclasses.replace(one, fingerprints=known) for name, one in self.contrasts.items()},
        )

    @property
    def waits(self) -> dict[str, tuple[str, ...]]:
        """The sweeps and contrasts with tuned arms whose trials the plan makes, with the tunings that make them."""
        tuned = {name: tuning.arms() for name, tuning in self.tunings.items()}
        parts = {**self.sweeps, **{name: contrasts_grid(contrasts, 1) for name, contrasts in self.contrasts.items()}}
        needed = {name: _tuned_arms(grid) for name, grid in parts.items()}
        found = {name: tuple(t for t, made in tuned.items() if made & arms) for name, arms in needed.items()}
        return {name: tunings for name, tunings in found.items() if tunings}

    @property
    def waiting(self) -> tuple[str, ...]:
        """The sweeps and contrasts that wait for a tuning of the plan, as long as nothing is stored."""
        return tuple(self.waits)

    def blocked(self, store: Store) -> frozenset[str]:
        """Those of them that lack a trial of one of their own tunings."""
        return self._blocked({name: trials_of(*tuning) for name, tuning in self.tunings.items()}, store)

    def _blocked(self, planned: Mapping[str, TuningPlan], store: Store) -> frozenset[str]:
        waits = self.waits
        asked = {name: planned[name] for tunings in waits.values() for name in tunings}
        known = outcomes(store) if asked else {}
        unfinished = {name for name, one in asked.items() if any(tuning.missing for tuning in one.known(known))}
        return frozenset(name for name, tunings in waits.items() if unfinished.intersection(tunings))

    def checked_runs(self, store: Store) -> dict[str, list[RunSpec]]:
        """The runs of each sweep that lacks no trial of a tuning.

        Raises `BadPlan` with all reasons why runs of the plan cannot succeed, of the parts that lack no trial.
        """
        problems, stored, blocked = Problems(), store.ids(), self.blocked(store)
        found: dict[str, list[RunSpec]] = {}
        earlier: set[str] = set()
        for name, grid in self.sweeps.items():
            if name in blocked:
                continue
            with problems.at(f"{self.path}, {name}") as own:
                found[name] = own.of(plan, grid) or []
                own.of(check_weights, found[name], store)
                own.of(_check_order, found[name], earlier)
            earlier |= {spec.run_id() for spec in found[name] if not spec.keep_weights} - stored
        for name, tuning in self.tunings.items():
            with problems.at(f"{self.path}, {name}") as own:
                own.of(plan_tuning, *tuning)
        for name, contrasts in self.contrasts.items():
            if name not in blocked:
                with problems.at(f"{self.path}, {name}") as own:
                    own.of(paired, contrasts)
        problems.refuse()
        return found

    def runs(self, store: Store) -> dict[str, list[RunSpec]]:
        """The runs of each part, those of contrasts on all of their seeds, without trying what can succeed.

        Without the parts that lack a trial of one of their tunings.
        """
        return self._parts(store, runs_of, lambda planned: [*planned.trials])

    def cells(self, store: Store) -> dict[str, list[CellRuns]]:
        """The same runs by cell, which may be a million."""
        return self._parts(store, cells_of, lambda planned: [CellRuns(one, (one.seed,)) for one in planned.trials])

    def _parts(
        self, store: Store, of_grid: Callable[[Grid], list[T]], of_tuning: Callable[[TuningPlan], list[T]]
    ) -> dict[str, list[T]]:
        tunings = {name: trials_of(*tuning) for name, tuning in self.tunings.items()}
        contrasts = {name: contrasts_grid(contrasts, contrasts.max_seeds) for name, contrasts in self.contrasts.items()}
        blocked, problems = self._blocked(tunings, store), Problems()
        found = {name: of_tuning(planned) for name, planned in tunings.items()}
        for name, grid in {**self.sweeps, **contrasts}.items():
            if name not in blocked:
                with problems.at(f"{self.path}, {name}") as own:
                    found[name] = own.of(of_grid, grid) or []
        problems.refuse()
        return {name: found[name] for name in (*self.sweeps, *self.tunings, *self.contrasts) if name in found}


def _tuned_arms(grid: Grid) -> set[ArmCell]:
    arms = [arm.label for arm in map(parse_arm, grid.techniques) if arm is not None]
    return set(product(arms, grid.tasks, grid.profile))


def _check_order(specs: Sequence[RunSpec], earlier: Set[str]) -> None:
    """Raise `BenchError` for a run whose weights a seed ensemble needs, if an earlier sweep trains it without them."""
    for spec in specs:
        if spec.keep_weights and spec.run_id() in earlier:
            raise BenchError(
                f"a seed ensemble needs the weights of {spec.task} {spec.technique()} seed {spec.seed}, which an "
                "earlier sweep does not keep; move the ensemble to that sweep"
            )


def contrasts_grid(contrasts: Contrasts, seeds: int) -> Grid:
    """The runs of contrasts on their first seeds."""
    numbers = tuple(range(contrasts.first_seed, contrasts.first_seed + seeds))
    return dataclasses.replace(contrasts.grid(""), seeds=numbers, profile=contrasts.profiles)
