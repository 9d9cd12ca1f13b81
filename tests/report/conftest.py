"""Records made up from a seed, in the shape that the store hands out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench_lib.core.machine import machine_of
from bench_lib.core.record import COLUMNS, RunRecord, Status
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.store import Store

CELL: dict[str, Any] = {
    "data": "real", "model": "minilm", "profile": "desk", "task": "sst2", "technique": "mixout", "setting": "s",
    "variant": "v", "label": "mixout", "against": "adamw", "attempted": 30, "unsupported": 0, "judged": 30,
    "lost": 0, "converged": 30, "failed": 0, "failure_rate": 0.0, "failure_low": 0.0, "failure_high": 0.11,
    "mad": 0.005, "mad_low": 0.004, "mad_high": 0.006, "minimum": 0.79, "mean": 0.8, "mean_low": 0.79,
    "mean_high": 0.81, "mean_difference": 0.01, "mad_ratio": 0.6, "mad_ratio_low": 0.4, "mad_ratio_high": 0.9,
    "cost_ratio": 1.25, "peak_memory_mib": 1234.0, "verdict": "underpowered", "verdict_location": "open",
    "decided_by": "", "basis": "single look", "shared": 30, "shared_failed": 0, "against_failed": 0, "missing": 12.0,
    "superiority": 0.6, "reason": "", "metric": "accuracy",
    "trivial_score": 0.5,
}  # fmt: skip

Cell = Callable[..., dict[str, Any]]
Make = Callable[..., RunRecord]
Frame = Callable[[Iterable[RunRecord]], pd.DataFrame]


@pytest.fixture(scope="session")
def record() -> Make:
    """One run; by default of adamw on sst2, converged at 0.8."""

    def make(seed: int = 0, score: float | None = 0.8, technique: str = "adamw", **changes: object) -> RunRecord:
        settings = {"task": "sst2", "source": "local", "rate": 2e-5, "version": "1", **changes}
        source = str(settings["source"])
        made = "made" if source == "embedded" else "data0"
        spec = RunSpec(
            task=str(settings["task"]),
            task_version="1",
            data=Ref(source, str(settings.get("fingerprint", made))),
            stack=tuple(TechniqueSpec(name, version=str(settings["version"])) for name in technique.split("+")),
            model=Ref("minilm", "weights0"),
            profile=Profile(learning_rate=float(str(settings["rate"]))),
            seed=seed,
            profile_name="desk",
        )
        return RunRecord.of(
            {
                "run_id": spec.run_id(),
                "training_id": spec.training().run_id(),
                "task": spec.task,
                "technique": technique,
                "model": spec.model.name,
                "profile": str(settings.get("profile", "desk")),
                "data_source": source,
                "seed": seed,
                "spec": canonical_json(spec.identity()),
                "status": str(settings.get("status", Status.CONVERGED)),
                "reason": str(settings.get("reason", "")),
                "metric": "accuracy",
                "score": score,
                "trivial_score": float(str(settings.get("constant_baseline", 0.51))),
                "train_seconds": float(str(settings.get("seconds", 10.0))),
                "tokens_per_second": 2000.0,
                "peak_memory_bytes": 900 * 2**20,
                "provenance": {"torch": "2.13.0", "machine": "box"},
            },
        )

    return make


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
def frame() -> Frame:
    """Records as a report reads them: a column a field, and the machine."""

    def build(records: Iterable[RunRecord]) -> pd.DataFrame:
        names = [column.name for column in COLUMNS]
        made = list(records)
        rows = pd.DataFrame([list(r.columns().values()) for r in made], columns=names)
        return rows.assign(machine=[machine_of(r.provenance) for r in made])

    return build


@pytest.fixture(scope="session")
def sweep(record: Make, frame: Frame) -> Callable[[int], pd.DataFrame]:
    """Four tasks x nine techniques at so many seeds, with failures, an outlier, a decliner and lost runs."""

    def build(seeds: int) -> pd.DataFrame:
        return frame(r for task in TASKS for r in _task_runs(record, task, seeds))

    return build


@pytest.fixture(scope="session")
def summary(tmp_path_factory: pytest.TempPathFactory, record: Make) -> Summary:
    """What four tasks x nine techniques with six seeds each come to, curves included."""
    store = Store(tmp_path_factory.mktemp("swept"))
    for task in TASKS:
        for number, run in enumerate(_task_runs(record, task, 6)):
            loss = tuple(round(2.0 * 0.97**step + 0.01 * (number % 7), 4) for step in range(30))
            store.append(run.changed({"curve_loss": loss}))
    return summarise(store)


TASKS = {"sst2": (0.80, 0.51), "imdb": (0.83, 0.5), "conll2003": (0.70, 0.0), "squad": (0.35, 0.02)}
TECHNIQUES = {
    "adamw": (0.012, 0.05, 1.0),
    "bertadam": (0.05, 0.4, 0.98),
    "low_lr": (0.008, 0.0, 1.0),
    "mixout": (0.009, 0.03, 1.25),
    "l2_sp": (0.011, 0.03, 1.06),
    "llrd+reinit": (0.006, 0.0, 1.02),
    "r_drop": (0.01, 0.02, 1.9),
    "fgm": (0.009, 0.02, 2.1),
    "lora": (0.014, 0.0, 0.7),
}


def _task_runs(record: Make, task: str, seeds: int) -> list[RunRecord]:
    draws = np.random.default_rng([list(TASKS).index(task), seeds])
    return [_run(record, task, technique, seed, draws) for technique in TECHNIQUES for seed in range(seeds)]


def _run(record: Make, task: str, technique: str, seed: int, draws: np.random.Generator) -> RunRecord:
    (base, constant_baseline), (sd, failure, cost) = TASKS[task], TECHNIQUES[technique]
    score, luck, noise = float(draws.normal(base, sd)), draws.random(), float(draws.normal(1, 0.05))
    changes: dict[str, object] = {"task": task, "constant_baseline": constant_baseline, "seconds": 27 * cost * noise}
    if technique == "fgm" and task == "squad":
        return record(seed, None, technique, **changes, status=Status.UNSUPPORTED, reason="spans are not supported")
    if luck < failure / 2:
        return record(seed, None, technique, **changes, status=Status.DIVERGED, reason="not finite at step 17")
    if luck < failure:
        low = constant_baseline - 0.005 * int(draws.integers(0, 3))
        return record(
            seed, low, technique, **changes, status=Status.COLLAPSED, reason="at or below the constant baseline"
        )
    if luck > 0.99:
        return record(seed, None, technique, **changes, status=Status.TIMEOUT, reason="time limit of 60 s")
    return record(seed, score, technique, **changes)
