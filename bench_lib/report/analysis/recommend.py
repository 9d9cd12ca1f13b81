"""Recommendations: techniques for a kind of task within limits, best first, with the evidence."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from bench_lib.core.errors import BenchError, UnknownName
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
from bench_lib.report.analysis.tuning import tuned_arm
from bench_lib.report.cells import CELL_ID, GROUP, SUFFIX, key_parts, parse_spec
from bench_lib.report.columns import as_rows
from bench_lib.report.values import Row
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, Format

Place = tuple[str, str, str]
"""A task, its setting, and the label of the baseline's cell."""

Stack = tuple[str, str]
"""A technique's name and a digest of its parameters and versions, or the label of its tuning."""


@dataclass(frozen=True)
class TaskQuery:
    """A query for tasks: one task by name (empty for none), or its kind (None if unknown), or `every` task."""

    text: str
    task: str = ""
    kind: Format | None = None
    every: bool = False

    def among(self, tasks: Collection[str]) -> tuple[str, ...]:
        """The matching tasks: the named task, or all tasks of its kind if the named one is not among them."""
        if self.every:
            return tuple(sorted(tasks))
        if self.task in tasks:
            return (self.task,)
        return tuple(sorted(task for task in tasks if self.kind is not None and _kind(task) == self.kind))


@dataclass(frozen=True)
class Candidate:
    """A technique with its evidence for each task, proven and unproven statements, and the limits it misses.

    `name` is unique in a recommendation; several candidates may be of one `technique`.
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
    """The recommendation for one (data, model, profile): the baseline, and `found`, which meet the limits, best first.

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
    def missing_task(self) -> str:
        """The named task if it has no runs and tasks of its kind replace it; else empty."""
        return "" if self.asked.task in self.tasks else self.asked.task

    def removed(self) -> dict[str, int]:
        """The number of techniques that miss each limit, the most first; one technique may miss several."""
        counts = {why: sum(why in other.misses for other in self.others) for why in (COST, FAILURE, REGRESSION)}
        return dict(sorted(((why, n) for why, n in counts.items() if n), key=lambda entry: -entry[1]))


def task_query(text: str, stored: Collection[str]) -> TaskQuery:
    """Parse the name of a registered or stored task, or of a kind of task; `UnknownName` for other text."""
    word = _word(text)
    tasks = sorted({*TASKS.names(), *stored})
    for task in tasks:
        if _word(task) == word:
            return TaskQuery(text, task, _kind(task))
    for kind in FORMATS:
        if word in kind.aliases:
            return TaskQuery(text, "", kind)
    raise UnknownName("task or kind of task", text, [*tasks, *(name for kind in FORMATS for name in kind.aliases)])


def recommend(
    cells: pd.DataFrame, runs: pd.DataFrame, query: TaskQuery, limits: Limits, baseline: str
) -> list[Recommendation]:
    """One recommendation for each (data, model, profile) with runs of the baseline on a matching task.

    The frames are those of `Summary`. Only techniques judged on all matching tasks of the
    baseline in the group are ranked. A limit must hold on each of them by the point estimate; techniques proven less
    stable or lower in scores on any are left out. The order is by the number of tasks with proven better stability;
    then by failure rate and by the upper end of its interval (means over the tasks); then by MAD ratio and by cost
    (geometric means). Raises `BenchError` where no group is left.
    """
    found = list(_by_group(cells, runs, query, limits, baseline))
    if not found:
        baseline_tasks = cells[(cells["technique"] == baseline) & (cells["judged"] > 0)]["task"]
        run_on = ", ".join(sorted(set(baseline_tasks.astype(str)))) or "no task"
        raise BenchError(
            f"no judged run of the baseline {baseline} on tasks like {query.text!r}, it was run on {run_on}: "
            "run it there, or name another task or baseline"
        )
    return found


def over_all_tasks(cells: pd.DataFrame, runs: pd.DataFrame, baseline: str) -> dict[tuple[str, ...], Recommendation]:
    """The recommendation over all tasks, without limits, for each group with judged runs of the baseline."""
    query = TaskQuery("all tasks", every=True)
    return {one.group: one for one in _by_group(cells, runs, query, Limits(), baseline)}


def _by_group(
    cells: pd.DataFrame, runs: pd.DataFrame, query: TaskQuery, limits: Limits, baseline: str
) -> Iterator[Recommendation]:
    known = _with_stack(cells, runs)
    for key, group in known[known["judged"] > 0].groupby(list(GROUP), sort=True):
        tasks = query.among(set(group[group["technique"] == baseline]["task"]))
        if tasks:
            yield recommendation(query, key_parts(key), as_rows(group[group["task"].isin(tasks)]), limits, baseline)


def recommendation(
    query: TaskQuery, group: tuple[str, ...], rows: Sequence[Row], limits: Limits, base: str
) -> Recommendation:
    """The recommendation from the rows of the matching tasks."""
    tasks = tuple(sorted({row["task"] for row in rows}))
    reference: dict[Place, Row] = {
        (row["task"], row["setting"], row["label"]): row for row in rows if tuned_arm(row["technique"])[0] == base
    }
    stacks: dict[Stack, list[Row]] = {}
    for row in rows:
        name, tuned = tuned_arm(row["technique"])
        if name != base and _baseline_place(row) in reference:
            # The settings of a tuned arm differ between tasks.
            stacks.setdefault((row["technique"], tuned or row["stack"]), []).append(row)
    chosen = {key: _one_each(stacks[key]) for key in sorted(stacks)}
    whole = {key: own for key, own in chosen.items() if len(own) == len(tasks)}
    named = {name: _candidate(name, whole[key], reference, limits) for key, name in _names(whole).items()}
    partly = [_candidate(key[0], own, reference, limits) for key, own in chosen.items() if key not in whole]
    best = _one_each(row for row in reference.values() if row["technique"] == base)
    return Recommendation(
        query,
        group,
        tasks,
        Candidate(base, base, tuple(evidence(best[task], best[task]) for task in tasks)),
        tuple(sorted((one for one in named.values() if not one.misses), key=_rank)),
        tuple(sorted((one for one in named.values() if one.misses), key=lambda one: _distance(one, limits))),
        tuple(sorted((one for one in partly if one.name not in named), key=_rank)),
    )


def _candidate(name: str, own: Mapping[str, Row], reference: Mapping[Place, Row], limits: Limits) -> Candidate:
    bases = {task: reference[_baseline_place(row)] for task, row in sorted(own.items())}
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


def _with_stack(cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The cells with a digest of their stack."""
    known = runs[[*CELL_ID, "spec"]].drop_duplicates().astype(str)
    stacks = {text: digest(parse_spec(text).get("stack")) for text in known["spec"].unique()}
    added = known.assign(stack=known["spec"].map(stacks)).groupby(list(CELL_ID)).agg(stack=("stack", "first"))
    return cells.astype(dict.fromkeys(CELL_ID, str)).merge(added.reset_index(), on=list(CELL_ID), validate="one_to_one")


def _baseline_place(row: Row) -> Place:
    """The place of the baseline's cell that a row is compared with."""
    return row["task"], row["setting"], row["against"]


def _one_each(rows: Iterable[Row]) -> dict[str, Row]:
    """One row per task: of several settings the one with the most judged runs."""
    return {row["task"]: row for row in sorted(rows, key=lambda row: (row["judged"], row["label"]))}


def _names(whole: Mapping[Stack, Mapping[str, Row]]) -> dict[Stack, str]:
    """Names of candidates: their leaderboard label if it is the same on all tasks."""
    techniques = [technique for technique, _ in whole]
    names = {}
    for key, own in whole.items():
        labels = {str(row["label"]) for row in own.values()}
        several = f"{key[0]} ({key[1][:SUFFIX]})" if techniques.count(key[0]) > 1 else key[0]
        names[key] = labels.pop() if len(labels) == 1 else several
    return names


def _rank(one: Candidate) -> tuple[float | str, ...]:
    """Sort key, the best first and unknown values last."""
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
    """Sort key by the distance from the limits, regressions last."""
    return REGRESSION in one.misses, max(excess(part, limits) for part in one.evidence), _rank(one)


def _word(text: str) -> str:
    return "-".join(text.lower().replace("_", " ").replace("-", " ").split())


def _kind(task: str) -> Format | None:
    return TASKS.get(task).format if task in TASKS else None
