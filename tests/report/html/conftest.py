"""Cells and findings made up for the page."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest

from bench_lib.core.record import Status
from bench_lib.report.analysis.results import Findings, find
from bench_lib.report.html.registry_entries import Catalogue, TechniqueEntry
from bench_lib.store import Store
from bench_lib.tasks import TASKS

CELL: dict[str, Any] = {
    "data": "real", "model": "minilm", "profile": "desk", "task": "sst2", "technique": "mixout", "setting": "s",
    "variant": "v", "label": "mixout", "against": "adamw", "attempted": 30, "unsupported": 0, "judged": 30,
    "converged": 30, "failed": 0, "failure_rate": 0.0, "failure_low": 0.0, "failure_high": 0.11, "mad": 0.005,
    "mad_low": 0.004, "mad_high": 0.006, "minimum": 0.79, "mean": 0.8, "mean_low": 0.79, "mean_high": 0.81,
    "mean_difference": 0.01, "mad_ratio": 0.6, "mad_ratio_low": 0.4, "mad_ratio_high": 0.9, "cost_ratio": 1.25,
    "peak_memory_mib": 1234.0, "verdict": "underpowered", "verdict_location": "open", "decided_by": "",
    "shared": 30, "superiority": 0.6, "reason": "", "metric": "accuracy", "trivial_score": 0.5,
}  # fmt: skip

HOSTILE = "<b onclick='x'>=1\"&"

Cell = Callable[..., dict[str, Any]]


@pytest.fixture
def cell() -> Cell:
    """A cell of mixout on sst2 that 30 seeds leave undecided, with what is to be otherwise."""

    def make(**changes: Any) -> dict[str, Any]:
        return CELL | {"label": changes.get("technique", "mixout")} | changes

    return make


@pytest.fixture
def few(cell: Cell) -> Cell:
    """A cell of five seeds."""
    return lambda **changes: cell(**{"attempted": 5, "judged": 5, "converged": 5, "shared": 5} | changes)


@pytest.fixture
def base(cell: Cell) -> Cell:
    """A cell of the baseline."""
    unknown = dict.fromkeys(("mad_ratio_low", "mad_ratio_high", "superiority"), math.nan)
    return lambda **changes: cell(technique="adamw", verdict="", verdict_location="", **unknown, **changes)


@pytest.fixture(scope="session")
def catalogue() -> Catalogue:
    """Two techniques and all tasks."""
    adamw = TechniqueEntry("adamw", "baselines", "Baselines and controls", "The `baseline`.", "Paper, arXiv:2006.04884")
    settings = {
        "family": "regularisation",
        "title": "Regularisation",
        "equation": "w <- mix(w, w0)",
        "text": ("As a.",),
    }
    mixout = TechniqueEntry("mixout", sentence="Mixes.", paper="Lee, arXiv:1909.11299", defaults={"p": 0.9}, **settings)
    return Catalogue({"adamw": adamw, "mixout": mixout}, {task.name: task for task in TASKS})


@pytest.fixture(scope="session")
def findings(tmp_path_factory: pytest.TempPathFactory, record: Any) -> Findings:
    """Two groups, one of embedded data, with runs that failed, and a name that is markup."""
    store = Store(tmp_path_factory.mktemp("store"))
    for technique in ("adamw", "mixout", HOSTILE):
        for seed in range(4):
            store.append(record(seed, 0.8 + seed / 97, technique))
        store.append(record(0, 0.7, technique, source="embedded"))
    store.append(record(4, None, "mixout", status=Status.DIVERGED, reason="not finite at step 17"))
    store.append(record(5, None, "mixout", status=Status.TIMEOUT, reason="time limit of 60 s"))
    return find(store)
