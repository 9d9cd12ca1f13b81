"""A run of a store in the terms of trackers: settings, series over steps, final numbers and tags."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from bench_lib.core.record import RunRecord

Scalar = str | int | float | bool
Points = tuple[tuple[int, float], ...]
"""(step, value) in rising order of steps; values may be nan or infinite."""

COSTS = ("steps", "tokens", "examples", "parameters", "trainable_parameters", "forward_passes", "backward_passes")
TIMINGS = ("setup_seconds", "train_seconds", "eval_seconds", "tokens_per_second", "examples_per_second")


@dataclass(frozen=True)
class TrackedRun:
    """One run as a tracker takes it; `started` is in seconds since 1970, 0 if unknown."""

    run_id: str
    attempts: int
    task: str
    technique: str
    seed: int
    settings: Mapping[str, Scalar]
    series: Mapping[str, Points]
    summary: Mapping[str, float]
    tags: Mapping[str, str]
    started: float

    @property
    def name(self) -> str:
        return f"{self.task} {self.technique} seed {self.seed}"

    @property
    def group(self) -> str:
        """The name that all seeds of a technique on a task share."""
        return f"{self.task} {self.technique}"

    def rows(self) -> Iterator[tuple[int, dict[str, float]]]:
        """The values of all series at each step."""
        steps: dict[int, dict[str, float]] = {}
        for name, points in self.series.items():
            for step, value in points:
                steps.setdefault(step, {})[name] = value
        return iter(sorted(steps.items()))


def tracked(record: RunRecord) -> TrackedRun:
    """A record in the terms of trackers."""
    return TrackedRun(
        run_id=record.run_id,
        attempts=record.attempts,
        task=record.task,
        technique=record.technique,
        seed=record.seed,
        settings=_settings(record),
        series={name: points for name, points in _series(record) if points},
        summary={
            name: float(value)
            for name, value in _summary(record).items()
            if value is not None and not math.isnan(value)
        },
        tags={
            "status": record.status,
            "reason": record.reason,
            "run_id": record.run_id,
            "attempts": str(record.attempts),
            "data_source": record.data_source,
            **{f"provenance.{name}": value for name, value in sorted(record.provenance.items())},
        },
        started=_seconds(record.provenance.get("started", "")),
    )


def _settings(record: RunRecord) -> dict[str, Scalar]:
    """The settings of a run: its spec with a dotted name for each value, and names where the spec has fingerprints."""
    spec = json.loads(record.spec)
    stack: Sequence[tuple[str, Mapping[str, Any], str]] = spec.pop("stack", [])
    task = spec.pop("task", [record.task, ""])
    found: dict[str, Any] = {"task": record.task, "task_version": task[-1], "technique": record.technique}
    found |= {"model": record.model, "profile": record.profile, "seed": record.seed, "metric": record.metric}
    for name, params, version in stack:
        found |= {f"technique.{name}.{key}": value for key, value in params.items()}
        found[f"technique.{name}.version"] = version
    spec |= {f"{name}_fingerprint": spec.pop(name) for name in ("data", "model") if name in spec}
    spec.pop("seed", None)
    return {key: value if isinstance(value, Scalar) else str(value) for key, value in (found | _flat(spec)).items()}


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat


def _series(record: RunRecord) -> Iterator[tuple[str, Points]]:
    curve = record.curve
    for name in ("loss", "learning_rate", "grad_norm", "grad_norm_first", "grad_norm_last"):
        yield f"train/{name}", tuple(enumerate(getattr(curve, name), 1))
    evaluations = record.evaluations
    yield f"eval/{record.metric or 'score'}", tuple(zip(evaluations.steps, evaluations.scores, strict=False))
    yield "eval/dev_score", tuple(zip(evaluations.steps, evaluations.dev_scores, strict=False))


def _summary(record: RunRecord) -> dict[str, float | None]:
    timing = {name: getattr(record.timing, name) for name in (*TIMINGS, "peak_memory_bytes")}
    return {
        "score": record.score,
        "constant_baseline": record.constant_baseline,
        **{f"metrics/{name}": value for name, value in sorted(record.metrics.items())},
        **{f"reported/{name}": value for name, value in sorted(record.reported.items())},
        **{f"cost/{name}": getattr(record.cost, name) for name in COSTS if not record.external},
        **{f"timing/{name}": value for name, value in timing.items()},
    }


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
