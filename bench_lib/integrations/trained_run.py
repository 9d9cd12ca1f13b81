"""A run trained for its model: a new one, or a stored one from what the store has of it."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from bench_lib.core.errors import BadData, BadValue, BenchError, UnknownName, Unsupported
from bench_lib.core.record import Predictions, RunRecord
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.frozen import in_fp32
from bench_lib.models import MODELS
from bench_lib.models.load import copied
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.find import absolute
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Compresses, Prompts, Selects

LEAST_DIGITS = 6
"""Digits of a run's id that may stand for all of them."""


@dataclass(frozen=True, eq=False)
class TrainedRun:
    """A run with its record and the model that was scored, on the CPU."""

    run: ResolvedRun
    record: RunRecord
    model: nn.Module


def train(spec: RunSpec, check: Callable[[nn.Module], object]) -> TrainedRun:
    """Train a run and keep the model that was scored; `check` raises for a prepared model that cannot be exported.

    Raises `Unsupported` for a run that gives no model of its own, and `BenchError` for one that fails.
    """
    run = resolve_run(spec)
    check_model_of_its_own(run)
    run.check(run.techniques)
    with torch.random.fork_rng(devices=[]):
        check(prepared(run, torch.device("cpu")).model)
    selects, kept = bool(run.observers.having(Selects)), list[tuple[Predictions, nn.Module]]()

    def keep(training: Training, found: Scored) -> None:
        if not selects:  # the last evaluation counts
            kept.clear()
        whole = in_fp32(training)
        model = copied(whole) if whole is training.model else whole
        if training.trimmed is not None:
            training.trimmed.restore(model)
        kept.append((found.predictions, model.cpu()))

    (record,) = execute([spec], keep)
    model = next((model for predictions, model in kept if predictions is record.predictions), None)
    if model is None:
        raise BenchError(f"the run ended {record.status} and gives no model: {record.reason}")
    return TrainedRun(run, record, model)


def check_model_of_its_own(run: ResolvedRun) -> None:
    """Raise `Unsupported` for a run whose score is not that of one model that transformers knows."""
    for technique in run.techniques.techniques:
        if technique.pools():
            raise Unsupported(
                f"{technique.name} has no model of its own: it combines several trained seeds; export one of them"
            )
        if technique.predicts_by_several():
            raise Unsupported(f"{technique.name} has no model of its own: it predicts by several states of the model")
    for hook, what in (
        (Compresses, "its compressed model is measured, and has no form that transformers loads"),
        (Prompts, "it answers by the head for words, to which transformers has no class"),
    ):
        if found := run.techniques.having(hook):
            raise Unsupported(f"{getattr(found[0], 'name', '')} has no model to export: {what}")


def stored_run(store: Store, run_id: str, data: str | None) -> tuple[RunRecord, RunSpec]:
    """A stored run and its spec; an unknown id raises `UnknownName` with the nearest ones, which may be cut short.

    `data` is the source of the data, where the store does not name it. Raises `BenchError` where something of the run
    is not what it was.
    """
    ids = store.ids()
    matching = [each for each in ids if each.startswith(run_id)] if len(run_id) >= LEAST_DIGITS else []
    chosen = run_id if run_id in ids else matching[0] if len(matching) == 1 else None
    if chosen is None:
        raise UnknownName(f"run of {store.root}", run_id, ids)
    (record,) = store.records([chosen])
    return record, _spec_of(record, data)


def _spec_of(record: RunRecord, data: str | None) -> RunSpec:
    identity: dict[str, Any] = json.loads(record.spec)
    known = {field.name for field in dataclasses.fields(Profile)}
    if strange := sorted(identity["profile"].keys() - known):
        raise BadData(f"run {record.run_id} has settings that this version does not know: {', '.join(strange)}")
    own = record.task not in TASKS
    if data is None and (own or record.data_source not in ("hub", "embedded")):
        raise BadValue("--data", data, f"the folder, or the file of the task, that the run read ({record.data_source})")
    model = resolve(record.model, MODELS)
    spec = RunSpec(
        task=identity["task"][0],
        task_version=identity["task"][1],
        data=Ref(data or record.data_source, identity["data"]),
        stack=tuple(_technique(*part) for part in identity["stack"]),
        model=model,
        profile=Profile(**{name: _number(value) for name, value in identity["profile"].items()}),
        seed=identity["seed"],
        profile_name=record.profile,
        frozen=tuple(sorted(identity["frozen"].items())),
        corrections=tuple(identity.get("corrections", {}).items()),
        also=tuple(identity.get("also", {}).items()),
        task_path=absolute(data) if own and data else "",
    )
    if model.fingerprint != identity["model"]:
        raise BadData(
            f"the model {record.model} is another one now: {model.fingerprint}, and the run had {identity['model']}"
        )
    if spec.run_id() != record.run_id:
        raise BadData(f"run {record.run_id} cannot be put together again from its spec; this would be {spec.run_id()}")
    return spec


def _technique(name: str, params: Mapping[str, Any], version: str) -> TechniqueSpec:
    made = TECHNIQUES.get(name)(**{field: _number(value) for field, value in params.items()})
    if made.version != version:
        raise BadData(f"the run had {name} version {version}, and this is version {made.version}")
    return made.spec()


def _number(value: Any) -> Any:
    """Canonical JSON has infinities as text."""
    return float(value) if value in ("inf", "-inf") else value


def differs(record: RunRecord, stored: RunRecord) -> str:
    """How the score of a run that was trained again differs from the stored one; empty where it does not."""
    if record.score == stored.score:
        return ""
    return f"the score is {record.score} now and was {stored.score} when it was stored"
