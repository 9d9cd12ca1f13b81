"""Which techniques suit a kind of task and a budget, best first, with the evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.core.spec import digest
from bench_lib.report.analysis.cells import GROUP, KEY, SUFFIX, identity, texts
from bench_lib.report.analysis.evidence import (
    COST,
    FAILURE,
    REGRESSION,
    Evidence,
    Limits,
    Row,
    evidence,
    excess,
    misses,
    proven,
    unproven,
)
from bench_lib.report.analysis.provenance import MACHINE
from bench_lib.stats.verdict import Stability
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, Format

Place = tuple[str, str, str]
"""A task, its setting, and what the baseline's cell is called there."""

Stack = tuple[str, str]
"""A technique's name and a digest of its parameters and versions."""


@dataclass(frozen=True)
class Like:
    """The tasks that are asked for: one by its name (empty for none), and its kind (None where it is not known)."""

    text: str
    task: str
    kind: Format | None

    def among(self, tasks: Collection[str]) -> tuple[str, ...]:
        """Those that count: the task that was named, or where it is not held, all that are of its kind."""
        if self.task in tasks:
            return (self.task,)
        return tuple(sorted(task for task in tasks if self.kind is not None and _kind(task) == self.kind))


@dataclass(frozen=True)
class Candidate:
    """A technique with its evidence, a task each, what is proven of it and what is not, and the limits it misses."""

    name: str
    evidence: tuple[Evidence, ...]
    proven: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    misses: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Advice:
    """What one (data, model, profile) says: the baseline, and all techniques that meet the limits, best first.

    `others` do not meet them, the nearest first. `partly` were judged on some of the tasks only and are not considered.
    """

    asked: Like
    group: tuple[str, ...]
    tasks: tuple[str, ...]
    baseline: Candidate
    found: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    partly: tuple[str, ...]

    @property
    def instead(self) -> str:
        """The task that was named where nothing is known of it, and its kind stands in for it; else nothing."""
        return "" if self.asked.task in self.tasks else self.asked.task

    def removed(self) -> dict[str, int]:
        """How many techniques each limit leaves out, the most first; one may be left out by several."""
        counts = {why: sum(why in other.misses for other in self.others) for why in (COST, FAILURE, REGRESSION)}
        return dict(sorted(((why, n) for why, n in counts.items() if n), key=lambda entry: -entry[1]))


def like(text: str, held: Collection[str]) -> Like:
    """What a task's name, registered or held, or a kind's common name means; else `UnknownName` with the nearest."""
    word = _word(text)
    tasks = sorted({*TASKS.names(), *held})
    for task in tasks:
        if _word(task) == word:
            return Like(text, task, _kind(task))
    for kind in FORMATS:
        if word in kind.aliases:
            return Like(text, "", kind)
    raise UnknownName("task or kind of task", text, [*tasks, *(name for kind in FORMATS for name in kind.aliases)])


def advise(cells: pd.DataFrame, runs: pd.DataFrame, asked: Like, limits: Limits, baseline: str) -> list[Advice]:
    """One advice for each (data, model, profile) that holds the baseline on a task that is asked for.

    The frames are those of `Findings`. Only what was judged on the same tasks is ranked: all of those asked for that
    the group holds of the baseline. A limit must hold on each of them by the point estimate; what is proven less stable
    or lower in its scores on any is left out. The order is by the number of tasks on which it is proven more stable;
    then by failure rate and by the upper end of its interval (means over the tasks); then by MAD ratio and by cost
    (geometric means). Raises `BenchError` where no group is left.
    """
    known = _with_origin(cells, runs)
    judged = known[known["judged"] > 0]
    found = []
    for key, group in judged.groupby(list(GROUP), sort=True):
        tasks = asked.among(set(group[group["technique"] == baseline]["task"]))
        if tasks:
            held = group[group["task"].isin(tasks)].to_dict("records")
            rows: list[Row] = [{str(name): value for name, value in row.items()} for row in held]
            found.append(_advice(asked, texts(key), rows, limits, baseline))
    if not found:
        run_on = ", ".join(sorted(set(judged[judged["technique"] == baseline]["task"]))) or "no task"
        raise BenchError(
            f"no judged run of the baseline {baseline} on tasks like {asked.text!r}, it was run on {run_on}: "
            "run it there, or name another task or baseline"
        )
    return found


def _advice(asked: Like, group: tuple[str, ...], rows: Sequence[Row], limits: Limits, base: str) -> Advice:
    """The advice of the rows of the tasks that count."""
    tasks = tuple(sorted({row["task"] for row in rows}))
    reference: dict[Place, Row] = {
        (row["task"], row["setting"], row["label"]): row for row in rows if row["technique"] == base
    }
    stacks: dict[Stack, list[Row]] = {}
    for row in rows:
        if row["technique"] != base and _partner(row) in reference:
            stacks.setdefault((row["technique"], row["stack"]), []).append(row)
    chosen = {key: _one_each(stacks[key]) for key in sorted(stacks)}
    whole = {key: own for key, own in chosen.items() if len(own) == len(tasks)}
    judged = [_candidate(name, whole[key], reference, limits) for key, name in _names(whole).items()]
    best = _one_each(reference.values())
    return Advice(
        asked,
        group,
        tasks,
        Candidate(base, tuple(evidence(best[task], best[task]) for task in tasks)),
        tuple(sorted((one for one in judged if not one.misses), key=_rank)),
        tuple(sorted((one for one in judged if one.misses), key=lambda one: _distance(one, limits))),
        tuple(sorted({name for name, _ in chosen} - {name for name, _ in whole})),
    )


def _candidate(name: str, own: Mapping[str, Row], reference: Mapping[Place, Row], limits: Limits) -> Candidate:
    bases = {task: reference[_partner(row)] for task, row in sorted(own.items())}
    parts = [(evidence(own[task], base), limits, base) for task, base in bases.items()]
    missed: dict[str, list[str]] = {}
    for part in parts:
        for why, line in misses(*part):
            missed.setdefault(why, []).append(line)
    return Candidate(
        name,
        tuple(one for one, _, _ in parts),
        tuple(line for part in parts for line in proven(*part)),
        tuple(line for part in parts for line in unproven(*part)),
        {why: "; ".join(lines) for why, lines in missed.items()},
    )


def _with_origin(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The cells, each with a digest of its stack and the machines that its runs come from."""
    known = runs[[*KEY, "spec", "provenance"]].drop_duplicates().astype(str)
    stacks = {text: digest(identity(text).get("stack")) for text in known["spec"].unique()}
    machines = {text: tuple(str(json.loads(text).get(key)) for key in MACHINE) for text in known["provenance"].unique()}
    added = known.assign(stack=known["spec"].map(stacks), machines=known["provenance"].map(machines))
    whole = added.groupby(list(KEY)).agg(stack=("stack", "first"), machines=("machines", frozenset)).reset_index()
    return cells.astype(dict.fromkeys(KEY, str)).merge(whole, on=list(KEY), validate="one_to_one")


def _partner(row: Row) -> Place:
    """Where the baseline's cell stands that a row is compared with."""
    return row["task"], row["setting"], row["against"]


def _one_each(rows: Iterable[Row]) -> dict[str, Row]:
    """A row a task: of several settings the one with the most judged runs."""
    return {row["task"]: row for row in sorted(rows, key=lambda row: (row["judged"], row["label"]))}


def _names(whole: Mapping[Stack, Mapping[str, Row]]) -> dict[Stack, str]:
    """What candidates are called: as in the leaderboard, where the tasks agree on that."""
    techniques = [technique for technique, _ in whole]
    names = {}
    for key, own in whole.items():
        labels = {str(row["label"]) for row in own.values()}
        several = f"{key[0]} ({key[1][:SUFFIX]})" if techniques.count(key[0]) > 1 else key[0]
        names[key] = labels.pop() if len(labels) == 1 else several
    return names


def _rank(one: Candidate) -> tuple[float | str, ...]:
    """What sorts first is best; what is not known sorts last."""
    shown = sum(part.verdict == Stability.MORE for part in one.evidence)
    rates = float(np.mean([part.failure_rate for part in one.evidence]))
    upper = float(np.mean([part.failure_high for part in one.evidence]))
    spread = _geometric([part.mad_ratio for part in one.evidence])
    cost = _geometric([part.cost_ratio for part in one.evidence])
    return (-shown, rates, upper, spread, cost, one.name)


def _geometric(ratios: Sequence[float]) -> float:
    """The geometric mean, inf where it is not known."""
    values = np.asarray(ratios, dtype=np.float64)
    if not np.isfinite(values).all():
        return math.inf
    return 0.0 if (values == 0).any() else float(np.exp(np.log(values).mean()))


def _distance(one: Candidate, limits: Limits) -> tuple[object, ...]:
    """How far a candidate is from meeting the limits: what is a regression is the farthest."""
    return REGRESSION in one.misses, max(excess(part, limits) for part in one.evidence), _rank(one)


def _word(text: str) -> str:
    return "-".join(text.lower().replace("_", " ").replace("-", " ").split())


def _kind(task: str) -> Format | None:
    return TASKS.get(task).kind if task in TASKS else None
