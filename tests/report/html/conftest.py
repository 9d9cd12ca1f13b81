"""Cells and findings made up for the page."""

from __future__ import annotations

from typing import Any

import pytest

from bench_lib.core.record import Status
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.html.registry_entries import Catalogue, TechniqueEntry
from bench_lib.store import Store
from bench_lib.tasks import TASKS

HOSTILE = "<b onclick='x'>=1\"&"


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
def summary(tmp_path_factory: pytest.TempPathFactory, record: Any) -> Summary:
    """Two groups, one of embedded data, with runs that failed, and a name that is markup."""
    store = Store(tmp_path_factory.mktemp("store"))
    for technique in ("adamw", "mixout", HOSTILE):
        for seed in range(4):
            store.append(record(seed, 0.8 + seed / 97, technique))
        store.append(record(0, 0.7, technique, source="embedded"))
    store.append(record(4, None, "mixout", status=Status.DIVERGED, reason="not finite at step 17"))
    store.append(record(5, None, "mixout", status=Status.TIMEOUT, reason="time limit of 60 s"))
    return summarise(store)
