"""A plan: sweeps, tunings and contrasts under limits, and which of them wait for others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import NamedTuple

from bench_lib.comparison.contrasts import Contrasts, paired
from bench_lib.core.errors import BadPlan, BenchError, Problems, UnknownName
from bench_lib.core.spec import RunSpec
from bench_lib.runner.grid import Grid, plan, runs_of
from bench_lib.runner.limits import Limits
from bench_lib.runner.sweep import check_weights
from bench_lib.runner.trials import Arm, parse_arm
from bench_lib.runner.tuning import plan_tuning, trials_of
from bench_lib.store import Store
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack


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

    Contrasts come last, and sweeps that wait for a tuning after it.
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
    def waiting(self) -> tuple[str, ...]:
        """The sweeps and contrasts with a tuned arm whose trials the plan makes."""
        tuned = set[ArmCell]().union(*(tuning.arms() for tuning in self.tunings.values()))
        parts = {**self.sweeps, **{name: contrasts_grid(contrasts, 1) for name, contrasts in self.contrasts.items()}}
        return tuple(name for name, grid in parts.items() if _tuned_arms(grid) & tuned)

    def checked_runs(self, store: Store) -> dict[str, list[RunSpec]]:
        """The runs of each sweep that waits for no tuning.

        Raises `BadPlan` with all reasons why runs of the plan cannot succeed, of the parts that wait for no tuning.
        """
        problems, stored = Problems(), store.ids()
        found: dict[str, list[RunSpec]] = {}
        earlier: set[str] = set()
        for name, grid in self.sweeps.items():
            if name in self.waiting:
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
            if name not in self.waiting:
                with problems.at(f"{self.path}, {name}") as own:
                    own.of(paired, contrasts)
        problems.refuse()
        return found

    def runs(self, store: Store) -> dict[str, list[RunSpec]]:
        """The runs of each part, those of contrasts on all of their seeds, without trying what can succeed.

        Without the parts that wait for a tuning, until its trials are stored.
        """
        tunings = {name: trials_of(*tuning) for name, tuning in self.tunings.items()}
        tuned = not any(tuning.missing for planned in tunings.values() for tuning in planned.tunings(store))
        contrasts = {name: contrasts_grid(contrasts, contrasts.max_seeds) for name, contrasts in self.contrasts.items()}
        problems = Problems()
        found = {}
        for name, grid in {**self.sweeps, **contrasts}.items():
            if tuned or name not in self.waiting:
                with problems.at(f"{self.path}, {name}") as own:
                    found[name] = own.of(runs_of, grid) or []
        problems.refuse()
        trials = {name: list(planned.trials) for name, planned in tunings.items()}
        names = (*self.sweeps, *self.tunings, *self.contrasts)
        return {name: {**found, **trials}[name] for name in names if name in {**found, **trials}}


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
