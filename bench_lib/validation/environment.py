"""Checks of this machine: packages, model, speed, data, and a small run."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch

from bench_lib.core.errors import BadData, BenchError
from bench_lib.core.extras import EXTRAS, install, is_installed
from bench_lib.core.record import Status
from bench_lib.core.spec import PRECISIONS
from bench_lib.executors.inline import InlineExecutor
from bench_lib.instruments.kernels import bf16_products
from bench_lib.instruments.provenance import provenance
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.runner.forecast import LENGTH, TEXTS, forecast, speed
from bench_lib.runner.grid import Grid, all_tasks, plan
from bench_lib.runner.sweep import run_suite
from bench_lib.store import Store, located
from bench_lib.tasks import TASKS
from bench_lib.tasks.find import find_task
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.sources.local import holdings
from bench_lib.tasks.task import Task

MODEL = "minilm"
EXPECTED = ("quick", "desk")
"""The profiles whose run time is estimated."""


@dataclass(frozen=True)
class Finding:
    """The result of one check; a failed optional check does not make the machine unfit."""

    what: str
    found: str
    ok: bool = True
    optional: bool = False


def examine(data: str | None = None, own_tasks: Sequence[str] = ()) -> list[Finding]:
    """Check versions, device, model, speed and a whole small run; the folder `data`, if given, and a user's tasks."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    facts = provenance(device)
    versions = " ".join(f"{name} {facts[name]}" for name in ("python", "torch", "transformers", "peft"))
    findings = [
        Finding("versions", versions),
        Finding(
            "machine", f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB; runs on {facts['device']}"
        ),
        Finding("optional packages", _optional()),
        _check(f"model {MODEL}", lambda: resolve(MODEL, MODELS).fingerprint),
        _check("a smoke run, stored and read back", _smoke),
        _check(f"a step of {MODEL}, {TEXTS} x {LENGTH} tokens on one thread", _steps),
        *(_check(f"a run of {profile}", partial(_expected, profile)) for profile in EXPECTED),
    ]
    if data is not None:
        findings.append(_check(f"data folder {data}", lambda: _folder_contents(Path(data))))
        names = [name for name in TASKS.names() if name in all_tasks(data) or (Path(data) / name).is_dir()]
        findings += [_check(f"  {name}", partial(_sizes, TASKS.get(name), data), optional=True) for name in names]
    return [*findings, *(_check(f"task {path}", partial(_own_sizes, path)) for path in own_tasks)]


def _optional() -> str:
    """The installed optional packages, and the install commands of the others."""
    packages = [package for extra in EXTRAS.values() for package in extra]
    there = ", ".join(filter(is_installed, packages))
    missing = [f"no {package} ({install(package)})" for package in packages if not is_installed(package)]
    return "; ".join(filter(None, [there, *missing]))


def _check(what: str, attempt: Callable[[], str], optional: bool = False) -> Finding:
    try:
        return Finding(what, attempt(), optional=optional)
    except (BenchError, OSError) as error:
        return Finding(what, str(error), ok=False, optional=optional)


def _folder_contents(folder: Path) -> str:
    if not folder.is_dir():
        raise BadData(f"there is no such folder; {holdings(folder.absolute().parent)}")
    return holdings(folder)


def _sizes(task: Task, source: str) -> str:
    found = load_data(task, source)
    return f"{len(found.train):,} to train on, {len(found.evaluation):,} to evaluate"


def _own_sizes(path: str) -> str:
    task = find_task(path)
    return f"{task.name} ({task.format}), {_sizes(task, task.path)}"


def _smoke() -> str:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(located(folder))
        grid = Grid(all_tasks("embedded"), ("adamw",), (0,), profile="smoke", model="tiny")
        progress = run_suite(grid, store, InlineExecutor())
        rows = store.frame()[["task", "status", "reason"]].to_dict("records")
    bad = [f"{row['task']} {row['status']}: {row['reason']}" for row in rows if not Status(row["status"]).completed]
    if bad or len(rows) != progress.total:
        raise BenchError("; ".join(bad) or f"{progress.total - len(rows)} of {progress.total} runs were not stored")
    return f"{len(rows)} runs"


def _steps() -> str:
    """The seconds of a training step in each precision, and how this CPU computes bf16."""
    model = resolve(MODEL, MODELS)
    seconds = {precision: f"{precision} {speed(model, precision).step:.2f} s" for precision in PRECISIONS}
    if not torch.cuda.is_available():
        seconds["bf16"] += f" ({bf16_products()})"
    return ", ".join(seconds.values())


def _expected(profile: str) -> str:
    """The estimated time of a baseline run of a profile on each task, from the embedded texts."""
    tasks = all_tasks("embedded")
    seconds = {task: forecast(plan(Grid((task,), ("adamw",), (0,), profile, MODEL))) for task in tasks}
    return ", ".join(f"{task} about {value:.0f} s" for task, value in seconds.items())
