"""Jobs that a cluster was given, with the runs of each, and what they tell of these: any process can go on from there.

A submission is a folder `submissions/ID/`: `jobs.json` names its jobs and their runs, and each job has a journal, of
one line for each thing that it tells. What the engine of the cluster keeps of the jobs lies beside them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from bench_lib.core.atomic import replace_file
from bench_lib.core.errors import BenchError
from bench_lib.store.damage import writing
from bench_lib.store.listing import check_inside
from bench_lib.store.objects import Location

FOLDER = "submissions"
JOBS = "jobs.json"


@dataclass(frozen=True)
class Told:
    """What a job tells: how often it began each run, the runs that it stored, and whether it came to its end."""

    begun: Counter[str]
    stored: frozenset[str]
    over: bool

    def lost(self) -> Counter[str]:
        """How often each run was begun in vain, once the job is gone."""
        return self.begun - Counter(self.stored)


@dataclass(frozen=True)
class Journal:
    """The file into which one job writes what it does, a line at a time."""

    path: Path

    def begun(self, run_ids: Sequence[str]) -> None:
        """Some runs begin, which share a training."""
        self._add("begun", run_ids)

    def stored(self, run_id: str) -> None:
        """The store has a run."""
        self._add("stored", [run_id])

    def over(self) -> None:
        """The job did all that it was given."""
        self._add("over", [])

    def read(self) -> Told:
        """All that it says so far; a line that is not whole says nothing."""
        found: dict[str, list[str]] = {"begun": [], "stored": [], "over": []}
        lines: list[str] = []
        with suppress(FileNotFoundError):
            lines = self.path.read_text(encoding="utf-8", errors="replace").splitlines()
        over = False
        for line in lines:
            with suppress(ValueError, KeyError, TypeError):
                what, run_ids = json.loads(line)
                found[what] += map(str, run_ids)
                over |= what == "over"
        return Told(Counter(found["begun"]), frozenset(found["stored"]), over)

    def _add(self, what: str, run_ids: Sequence[str]) -> None:
        with writing(self.path), self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps([what, [*run_ids]]) + "\n")


@dataclass(frozen=True)
class Submission:
    """Jobs that were submitted together, by their names on the cluster, and the ids of the runs that each was given."""

    folder: Path
    jobs: tuple[str, ...]
    runs: tuple[tuple[str, ...], ...]

    def journal(self, place: int) -> Journal:
        """The journal of one job."""
        return journal(self.folder, place)

    def record(self) -> None:
        """Keep which jobs there are."""
        with writing(self.folder):
            replace_file(self.folder / JOBS, json.dumps({"jobs": self.jobs, "runs": self.runs}).encode())

    def forget(self) -> None:
        """Remove the folder, with the journals and what the engine kept."""
        shutil.rmtree(self.folder, ignore_errors=True)
        with suppress(OSError):
            self.folder.parent.rmdir()


def common_folder(root: Location, given: Path | None) -> Path:
    """Where the jobs of a store tell what they do: in its root, or in a folder that is given, which it may share.

    `BenchError` for a store in a bucket without such a folder.
    """
    if given is not None:
        place = str(root.absolute() if isinstance(root, Path) else root)
        return given / hashlib.sha256(place.encode()).hexdigest()[:12]
    if not isinstance(root, Path):
        raise BenchError(
            f"jobs of a cluster tell in a folder what they do, and {root} is in a bucket; give a folder that all nodes "
            "see as --submissions"
        )
    return root


def new_folder(root: Path) -> Path:
    """An empty folder for a submission of a store, by its full path, which is the same for its jobs."""
    folder = root.absolute() / FOLDER / uuid4().hex[:16]
    check_inside(root.absolute(), folder / JOBS)
    with writing(folder):
        folder.mkdir(parents=True)
    return folder


def journal(folder: Path, place: int) -> Journal:
    """The journal of the job at that place of a submission."""
    return Journal(folder / f"{place}.jsonl")


def submissions(root: Path) -> list[Submission]:
    """The submissions that are kept with a store; a folder whose submission was broken off counts for none."""
    found = []
    for path in sorted((root.absolute() / FOLDER).glob(f"*/{JOBS}")):
        with suppress(OSError, ValueError, KeyError, TypeError):
            said = json.loads(path.read_text(encoding="utf-8"))
            jobs, runs = tuple(map(str, said["jobs"])), tuple(tuple(map(str, one)) for one in said["runs"])
            if len(jobs) == len(runs):
                found.append(Submission(path.parent, jobs, runs))
    return found
