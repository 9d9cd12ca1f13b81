"""docs/findings.md: findings in words of our own, with the numbers of the committed results in their places.

The words are in results/findings.md.j2; `python -m tests.findings > docs/findings.md` fills in the numbers.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jinja2

from bench_lib.plans.declared import declared_plan, on_stored_data
from bench_lib.plans.plan_file import read_plan
from bench_lib.report import formatting as md
from bench_lib.report.analysis.contrasts import contrasts
from bench_lib.report.analysis.opening import answered
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.columns import as_rows
from bench_lib.report.prose import count, name_list
from bench_lib.report.values import Row
from bench_lib.store import Store

ROOT = Path(__file__).parents[1]
WORDS = ROOT / "results" / "findings.md.j2"
PAGE = ROOT / "docs" / "findings.md"

MODEL, PROFILE = "minilm", "desk"
OF_CELL = ["model", "profile", "task", "label"]


class Findings:
    """The numbers that the words ask for, of real data, `minilm` and `desk`; a cell that is not there is a KeyError."""

    def __init__(self, summary: Summary, store: Store) -> None:
        of_plan = {"data": "real", "model": MODEL, "profile": PROFILE}
        self.runs = summary.runs
        self.store = store
        self.every = as_rows(summary.cells)
        self.cells = [row for row in self.every if _has(row, of_plan)]
        stress = {**of_plan, "profile": f"{PROFILE}-stress"}
        self.under_stress = [row for row in self.every if _has(row, stress)]
        self.contrasts = [row for row in as_rows(contrasts(summary.cells)) if _has(row, of_plan)]
        self.answered = as_rows(answered(summary))
        self.declared = sum(family.contrasts for family in summary.families if family.name)

    def cell(self, technique: str, task: str) -> Row:
        """The cell of a technique's version with the most runs, of several the newest."""
        return self._one(self.cells, technique, task, "judged")

    def contrast(self, technique: str, task: str) -> Row:
        """The contrast with the baseline."""
        return self._one(self.contrasts, technique, task, "shared")

    def stressed(self, technique: str, task: str) -> Row:
        """The cell of the newest version of a technique at four times the rate, without warm-up."""
        return self._one(self.under_stress, technique, task, "judged")

    def of_model(self, model: str, task: str, technique: str, profile: str = PROFILE) -> Row:
        """The cell of a technique with any model, on real data."""
        own = [row for row in self.every if _has(row, {"data": "real", "model": model, "profile": profile})]
        return self._one(own, technique, task, "judged")

    def by_the_looks(self, technique: str, task: str, profile: str) -> str:
        """What the looks of a declared contrast with `adamw` decided, and at how many seeds, or that it is open."""
        of_place = {"data": "real", "model": MODEL, "task": task, "profile": profile, "label": technique}
        own = [row for row in self.answered if _has(row, of_place)]
        if not own or not own[0]["decided"]:
            return "open"
        found = own[0]
        of_scores = {"worse": "lower scores", "better": "higher scores"}
        said = [found["verdict"], of_scores.get(found["verdict_location"], "")]
        words = [word for word in said if word not in ("", "underpowered")]
        return f"{name_list(words)}, {found['shared']} seeds"

    def last_gradients(self, technique: str, task: str, failed: bool, profile: str = PROFILE) -> list[float]:
        """The median gradient norm of the first block over the last tenth of the steps of each run, in order."""
        status = "collapsed" if failed else "converged"
        asked = {"technique": technique, "task": task, "model": MODEL, "profile": profile, "status": status}
        own = self.runs[(self.runs[[*asked]].astype(str) == [*asked.values()]).all(axis=1)]
        norms = [record.curve.grad_norm_first for record in self.store.records(set(own["run_id"]))]
        return sorted(statistics.median(norm[-(len(norm) // 10) :]) for norm in norms if norm)

    def proven(self, column: str, value: str) -> str:
        """The contrasts with a verdict, or a sure difference of scores, by task and profile: `on sst2: ema and swa`."""
        places: dict[str, list[str]] = {}
        for row in self.answered:
            if row[column] == value:
                under = "" if row["profile"] == PROFILE else f" under `{row['profile']}`"
                places.setdefault(f"on {row['task']}{under}", []).append(f"`{row['label']}`")
        return "; ".join(f"{place}: {name_list(names, limit=len(names))}" for place, names in places.items()) or "none"

    def counted(self) -> dict[str, int]:
        """How many cells, contrasts and runs there are, and how many of them decide something."""
        cells = [row for row in self.every if _has(row, {"data": "real"})]
        return {
            "runs": len(self.runs),
            "cells": len(cells),
            "long": sum(row["judged"] >= 20 for row in cells),
            "declared": self.declared,
            "looked": len(self.answered),
            "decided": sum(bool(row["decided"]) for row in self.answered),
        }

    def _one(self, rows: Sequence[Row], technique: str, task: str, most: str) -> Row:
        found = [row for row in rows if row["technique"] == technique and row["task"] == task]
        if not found:
            raise KeyError(f"{technique} on {task}")
        return max(found, key=lambda row: (float(row[most]), self._begun(row)))

    def _begun(self, row: Row) -> str:
        """When the last run of a row's cell began: of versions with as many runs, the newest began last."""
        own = self.runs[(self.runs[OF_CELL].astype(str) == [str(row[name]) for name in OF_CELL]).all(axis=1)]
        return str(max(own["started"]))


def page(summary: Summary, store: Store) -> str:
    """The page; a number that the results do not have is an error."""
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        autoescape=False,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    shown: dict[str, Callable[..., str]] = {
        "points": lambda value: md.number(100 * float(value), 1),
        "ratio": lambda row: md.estimate(*(row[f"mad_ratio{end}"] for end in ("", "_low", "_high"))),
        "spread": _spread,
        "times": lambda value: md.number(float(value), 1),
        "distance": lambda value: md.number(float(value), 3),
        "norm": lambda value: f"{float(value):.2g}",
        "share": lambda value: md.rate(float(value), 0),
        "count": count,
    }
    environment.filters.update(shown)
    return environment.from_string(WORDS.read_text(encoding="utf-8")).render(found=Findings(summary, store))


def _has(row: Row, values: dict[str, Any]) -> bool:
    return all(str(row[name]) == value for name, value in values.items())


def _spread(row: Row) -> str:
    """Mean and mean absolute deviation of the runs that did not fail, and how many did."""
    failed = f"{row['failed']} of {row['judged']} failed"
    if not row["converged"]:
        return failed
    text = f"{md.number(100 * row['mean'], 1)} ± {md.number(100 * row['mad'], 1)}"
    return f"{text}, {failed}" if row["failed"] else text


def committed(store: Store) -> Summary:
    """The committed results, with the contrasts that their plan declares."""
    plan = read_plan(ROOT / "results" / "plan.toml", None, str(store.root))
    return summarise(store, plan=declared_plan(on_stored_data(plan, store), store))


if __name__ == "__main__":
    committed_store = Store(ROOT / "results")
    sys.stdout.write(page(committed(committed_store), committed_store))
