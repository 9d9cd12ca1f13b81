"""Tuning: trials beside the runs that verdicts rest on, and what the search over settings came to."""

from __future__ import annotations

import functools
import math
import re
from collections.abc import Mapping

import numpy as np
import pandas as pd

from bench_lib.core.record import Status
from bench_lib.core.seeds import TRIAL_SEEDS, TUNING_SEEDS
from bench_lib.core.spec import canonical_json
from bench_lib.report.cells import CELL_ID, GROUP, data_kinds, numbers, parse_spec
from bench_lib.stats.failure import wilson
from bench_lib.stats.search import expected_best, trial_score

SCALE = "scale_lr"
"""The technique that sets the learning rate of a trial."""
PLACE = (*GROUP, "task", "technique")
POINTS = (*PLACE, "settings", "point", "factor", "default", "score", "failed", "judged", "passes", "seconds")
"""Columns of the points: `point` tells the settings apart, `factor` is that of the learning rate."""
ARMS = (*PLACE, "settings", "dev", "label", "mean", "mad", "failed", "judged", "converged")
SPACES = (*PLACE, "points", "failed", "judged", "failure_rate", "failure_low", "failure_high", "passes", "seconds")
BUDGETS = (*PLACE, "points", "trainings", "best")
TUNED = re.compile(r"(.*)(\[tuned@\d+\])")


def tuned_arm(technique: str) -> tuple[str, str]:
    """The names of a technique without the label of its tuning, and that label; empty where it is not tuned."""
    found = TUNED.fullmatch(technique)
    return (found[1], found[2]) if found else (technique, "")


def outside_tuning(frame: pd.DataFrame) -> pd.DataFrame:
    """The runs on which verdicts may rest: on ordinary seeds, and scored on the evaluation set."""
    return frame[~(_on_tuning_seeds(frame) | _scored_on_dev(frame))]


def points(frame: pd.DataFrame) -> pd.DataFrame:
    """One row for each point that was tried with all seeds, from the runs of a store; columns are `POINTS`.

    Scores are means over the tuning seeds on the dev set, failed runs counting as the constant baseline. `passes` are
    forward ones, or backward ones where there are more. Runs lost to infrastructure are left out.
    """
    known = frame[_on_tuning_seeds(frame) & _scored_on_dev(frame)]
    known = known[~known["status"].isin([str(s) for s in Status if s.lost_to_infrastructure])]
    tried = known.assign(
        data=data_kinds(known["data_source"].to_numpy()),
        profile=known["profile"].astype(str).str.replace(":scored_on=dev", "", regex=False),
        spec=known["spec"].astype(str),
    )
    rows = [
        _point(dict(zip(GROUP, map(str, key), strict=False)), runs)
        for key, runs in tried.groupby([*GROUP, "task", "spec"], sort=True)
        if set(TRIAL_SEEDS) <= set(runs["seed"])
    ]
    return pd.DataFrame(rows, columns=list(POINTS)).sort_values(list(POINTS[:7]), ignore_index=True)


def _point(group: Mapping[str, str], runs: pd.DataFrame) -> dict[str, object]:
    first = runs.iloc[0]
    name, factor, settings = _stack(str(first["spec"]))
    statuses = [Status(status) for status in runs["status"]]
    scores = zip(statuses, numbers(runs["score"]), numbers(runs["trivial_score"]), strict=True)
    return {
        **group,
        "task": first["task"],
        "technique": name,
        "settings": first["technique"],
        "point": settings,
        "factor": factor,
        "default": str(first["technique"]) == name,
        "score": float(np.mean([trial_score(s is Status.CONVERGED, score, constant) for s, score, constant in scores])),
        "failed": sum(status.failed for status in statuses),
        "judged": sum(status.completed for status in statuses),
        "passes": float(np.sum(np.maximum(numbers(runs["forward_passes"]), numbers(runs["backward_passes"])))),
        "seconds": float(np.sum(numbers(runs["train_seconds"]))),
    }


def spaces(points: pd.DataFrame) -> pd.DataFrame:
    """One row per technique and task: failures over all points of its space, and what the search cost."""
    rows = []
    for key, own in points.groupby(list(PLACE), sort=True):
        failed, judged = int(own["failed"].sum()), int(own["judged"].sum())
        low, high = wilson(failed, judged)
        rate = failed / judged if judged else math.nan
        totals = own["passes"].sum(), own["seconds"].sum()
        rows.append((*key, len(own), failed, judged, rate, low, high, *totals))
    return pd.DataFrame(rows, columns=list(SPACES))


def arms(points: pd.DataFrame, cells: pd.DataFrame, runs: pd.DataFrame) -> pd.DataFrame:
    """The cells of the techniques that were tuned, each default beside its tuned arms; columns are `ARMS`.

    `settings` and the dev score are those of the trial with the cell's settings, empty where it is not stored.
    """
    names = set(points["technique"])
    bases = cells["technique"].map(lambda technique: tuned_arm(str(technique))[0])
    trials = points.set_index([*PLACE, "point"])[["settings", "score"]].to_dict("index")
    firsts = runs.drop_duplicates(list(CELL_ID))
    specs = dict(zip(map(tuple, firsts[list(CELL_ID)].astype(str).to_numpy()), firsts["spec"].astype(str), strict=True))
    rows = []
    for cell in cells[bases.isin(names)].to_dict("records"):
        name, _, point = _stack(specs[tuple(str(cell[part]) for part in CELL_ID)])
        place = [str(cell[part]) for part in PLACE]
        trial = trials.get((*place[:-1], name, point), {"settings": "", "score": math.nan})
        rows.append((*place, *trial.values(), *(cell[column] for column in ARMS[len(PLACE) + 2 :])))
    return pd.DataFrame(rows, columns=list(ARMS))


def budgets(points: pd.DataFrame) -> pd.DataFrame:
    """The expected best dev score of the first k points in a random order, for every k, and what these points cost.

    `trainings` are k times the mean passes of a point, over those of a training of the baseline where it was tuned on
    the task, and over the technique's own default otherwise.
    """
    rows = []
    for key, own in points.groupby(list(PLACE), sort=True):
        base = points[(points[list(PLACE[:-1])] == list(key[:-1])).all(axis=1) & points["default"]]
        usual = base[base["technique"].isin(["adamw", key[-1]])].sort_values("technique")["passes"]
        cost = own["passes"].mean() / usual.iloc[0] if len(usual) and usual.iloc[0] > 0 else 1.0
        best = expected_best(own["score"].to_numpy(dtype=np.float64))
        rows += [(*key, k, k * cost, value) for k, value in enumerate(best.tolist(), 1)]
    return pd.DataFrame(rows, columns=list(BUDGETS))


def _on_tuning_seeds(frame: pd.DataFrame) -> pd.Series[bool]:
    return frame["seed"].isin(TUNING_SEEDS)


def _scored_on_dev(frame: pd.DataFrame) -> pd.Series[bool]:
    specs = frame["spec"].astype("category").cat
    on_dev = np.array([_names_dev(str(text)) for text in specs.categories], dtype=bool)
    return pd.Series(on_dev[specs.codes], frame.index, dtype=bool)


@functools.lru_cache(maxsize=2**16)
def _names_dev(text: str) -> bool:
    return dict(parse_spec(text).get("profile") or {}).get("scored_on") == "dev"


def _stack(text: str) -> tuple[str, float, str]:
    """The names of a stack without what sets its rate, the factor of that, and what tells its settings from others."""
    stack = list(parse_spec(text).get("stack", []))
    factor = float(stack.pop()[1]["factor"]) if stack and stack[-1][0] == SCALE else 1.0
    return "+".join(part[0] for part in stack), factor, canonical_json([[part[:2] for part in stack], factor])
