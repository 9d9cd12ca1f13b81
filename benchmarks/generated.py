"""Stores of made-up runs, compacted: 50 techniques on 7 tasks, in ten groups from 105,000 runs on; or a plan's runs."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from bench_lib.core.record import LATENCIES, Status, Timing
from bench_lib.core.spec import Profile, Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.runner.cells import CellRuns
from bench_lib.runner.records import blank_record
from bench_lib.store.files import stage
from bench_lib.store.schema import RUNS, to_table

TASKS = {"sst2": 0.51, "imdb": 0.50, "conll2003": 0.0, "squad": 0.02, "rte": 0.53, "mrpc": 0.68, "cola": 0.0}
TECHNIQUES = ("adamw", *(f"technique{number:02}" for number in range(1, 50)))
STEPS, BLOCKS, EVALUATIONS = 96, 8, 3
UNMEASURED = ("robust_score", "adversarial_score", "uncompressed_bytes", "sparsity", *LATENCIES)
"""What runs without a compressor, an attack and noise leave empty."""
PROVENANCE = {f"package-{number:02}": f"{number}.1.0" for number in range(18)}


def write_store(root: Path, runs: int, seeds: int = 30) -> Path:
    """A store of so many runs under the root: so many seeds a cell, or more where ten groups do not hold the runs."""
    cells = len(TASKS) * len(TECHNIQUES)
    groups = min(10, max(1, runs // (cells * seeds)))
    each = max(1, -(-runs // (cells * groups)))
    left = runs
    for number, task in enumerate(TASKS):
        share = -(-left // (len(TASKS) - number))
        tables = _tables(task, groups, each, share)
        stage(root / "runs", tables, RUNS, compact=True).rename(root / "runs" / f"{task}-generated.parquet")
        left -= share
    return root


def write_runs(root: Path, cells: Sequence[CellRuns], runs: int) -> Path:
    """A store of the first runs of a plan's cells, so many in all, each converged in half a minute."""
    made = []
    for place, cell in enumerate(cells):
        seeds = cell.seeds[: runs // len(cells) + (place < runs % len(cells))]
        record = dataclasses.replace(
            blank_record(cell.spec, Status.CONVERGED, ""),
            score=0.8,
            timing=Timing(setup_seconds=1.0, train_seconds=30.0, eval_seconds=2.0),
            provenance=dict(_provenance(0)),
        )
        text = canonical_json(cell.spec.at(0).identity())
        columns = {
            "run_id": cell.spec.run_ids(seeds),
            "training_id": cell.spec.training_ids(seeds),
            "seed": seeds,
            "spec": [text.replace('"seed":0', f'"seed":{seed}') for seed in seeds],
        }
        table = to_table([record]).take([0] * len(seeds))
        for name, values in columns.items():
            field = RUNS.field(name)
            table = table.set_column(RUNS.get_field_index(name), field, pa.array(values, field.type))
        made.append(table)
    stage(root / "runs", [pa.concat_tables(made)], RUNS, compact=True).rename(root / "runs" / "generated.parquet")
    return root


def _tables(task: str, groups: int, seeds: int, runs: int) -> list[pa.Table]:
    made, left = [], runs
    for group in range(groups):
        for place, technique in enumerate(TECHNIQUES):
            count = min(seeds, left)
            if count:
                made.append(
                    _cell(task, technique, group, count, np.random.default_rng([list(TASKS).index(task), group, place]))
                )
            left -= count
    return [pa.concat_tables(made)]


def _cell(task: str, technique: str, group: int, seeds: int, draws: np.random.Generator) -> pa.Table:
    """All runs of one cell: some fail, curves fall, and weights drift."""
    spec = RunSpec(task, "1", Ref("local", f"data-{task}"), (TechniqueSpec(technique),), Ref("minilm", "weights"),
                   Profile(learning_rate=1e-5 * (group + 1)), 0, f"profile{group}")  # fmt: skip
    text = canonical_json(spec.identity())
    baseline, failed = TASKS[task], draws.random(seeds) < 0.04
    scores = np.where(failed, baseline, 0.8 + draws.normal(0, 0.005 + 0.01 * draws.random(), seeds))
    specs = [text.replace('"seed":0', f'"seed":{seed}') for seed in range(seeds)]
    ids = [hashlib.sha256(one.encode()).hexdigest()[:20] for one in specs]
    steps = np.arange(STEPS)
    curve = np.round(0.1 + np.exp(-steps / 30) + 0.05 * draws.random((seeds, STEPS)), 3)
    norms = np.round(1 + draws.random((seeds, STEPS)), 2)
    columns = {
        "run_id": ids, "training_id": ids, "task": task, "technique": technique, "model": "minilm",
        "profile": spec.profile_name, "data_source": "local", "seed": np.arange(seeds),
        "spec": specs,
        "status": np.where(failed, str(Status.COLLAPSED), str(Status.CONVERGED)), "reason": "", "attempts": 1,
        "metric": "accuracy", "score": scores, "trivial_score": baseline,
        "metrics": [[("accuracy", s)] for s in scores],
        "curve_loss": list(curve), "curve_learning_rate": list(np.broadcast_to(1e-5 * steps, curve.shape)),
        "curve_grad_norm": list(norms), "curve_grad_norm_first": list(norms), "curve_grad_norm_last": list(norms),
        "grad_norm_max": norms.max(axis=1), "clipped_steps": STEPS // 2, "nonfinite_steps": 0,
        "drift": list(np.round(draws.random((seeds, BLOCKS)), 4)), **dict.fromkeys(UNMEASURED, [None] * seeds),
        "saved_bytes": 90 * 2**20, "reported": [[]] * seeds, "eval_step": [[32, 64, 96]] * seeds,
        "eval_score": list(np.linspace(0.9, 1, EVALUATIONS) * scores[:, None]), "dev_score": [[]] * seeds,
        "setup_seconds": 1.0,
        "train_seconds": np.round(30 + draws.random(seeds), 2), "eval_seconds": 2.0, "tokens_per_second": 1500.0,
        "examples_per_second": 30.0, "peak_memory_bytes": 900 * 2**20,
        "provenance": [_provenance(seed) for seed in range(seeds)],
    }  # fmt: skip
    counts = dict.fromkeys(set(RUNS.names) - columns.keys(), STEPS)
    return pa.table([_column(field, (columns | counts)[field.name], seeds) for field in RUNS], schema=RUNS)


def _provenance(seed: int) -> list[tuple[str, str]]:
    return sorted({**PROVENANCE, "started": f"2026-01-01T00:00:{seed % 60:02}"}.items())


def _column(field: pa.Field, values: object, rows: int) -> pa.Array:
    one = isinstance(values, str | int | float)
    return pa.array([values] * rows if one else values, field.type)
