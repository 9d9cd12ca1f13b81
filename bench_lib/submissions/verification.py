"""The verification of a submission, for a maintainer: what is checked without running its code, then with it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from bench_lib.core.errors import BadValue
from bench_lib.executors.base import Executor
from bench_lib.store import Store
from bench_lib.submissions.archive import MANIFEST, RESULTS, file_of, unpack
from bench_lib.submissions.finding import Finding, Standing, verdict
from bench_lib.submissions.integrity import Unpacked, static_checks
from bench_lib.submissions.retraining import Sampling, trusted_checks
from bench_lib.submissions.submission import FILE, FOLDER, read_submission


@dataclass(frozen=True)
class Trust:
    """The decision to run the submitted code: where, and how many runs are trained again."""

    sampling: Sampling
    executor: Executor


def opened(archive: Path, folder: Path, data: str | None = None) -> Unpacked:
    """Unpack a submission into an empty folder; raises `BenchError` for what is none, or where its data are unknown."""
    digest = unpack(archive, folder)
    submission, machines = read_submission(file_of(folder, MANIFEST))
    if submission.data == FOLDER and data is None:
        raise BadValue("--data", data, f"the folder with the data of {', '.join(submission.tasks)}")
    if submission.data != FOLDER and data not in (None, submission.data):
        raise BadValue("--data", data, f"{submission.data}, which the submission says, or nothing")
    return Unpacked(
        folder, digest, submission, machines, file_of(folder, FILE), Store(folder / RESULTS), data or submission.data
    )


def verified(unpacked: Unpacked, trust: Trust | None) -> Iterator[Finding]:
    """The findings as they are made; without trust nothing of the submission is run, and its runs stay open.

    What is refused before is not run at all.
    """
    found: list[Finding] = []
    for finding in static_checks(unpacked):
        found.append(finding)
        yield finding
    if verdict(found) is Standing.REFUSED:
        return
    if trust is None:
        yield Finding("promises and runs", Standing.OPEN, "not tried, since that runs the code of the submission")
        return
    yield from trusted_checks(unpacked, trust.sampling, trust.executor)
