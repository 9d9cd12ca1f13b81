"""Checks of an unpacked submission that run nothing of it: file, store, seeds, scores, machines."""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench_lib.core.errors import described
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec, canonical_json
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.evaluate import scored
from bench_lib.runner.resolved import resolve_run
from bench_lib.store import Store, verify
from bench_lib.submissions.finding import Finding, Standing, judged
from bench_lib.submissions.seeds import USUAL, submission_seeds, written
from bench_lib.submissions.submission import FILE, Submission, environments
from bench_lib.tasks.task import Task
from bench_lib.techniques.interface.sources import version_of

SEED = "is not of the declared seeds"
LAST_STATIC = "environment"
"""The last of the checks that run nothing."""
ROUNDING = 1e-9
"""The largest difference of a score that is computed again from the same predictions."""


@dataclass(frozen=True, eq=False)
class Unpacked:
    """An archive in a folder: what it says of itself, its technique's file, its store, and where the data are."""

    folder: Path
    digest: str
    submission: Submission
    machines: list[Any]
    file: bytes
    store: Store
    data: str


def static_checks(unpacked: Unpacked) -> Iterator[Finding]:
    """The findings in order; the last one is the first that refuses, since the others would rest on it."""
    for check in (_technique, _stored):
        yield (finding := check(unpacked))
        if finding.standing is Standing.REFUSED:
            return
    specs = {spec.run_id(): spec for spec in unpacked.submission.runs(unpacked.file, unpacked.data)}
    records = unpacked.store.records()
    yield (finding := _seeds(unpacked, specs, records))
    if finding.standing is Standing.VERIFIED:
        yield _scores(specs, records, unpacked.store)
        same = canonical_json(environments(records)) == canonical_json(unpacked.machines)
        unlike = [] if same else ["submission.json names other machines and versions than the runs"]
        yield judged(LAST_STATIC, unlike, "; ".join(map(_machine, unpacked.machines)))


def imports(file: bytes) -> list[str]:
    """The modules that a file imports by name, without running it."""
    nodes = list(ast.walk(ast.parse(file)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return sorted(plain | {node.module or "." for node in nodes if isinstance(node, ast.ImportFrom)})


def _technique(unpacked: Unpacked) -> Finding:
    try:
        found = ", ".join(imports(unpacked.file))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return Finding("technique", Standing.REFUSED, f"{FILE} is no Python: {described(error)}")
    ours, theirs = version_of(unpacked.file, ()), unpacked.submission.version
    other = f"{FILE} is version {ours}, and the submission was made with version {theirs} of it"
    lines = len(unpacked.file.splitlines())
    return judged("technique", [] if ours == theirs else [other], f"{FILE}, {lines} lines; it imports {found}")


def _stored(unpacked: Unpacked) -> Finding:
    # As the files are named in the archive: the folder may be a temporary one.
    problems = [problem.replace(f"{unpacked.folder}/", "") for problem in verify(unpacked.store)]
    return judged("store", problems, f"{len(unpacked.store.ids())} runs, with their predictions")


def _seeds(unpacked: Unpacked, specs: Mapping[str, RunSpec], records: Sequence[RunRecord]) -> Finding:
    """Whether the runs are those of the declared seeds, each there whether it failed or not, and no other."""
    submission = unpacked.submission
    stored = {record.run_id: record for record in records}
    strange = [f"{_named(record)} {_why(record, specs)}" for record in records if record.run_id not in specs]
    # What differs in more than the seed comes first: the other problems mostly follow from it.
    problems = sorted(strange, key=lambda text: SEED in text)
    problems += [f"{_named(spec)} is missing" for one, spec in specs.items() if one not in stored]
    for one in specs.keys() & stored.keys():
        record = stored[one]
        if (record.technique, record.training_id) != (specs[one].technique(), specs[one].training_id()):
            problems.append(f"{_named(specs[one])} goes by another name or training")
        if not Status(record.status).completed:
            problems.append(
                f"{_named(specs[one])} is {record.status}; only converged, collapsed and diverged runs count"
            )
    ranges = [f"{t} {written(submission_seeds(unpacked.file, t, submission.seeds))}" for t in submission.tasks]
    failed = sum(Status(record.status).failed for record in records)
    few = f"; fewer than {USUAL} seeds decide nothing about spread" if submission.seeds < USUAL else ""
    good = f"{', '.join(ranges)}, as the file's hash has them; {len(specs)} runs, {failed} of them failed{few}"
    return judged("seeds", problems, good)


def _why(record: RunRecord, specs: Mapping[str, RunSpec]) -> str:
    """Why a run is none of the submission's."""
    said = json.loads(record.spec)
    same = [spec for spec in specs.values() if (spec.task, spec.technique()) == (record.task, record.technique)]
    if not same:
        return "is of no cell of the submission"
    wanted = json.loads(canonical_json(same[0].identity()))
    differing = [name for name in wanted.keys() | said.keys() if wanted.get(name) != said.get(name)]
    if differing == ["seed"]:
        return f"{SEED}, {same[0].seed} to {max(spec.seed for spec in same)}"
    return f"differs from what the submission declares in {', '.join(sorted({*differing} - {'seed'}))}"


def _scores(specs: Mapping[str, RunSpec], records: Sequence[RunRecord], store: Store) -> Finding:
    problems = []
    for task in dict.fromkeys(record.task for record in records):
        # The baseline's run: it names no code of the submission, and the evaluation set is the same.
        run = resolve_run(next(spec for spec in specs.values() if spec.task == task))
        evaluation = run.evaluation()
        for record in records:
            if record.task == task:
                problems += [f"{_named(record)} {why}" for why in _misjudged(run.task, evaluation, record, store)]
    return judged("scores", problems, "each follows from the stored predictions")


def _misjudged(task: Task, evaluation: Evaluation, record: RunRecord, store: Store) -> Iterator[str]:
    """What of a record does not follow from its predictions."""
    if record.score is None:
        if record.status != Status.DIVERGED:
            yield f"is {record.status} and has no score"
        return
    predictions = store.predictions(record.run_id)
    if predictions is None:
        yield "has no predictions"
        return
    try:
        metrics = scored(task, evaluation, predictions).metrics
    except Exception as error:  # predictions of a stranger, which may have any shape
        yield f"has predictions that cannot be scored: {described(error)}"
        return
    found = {**metrics, "score": metrics[task.primary], "constant_baseline": evaluation.constant_baseline}
    said = {**record.metrics, "score": record.score, "constant_baseline": record.constant_baseline}
    for name, value in found.items():
        if not _alike(value, said.get(name)):
            yield f"has {name} {said.get(name)}, and its predictions give {value}"
    above = record.score > (evaluation.constant_baseline if evaluation.constant_baseline is not None else -math.inf)
    if above != (record.status == Status.CONVERGED):
        yield f"is {record.status} with a score of {record.score}; a constant reaches {evaluation.constant_baseline}"


def _alike(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return abs(one - other) <= ROUNDING or (math.isnan(one) and math.isnan(other))


def _named(run: RunRecord | RunSpec) -> str:
    technique = run.technique if isinstance(run, RunRecord) else run.technique()
    return f"{run.task}, {technique}, seed {run.seed}"


def _machine(facts: Mapping[str, Any]) -> str:
    parts = (
        facts.get("cpu"),
        facts.get("device"),
        f"torch {facts.get('torch')}",
        f"stabbench {facts.get('stabbench')}",
    )
    return f"{facts.get('runs')} runs on {', '.join(map(str, parts))}"
