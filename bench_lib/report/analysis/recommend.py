"""Which techniques suit a kind of task and a budget, best first, with the evidence."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.core.examples import Kind
from bench_lib.core.spec import digest
from bench_lib.report.analysis.evidence import (
    COST,
    FAILURE,
    REGRESSION,
    Conclusion,
    Evidence,
    Limits,
    conclusions,
    evidence,
    excess,
    misses,
    proven,
    unproven,
)
from bench_lib.report.analysis.provenance import MACHINE
from bench_lib.report.cells import CELL_ID, GROUP, SUFFIX, key_parts, parse_spec
from bench_lib.report.columns import as_rows
from bench_lib.report.values import Row
from bench_lib.tasks import TASKS

KINDS: Mapping[Kind, tuple[str, ...]] = {
    Kind.SEQUENCE: (
        *("classification", "text-classification", "sequence-classification", "sequence", "text", "sentiment"),
        *("nli", "entailment", "paraphrase", "acceptability", "glue"),
    ),
    Kind.TOKENS: ("ner", "tagging", "tokens", "token-classification", "sequence-labelling", "sequence-labeling"),
    Kind.SPAN: ("qa", "question-answering", "extractive-qa", "reading-comprehension", "span", "spans"),
}
"""What a kind of task is commonly called."""

Place = tuple[str, str, str]
"""A task, its setting, and what the baseline's cell is called there."""

Stack = tuple[str, str]
"""A technique's name and a digest of its parameters and versions."""


@dataclass(frozen=True)
class TaskQuery:
    """The tasks that are asked for: one by its name (empty for none), and its kind (None where it is not known).

    With `every` all tasks are asked for.
    """

    text: str
    task: str = ""
    kind: Kind | None = None
    every: bool = False

    def among(self, tasks: Collection[str]) -> tuple[str, ...]:
        """Those that count: the task that was named, or where it is not held, all that are of its kind."""
        if self.every:
            return tuple(sorted(tasks))
        if self.task in tasks:
            return (self.task,)
        return tuple(sorted(task for task in tasks if self.kind is not None and _kind(task) is self.kind))


@dataclass(frozen=True)
class Candidate:
    """A technique with its evidence, a task each, what is proven of it and what is not, and the limits it misses.

    `name` is what it is called here; several may be of one `technique`.
    """

    name: str
    technique: str
    evidence: tuple[Evidence, ...]
    proven: tuple[str, ...] = ()
    unproven: tuple[str, ...] = ()
    misses: Mapping[str, str] = field(default_factory=dict)

    @property
    def gains(self) -> int:
        """The number of tasks on which it is proven more stable."""
        return sum(Conclusion.STEADIER in conclusions(part.row) for part in self.evidence)


@dataclass(frozen=True)
class Recommendation:
    """What one (data, model, profile) says: the baseline, and all techniques that meet the limits, best first.

    `others` do not meet them, the nearest first. `partly` were judged on some of the tasks only and are not ranked.
    """

    asked: TaskQuery
    group: tuple[str, ...]
    tasks: tuple[str, ...]
    baseline: Candidate
    found: tuple[Candidate, ...]
    others: tuple[Candidate, ...]
    partly: tuple[Candidate, ...]

    @property
    def instead(self) -> str:
        """The task that was named where nothing is known of it, and its kind stands in for it; else nothing."""
        return "" if self.asked.task in self.tasks else self.asked.task

    def removed(self) -> dict[str, int]:
        """How many techniques each limit leaves out, the most first; one may be left out by several."""
        counts = {why: sum(why in other.misses for other in self.others) for why in (COST, FAILURE, REGRESSION)}
        return dict(sorted(((why, n) for why, n in counts.items() if n), key=lambda entry: -entry[1]))


def task_query(text: str, held: Collection[str]) -> TaskQuery:
    """What a task's name, registered or held, or a kind's common name means; else `UnknownName` with the nearest."""
    word = _word(text)
    tasks = sorted({*TASKS.names(), *held})
    for task in tasks:
        if _word(task) == word:
            return TaskQuery(text, task, _kind(task))
    for kind, names in KINDS.items():
        if word in names:
            return TaskQuery(text, "", kind)
    raise UnknownName("task or kind of task", text, [*tasks, *(name for names in KINDS.values() for name in names)])


def recommend(
    cells: pd.DataFrame, runs: pd.DataFrame, asked: TaskQuery, limits: Limits, baseline: str
) -> list[Recommendation]:
    """One recommendation for each (data, model, profile) that holds the baseline on a task that is asked for.

    The frames are those of `Summary`. Only what was judged on the same tasks is ranked: all of those asked for that
    the group holds of the baseline. A limit must hold on each of them by the point estimate; what is proven less stable
    or lower in its scores on any is left out. The order is by the number of tasks on which it is proven more stable;
    then by failure rate and by the upper end of its interval (means over the tasks); then by MAD ratio and by cost
    (geometric means). Raises `BenchError` where no group is left.
    """
    found = list(_by_group(cells, runs, asked, limits, baseline))
    if not found:
        held = cells[(cells["technique"] == baseline) & (cells["judged"] > 0)]["task"]
        run_on = ", ".join(sorted(set(held.astype(str)))) or "no task"
        raise BenchError(
            f"no judged run of the baseline {baseline} on tasks like {asked.text!r}, it was run on {run_on}: "
            "run it there, or name another task or baseline"
        )
    return found


def over_all_tasks(cells: pd.DataFrame, runs: pd.DataFrame, baseline: str) -> dict[tuple[str, ...], Recommendation]:
    """What `recommend` says of all tasks of a group without limits, for each group that judged the baseline."""
    asked = TaskQuery("all tasks", every=True)
    return {one.group: one for one in _by_group(cells, runs, asked, Limits(), baseline)}


def _by_group(
    cells: pd.DataFrame, runs: pd.DataFrame, asked: TaskQuery, limits: Limits, baseline: str
) -> Iterator[Recommendation]:
    known = _with_origin(cells, runs)
    for key, group in known[known["judged"] > 0].groupby(list(GROUP), sort=True):
        tasks = asked.among(set(group[group["technique"] == baseline]["task"]))
        if tasks:
            yield recommendation(asked, key_parts(key), as_rows(group[group["task"].isin(tasks)]), limits, baseline)


def recommendation(
    asked: TaskQuery, group: tuple[str, ...], rows: Sequence[Row], limits: Limits, base: str
) -> Recommendation:
    """The recommendation from the rows of the tasks that count."""
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
    named = {name: _candidate(name, whole[key], reference, limits) for key, name in _names(whole).items()}
    partly = [_candidate(key[0], own, reference, limits) for key, own in chosen.items() if key not in whole]
    best = _one_each(reference.values())
    return Recommendation(
        asked,
        group,
        tasks,
        Candidate(base, base, tuple(evidence(best[task], best[task]) for task in tasks)),
        tuple(sorted((one for one in named.values() if not one.misses), key=_rank)),
        tuple(sorted((one for one in named.values() if one.misses), key=lambda one: _distance(one, limits))),
        tuple(sorted((one for one in partly if one.name not in named), key=_rank)),
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
        str(next(iter(own.values()))["technique"]),
        tuple(one for one, _, _ in parts),
        tuple(line for part in parts for line in proven(*part)),
        tuple(line for part in parts for line in unproven(*part)),
        {why: "; ".join(lines) for why, lines in missed.items()},
    )


def _with_origin(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The cells, each with a digest of its stack and the machines that its runs come from."""
    known = runs[[*CELL_ID, "spec", "provenance"]].drop_duplicates().astype(str)
    stacks = {text: digest(parse_spec(text).get("stack")) for text in known["spec"].unique()}
    machines = {text: tuple(str(json.loads(text).get(key)) for key in MACHINE) for text in known["provenance"].unique()}
    added = known.assign(stack=known["spec"].map(stacks), machines=known["provenance"].map(machines))
    whole = added.groupby(list(CELL_ID)).agg(stack=("stack", "first"), machines=("machines", frozenset)).reset_index()
    return cells.astype(dict.fromkeys(CELL_ID, str)).merge(whole, on=list(CELL_ID), validate="one_to_one")


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
    rates = float(np.mean([part.failure_rate for part in one.evidence]))
    upper = float(np.mean([part.failure_high for part in one.evidence]))
    spread = _geometric([part.mad_ratio for part in one.evidence])
    cost = _geometric([part.cost_ratio for part in one.evidence])
    return (-one.gains, rates, upper, spread, cost, one.name)


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


def _kind(task: str) -> Kind | None:
    return TASKS.get(task).kind if task in TASKS else None
