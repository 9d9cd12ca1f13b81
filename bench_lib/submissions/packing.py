"""Packing: the runs that a submission needs, found in a store, with the technique's file in one archive."""

from __future__ import annotations

import dataclasses
import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench_lib.comparison.sequential import trainable_stack
from bench_lib.core.errors import BadPlan, BadValue, BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.store import Store, compact
from bench_lib.submissions.archive import MANIFEST, RESULTS, contents, file_of, write_archive
from bench_lib.submissions.seeds import USUAL, submission_seeds, written
from bench_lib.submissions.submission import FILE, FOLDER, Submission
from bench_lib.tasks.sources.load import source_folder
from bench_lib.techniques.interface.plugin import SUFFIX
from bench_lib.techniques.interface.sources import own_files, version_of


@dataclass(frozen=True)
class Request:
    """What is submitted, as it is named on the command line: a technique of one file against a baseline."""

    technique: str
    tasks: tuple[str, ...]
    baseline: str = "adamw"
    profile: str = "quick"
    model: str = "minilm"
    data: str = "embedded"
    seeds: int = USUAL


@dataclass(frozen=True)
class Packed:
    """A written archive: how many runs it has and how many of them failed, its SHA-256, and the size of it in bytes."""

    runs: int
    failed: int
    digest: str
    size: int


def pack(request: Request, store: Store, path: Path) -> Packed:
    """Write the archive of a submission; the same store gives the same bytes.

    Raises `BadPlan` with the commands that make what the store lacks, `BenchError` for what cannot be submitted.
    """
    file, submission = _submission(request)
    specs = submission.runs(file, request.data)
    records = {record.run_id: record for record in store.records([spec.run_id() for spec in specs])}
    if problems := _problems(request, file, specs, records, store):
        raise BadPlan(problems)
    whole = [records[spec.run_id()] for spec in specs]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / RESULTS
        copy = Store(root)
        for record in whole:
            copy.append(dataclasses.replace(record, predictions=store.predictions(record.run_id)))
        compact(copy)
        content = {MANIFEST: submission.as_json(whole), FILE: file, **contents(root)}
    digest = write_archive(path, content)
    failed = sum(Status(record.status).failed for record in whole)
    return Packed(len(whole), failed, digest, path.stat().st_size)


def _submission(request: Request) -> tuple[bytes, Submission]:
    """The technique's file, and the submission by value; the file is run, as it was for its runs."""
    path, text = _renamed(request.technique)
    submission_of = {**vars(request), "data": request.data if source_folder(request.data) is None else FOLDER}
    plain = Submission(**submission_of | {"technique": text, "stack": ()})
    stack = trainable_stack(request.technique).spec()
    file = file_of(path.parent, path.name)
    (own,) = [part for part in stack if part.source]
    if own.version != version_of(file, ()):
        others = sorted(own_files(str(path)) - {str(path.resolve())})
        named = f", and {', '.join(others)} with it" if others else " and others"
        raise BenchError(f"{path} imports files of yours{named}; a submission is one file: move what it needs into it")
    return file, dataclasses.replace(plain, stack=tuple(dataclasses.replace(part, source="") for part in stack))


def _renamed(technique: str) -> tuple[Path, str]:
    """The path of the file in a stack, and the stack with the file's name in an archive in its place."""
    parts = [part.strip() for part in technique.split("+")]
    names = [part.partition(f"{SUFFIX}:") for part in parts]
    paths = [f"{path}{SUFFIX}" for path, found, _ in names if found]
    if len(paths) != 1:
        raise BadValue("technique of a submission", technique, "one PATH.py:Class, alone or in a stack")
    renamed = (f"{FILE}:{rest}" if found else path for path, found, rest in names)
    return Path(paths[0]), "+".join(renamed)


def _problems(
    request: Request, file: bytes, specs: Sequence[RunSpec], records: Mapping[str, RunRecord], store: Store
) -> list[str]:
    """What a store lacks, one line a task, each with the command that makes it."""
    found = []
    for task in request.tasks:
        seeds = written(submission_seeds(file, task, request.seeds))
        ids = [spec.run_id() for spec in specs if spec.task == task]
        statuses = [Status(records[one].status) for one in ids if one in records]
        missing, lost = len(ids) - len(statuses), sum(status.lost_to_infrastructure for status in statuses)
        if Status.UNSUPPORTED in statuses:
            reason = next(r.reason for r in records.values() if r.task == task and r.status == Status.UNSUPPORTED)
            found.append(f"{task} is declined, so there is nothing to submit on it: {reason}")
        elif missing or lost:
            retry = ["--retry", ",".join(s for s in Status if s.lost_to_infrastructure)] if lost else []
            words = [
                "run",
                "--tasks",
                task,
                "--techniques",
                f"{request.baseline},{request.technique}",
                "--seeds",
                seeds,
            ]
            settings = [f"--{name}={getattr(request, name)}" for name in ("profile", "model", "data")]
            command = shlex.join(["stabbench", *words, *settings, f"--store={store.root}", *retry])
            what = f"{missing} are not in {store.root}, {lost} were lost to infrastructure"
            found.append(f"{task}: of {len(ids)} runs {what}; this makes them: {command}")
    return found
