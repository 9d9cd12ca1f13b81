"""Outcomes of published claims: supported, contradicted, undecided or not tested by the verdicts of a store."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench_lib.report.analysis.claim_contrasts import Contrast, Outcome, bearing, reversed_row
from bench_lib.report.analysis.claim_settings import Difference, differences, is_same_model, train_examples
from bench_lib.report.analysis.published_claims import Claim, Effect
from bench_lib.report.cells import CELL_ID, parse_spec
from bench_lib.report.columns import as_rows
from bench_lib.report.glossary import LEAST
from bench_lib.report.values import Row
from bench_lib.tasks import TASKS

PLAIN = frozenset({"adamw", "bertadam"})
"""Plain fine-tuning with and without Adam's bias correction: as baseline of a claim, one stands in for the other."""


@dataclass(frozen=True)
class Finding:
    """A claim and its outcome, with the contrasts behind it and the differences from the paper's setting.

    `reason` says why it is not tested, or what leaves it undecided beside too few seeds.
    """

    name: str
    claim: Claim
    outcome: Outcome
    reason: str = ""
    contrasts: tuple[Contrast, ...] = ()
    differences: tuple[Difference, ...] = ()

    @property
    def missing(self) -> int:
        """The fewest seeds that a claim lacks on one of its tasks; 0 if it is decided, or not by more seeds."""
        is_open = all(one.outcome is Outcome.UNDECIDED for one in self.contrasts)
        return min((one.missing for one in self.contrasts if one.missing), default=0) if is_open else 0


def findings(claims: Mapping[str, Claim], cells: pd.DataFrame, runs: pd.DataFrame, baseline: str) -> list[Finding]:
    """The outcome of each claim in the tables of a `Summary`: decided ones first, then those that lack fewest seeds.

    A claim is held against verdicts of the leaderboard on real data: those of its technique against its baseline, in
    either direction, on tasks of its formats; for each task that of the nearest profile. It is supported or
    contradicted if a contrast says so and no other the opposite.
    """
    compared = _Compared(as_rows(cells[cells["data"] == "real"]), _specs(runs), baseline)
    order = list(Outcome)
    found = [compared.finding(name, claim) for name, claim in claims.items()]
    return sorted(found, key=lambda one: (order.index(one.outcome), one.missing or math.inf, one.name))


@dataclass(frozen=True, eq=False)
class _Compared:
    """The compared cells of a store, their specs by cell id, and the report's baseline."""

    rows: Sequence[Row]
    specs: Mapping[tuple[str, ...], Mapping[str, Any]]
    baseline: str

    def finding(self, name: str, claim: Claim) -> Finding:
        on_task: dict[str, list[Contrast]] = {}
        reason = self._untestable(claim)
        for contrast in () if reason else self._contrasts(claim):
            on_task.setdefault(contrast.task, []).append(contrast)
        if not on_task:
            return Finding(name, claim, Outcome.NOT_TESTED, reason or self._absent(claim))
        chosen = tuple(min(on_task[task], key=lambda one: _distance(one, claim)) for task in sorted(on_task))
        decided = {one.outcome for one in chosen} - {Outcome.UNDECIDED}
        outcome = next(iter(decided)) if len(decided) == 1 else Outcome.UNDECIDED
        reason = _open_reason(claim, chosen) if outcome is Outcome.UNDECIDED else ""
        return Finding(name, claim, outcome, reason, chosen, tuple(differences(claim, chosen)))

    def _untestable(self, claim: Claim) -> str:
        """Why no run could test a claim in this report; else empty."""
        if not claim.formats:
            return f"the suite has no tasks like the paper's: {', '.join(claim.tasks)}"
        if self.baseline in (claim.technique, claim.baseline) or {self.baseline, claim.baseline} <= PLAIN:
            return ""
        return f"this report compares with {self.baseline}, not with {claim.baseline}"

    def _absent(self, claim: Claim) -> str:
        other = claim.baseline if claim.technique == self.baseline else claim.technique
        return f"no runs of {other} beside {self.baseline} on its kind of task with real data"

    def _contrasts(self, claim: Claim) -> Iterator[Contrast]:
        """The contrasts of a claim's technique with its baseline on tasks of its formats."""
        turned = claim.technique == self.baseline
        name = claim.baseline if turned else claim.technique
        bases = {_place(row, row["label"]): row for row in self.rows if row["technique"] == self.baseline}
        for row in self.rows:
            base = bases.get(_place(row, row["against"]))
            if base is None or not row["shared"] or not _is_of(row["technique"], name) or not _has_format(row, claim):
                continue
            spec = self.specs[tuple(str(row[part]) for part in CELL_ID)]
            size = train_examples(spec, str(row["task"]))
            if size == 0:  # scores before training
                continue
            ours, theirs = (reversed_row(row, base), row) if turned else (row, base)
            version = tuple(int(part[2]) if part[2].isdecimal() else 0 for part in spec.get("stack", []))
            yield Contrast(ours, theirs, size, version, bearing(claim.effect, ours, theirs))


def _specs(runs: pd.DataFrame) -> dict[tuple[str, ...], Mapping[str, Any]]:
    known = runs[[*CELL_ID, "spec"]].astype(str).drop_duplicates(subset=list(CELL_ID))
    return {tuple(row[:-1]): parse_spec(row[-1]) for row in known.itertuples(index=False, name=None)}


def _place(row: Row, label: str) -> tuple[str, ...]:
    return (*(str(row[name]) for name in ("model", "profile", "task", "setting")), label)


def _is_of(technique: str, name: str) -> bool:
    """Whether a technique is the named one, with its defaults or with settings."""
    return technique == name or technique.startswith(f"{name}:")


def _has_format(row: Row, claim: Claim) -> bool:
    """Whether a cell's task has one of a claim's formats; tasks that are not registered have none."""
    return row["task"] in TASKS and str(TASKS.get(str(row["task"])).kind) in claim.formats


def _distance(contrast: Contrast, claim: Claim) -> tuple[Any, ...]:
    """Sort key, the nearest to the paper's setting first: by model, size, and then a profile without settings.

    All examples of a task, whose number is not known, are farther than any number. A longer name of a profile has
    settings of its own, or is a stress test. Of several versions the newest counts.
    """
    ours, theirs = contrast.train_examples, claim.train_examples
    size = 0.0 if theirs is None else math.inf if ours is None else abs(math.log(ours / theirs))
    model, profile, label = (str(contrast.row[name]) for name in ("model", "profile", "label"))
    newest = tuple(-version for version in contrast.version)
    return not is_same_model(model, claim.models), size, len(profile), newest, -contrast.shared, profile, model, label


def _open_reason(claim: Claim, contrasts: Sequence[Contrast]) -> str:
    """What leaves a claim undecided beside too few seeds; may be empty."""
    if any(one.outcome is not Outcome.UNDECIDED for one in contrasts):
        return "the tasks contradict each other"
    if claim.effect == Effect.FEWER_FAILURES and not any(one.base["failed"] for one in contrasts):
        return f"no run of {contrasts[0].base['technique']} failed, so that none can be saved"
    most = max(one.shared for one in contrasts)
    return "" if most < LEAST else f"{most} seeds do not settle it"
