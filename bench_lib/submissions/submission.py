"""What a submission says of itself: the technique, the cells, the number of seeds, the machines; `submission.json`."""

from __future__ import annotations

import dataclasses
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench_lib.core.errors import BadData, BenchError, UnknownName, require
from bench_lib.core.profiles import along
from bench_lib.core.record import RunRecord
from bench_lib.core.spec import RunSpec, TechniqueSpec, canonical_json
from bench_lib.harness.corrections import corrections_of
from bench_lib.models import MODELS
from bench_lib.runner.grid import Grid, plan
from bench_lib.submissions.seeds import LEAST, WIDTH, submission_seeds
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES

FORMAT = 1
FILE = "technique.py"
"""The name of the technique's file in an archive."""
FOLDER = "folder"
"""What stands for data of a folder, whose path differs from machine to machine."""
SOURCES = ("embedded", "hub", FOLDER)

TEXTS = ("technique", "baseline", "profile", "model", "data")
LONGEST = 1_000
"""The most characters of a text."""


@dataclass(frozen=True)
class Submission:
    """A technique from a file against a baseline: on each task as many seeds of either, and nothing else.

    `technique` is the stack as text in which `technique.py` stands for the file, and `stack` the same by value.
    """

    technique: str
    stack: tuple[TechniqueSpec, ...]
    baseline: str
    tasks: tuple[str, ...]
    profile: str
    model: str
    data: str
    seeds: int

    def __post_init__(self) -> None:
        """Refuse what a maintainer could not check: only the technique may be the submitter's own."""
        _check_technique(self.technique)
        for name in self.baseline.split("+"):
            _check_registered("technique", name.partition(":")[0], TECHNIQUES.own())
        require(0 < len(self.tasks) == len(set(self.tasks)), "tasks", self.tasks, "at least one, each once")
        for task in self.tasks:
            _check_registered("task", task, TASKS.own())
        _check_registered("model", self.model, MODELS.own())
        require(self.data in SOURCES, "data of a submission", self.data, ", ".join(SOURCES))
        require(LEAST <= self.seeds <= WIDTH, "seeds of a submission", self.seeds, f"{LEAST} to {WIDTH:,}")
        scored = "one that is scored on the evaluation set"
        require("scored_on=dev" not in self.profile.split(":"), "profile", self.profile, scored)
        along(self.profile, ())

    @property
    def label(self) -> str:
        """The technique as records name it."""
        return "+".join(part.label for part in self.stack)

    @property
    def version(self) -> str:
        """The version that the technique of the file has, which is a hash of the file."""
        place = next(i for i, part in enumerate(self.technique.split("+")) if part.startswith(f"{FILE}:"))
        return self.stack[place].version

    def runs(self, file: bytes, data: str) -> list[RunSpec]:
        """All runs, by task and seed, the baseline's before the technique's; the source of the data may be a folder.

        They follow from the file's text: nothing of it is run.
        """
        return [
            spec for task in self.tasks for spec in self._runs(task, submission_seeds(file, task, self.seeds), data)
        ]

    def _runs(self, task: str, seeds: range, data: str) -> Iterator[RunSpec]:
        grid = Grid((task,), (self.baseline,), (*seeds,), self.profile, self.model, data)
        found = TASKS.get(task)
        for spec in plan(grid):
            own = dataclasses.replace(spec, stack=self.stack)
            yield from (spec, dataclasses.replace(own, corrections=corrections_of(own, found.format, found.labels)))

    def as_json(self, records: Iterable[RunRecord]) -> bytes:
        """The content of `submission.json`, with the machines on which the runs were made."""
        values = {name: getattr(self, name) for name in (*TEXTS, "tasks", "seeds")}
        stack = [
            {"name": part.name, "params": dict(part.params), "version": part.version, "observer": part.observer}
            | {"label": part.label}
            for part in self.stack
        ]
        whole = {"format": FORMAT, **values, "stack": stack, "environments": environments(records)}
        return (json.dumps(json.loads(canonical_json(whole)), indent=1, sort_keys=True) + "\n").encode()


def environments(records: Iterable[RunRecord]) -> list[dict[str, Any]]:
    """The machines and versions of some runs, each with how many runs it made; most runs first."""
    facts = [{k: v for k, v in record.provenance.items() if k != "started"} for record in records]
    counted = Counter(canonical_json(one) for one in facts)
    ordered = sorted(counted.items(), key=lambda item: (-item[1], item[0]))
    return [{"runs": count, **json.loads(text)} for text, count in ordered]


def read_submission(text: bytes) -> tuple[Submission, list[Any]]:
    """A submission and its environments from `submission.json`; raises `BenchError` for what is none."""
    try:
        found = json.loads(text)
        if not isinstance(found, dict) or found.get("format") != FORMAT:
            raise ValueError(f"it is no submission of format {FORMAT}")
        texts = {name: _text(found[name]) for name in TEXTS}
        stack = tuple(_technique(part) for part in found["stack"])
        tasks, seeds, machines = tuple(map(_text, found["tasks"])), found["seeds"], found["environments"]
        if type(seeds) is not int or not isinstance(machines, list) or not stack:
            raise ValueError("seeds, stack or environments are not of their types")
    except (KeyError, TypeError, ValueError, RecursionError) as error:
        missing = f"there is no {error}" if isinstance(error, KeyError) else error
        raise BadData(f"submission.json cannot be read: {missing}") from error
    submission = Submission(stack=stack, tasks=tasks, seeds=seeds, **texts)
    if len(stack) != len(submission.technique.split("+")):
        raise BadData("submission.json names as many techniques in `technique` as in `stack`, or is none")
    return submission, machines


def _technique(part: Mapping[str, Any]) -> TechniqueSpec:
    params = part["params"]
    if not isinstance(params, dict) or not all(isinstance(v, str | int | float | None) for v in params.values()):
        raise ValueError("the settings of a technique are no plain values")
    texts = (_text(part[name]) for name in ("name", "version", "label"))
    name, version, label = texts
    return TechniqueSpec(name, tuple(params.items()), version, part["observer"] is True, label)


def _text(value: object) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not value.isprintable():
        raise ValueError(f"a text is missing, or has more than {LONGEST:,} characters or unprintable ones")
    return value


def _check_technique(text: str) -> None:
    """Raise `BadValue` unless one part of the stack is from the submitted file, and the others are registered."""
    parts = [part.strip() for part in text.split("+")]
    own = [part for part in parts if re.fullmatch(rf"{re.escape(FILE)}:[A-Za-z_]\w*(:.*)?", part)]
    require(
        len(own) == 1, "technique of a submission", text, "one PATH.py:Class, alone or in a stack of registered ones"
    )
    for part in parts:
        if part not in own:
            _check_registered("technique", part.partition(":")[0], TECHNIQUES.own())


def _check_registered(kind: str, name: str, known: Sequence[str]) -> None:
    if name not in known:
        hint = "a submission may have only what this package has, but for its technique"
        raise BenchError(f"{UnknownName(kind, name, known)}; {hint}")
