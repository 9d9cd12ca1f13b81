"""A trial of a stack: cached runs of it and of the baseline, and the global state that they changed."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from bench_lib.core.profiles import PROFILES, ProfileFamily
from bench_lib.core.record import ModelSize, RunRecord
from bench_lib.core.spec import Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.instruments.global_state import GENERATORS, SETTINGS, GlobalState, bits
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Compresses, EvaluatesUnder, Selects
from bench_lib.techniques.interface.stack import Stack, parse_stack

NOT_COMPARED = {"run_id", "training_id", "spec", "technique", "dev_score"}
"""Columns in which equal trainings differ: names, and scores that are only recorded where something selects by them."""
BASE = "adamw"
FEW = {"train_examples": 16, "eval_examples": 8, "evaluations": 2}
GLOBALS = GENERATORS | SETTINGS
"""The global state that a run must not change, and that is restored if it does."""


def baseline() -> Stack:
    """The stack of the baseline."""
    return parse_stack(BASE, TECHNIQUES)


def generated_spec(task: str, stack: Stack, model: str, family: ProfileFamily) -> RunSpec:
    """The spec of a run on generated examples, with seed 0."""
    found = TASKS.get(task)
    return RunSpec(
        task=found.name,
        task_version=found.version,
        data=Ref("embedded", load_data(found, "embedded").fingerprint),
        stack=stack.spec(),
        model=resolve(model, MODELS),
        profile=family(found.name, found.format),
        seed=0,
        profile_name=family.name,
    )


def tiny_spec(task: str, stack: Stack) -> RunSpec:
    """The spec of a run of a tiny model on a few generated examples; it takes a fraction of a second."""
    return generated_spec(task, stack, TASKS.get(task).format.sample_model, PROFILES.get("smoke").at(FEW))


@dataclass(eq=False)
class Trial:
    """A stack on one task; runs that are not given are made once, from the spec of `spec_of`.

    `foreign` code may change attributes of modules, whose comparison takes time. `traces` names the state that the runs
    changed; `spoilt` says that the baseline differs after them.
    """

    stack: Stack
    task: str
    spec_of: Callable[[str, Stack], RunSpec] = tiny_spec
    runs: dict[tuple[TechniqueSpec, ...], RunRecord] = field(default_factory=dict)
    foreign: bool = True
    traces: list[str] = field(default_factory=list)
    spoilt: bool = False

    def spec(self, stack: Stack) -> RunSpec:
        return self.spec_of(self.task, stack)

    def run(self, stack: Stack) -> RunRecord:
        if stack.spec() not in self.runs:
            self.runs[stack.spec()] = self.execute(self.spec(stack), around=0)
        return self.runs[stack.spec()]

    def execute(self, spec: RunSpec, around: int) -> RunRecord:
        """Execute a run, with the global generators seeded with `around`."""
        with surrounded(around, self.foreign) as changed:
            (record,) = execute([spec])
        self.traces += [*changed, *filter(None, record.provenance.get("left_behind", "").split(", "))]
        return record

    @property
    def base(self) -> RunRecord:
        return self.run(baseline())

    @property
    def usual(self) -> RunRecord:
        return self.run(self.stack)


def evaluated_last(stack: Stack) -> bool:
    """Whether an observer evaluates its own weights and none selects: it then affects only the last evaluation."""
    altering = any(t.observer and isinstance(t, Compresses | EvaluatesUnder) for t in stack.techniques)
    return altering and not stack.having(Selects)


def differences(one: RunRecord, other: RunRecord, last_only: Stack | None = None) -> list[str]:
    """The fields in which two results differ bitwise, including predictions, without the names of the technique.

    For a stack whose observers affect only the last evaluation, only that one is compared. Sizes of compressed models
    are not compared, since these are saved whole.
    """
    results = [{k: v for k, v in record.result().items() if k not in NOT_COMPARED} for record in (one, other)]
    if last_only is not None and evaluated_last(last_only):
        results = [r | {name: r[name][-1:] for name in ("eval_step", "eval_score")} for r in results]
    if last_only is not None and last_only.having(Compresses):
        results = [r | dict.fromkeys(f.name for f in dataclasses.fields(ModelSize)) for r in results]
    found = [name for name in results[0] if canonical_json(results[0][name]) != canonical_json(results[1][name])]
    values = [b"" if r.predictions is None else r.predictions.values.tobytes() for r in (one, other)]
    return found if values[0] == values[1] else [*found, "predictions"]


@contextmanager
def surrounded(number: int, foreign: bool = True) -> Iterator[list[str]]:
    """Seed the global generators with a number; names changed global state in the list, and restores it."""
    outside = {what: get() for what, (get, _) in GENERATORS.items()}
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)
    around, before = GlobalState(foreign), {what: bits(get()) for what, (get, _) in GENERATORS.items()}
    changed: list[str] = []
    try:
        yield changed
    finally:
        changed += around.restore()
        changed += [what for what, (get, _) in GENERATORS.items() if bits(get()) != before[what]]
        for what, (_, put) in GENERATORS.items():
            put(outside[what])
