"""What every technique promises, tried on the tiny model: for a technique that arrives without tests of its own."""

from __future__ import annotations

import dataclasses
import math
import random
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import Ref, RunSpec, TechniqueSpec, canonical_json
from bench_lib.harness.efficiency import Footprint
from bench_lib.instruments.surroundings import GENERATORS, SETTINGS, Surroundings, bits
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.runner.execute import configured, execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Compresses, EvaluatesUnder, Selects
from bench_lib.techniques.interface.stack import Stack, from_spec, is_foreign, parse_stack
from bench_lib.techniques.interface.state import kept_state
from bench_lib.techniques.interface.technique import FAMILIES
from bench_lib.validation.effect import Bench, compared, reference

TASK_OF = {kind: kind.sample_task for kind in FORMATS}
LABELS = {"run_id", "training_id", "spec", "technique"}
BASE = "adamw"
BENCH = Bench()
CHOOSER = "best_checkpoint"
"""An observer that chooses among all evaluations, so that what it stands beside acts at each of them."""


@dataclass(frozen=True)
class Breach:
    """A promise that was not kept, on which task, and what was seen."""

    promise: str
    task: str
    what: str


@dataclass(eq=False)
class Trial:
    """A stack on one task with the tiny model; each run is made once.

    `traces` are what the runs left changed, and `spoilt` says that the baseline is another after them.
    """

    stack: Stack
    task: str
    runs: dict[tuple[TechniqueSpec, ...], RunRecord] = field(default_factory=dict)
    traces: list[str] = field(default_factory=list)
    spoilt: bool = False

    def spec(self, stack: Stack) -> RunSpec:
        task = TASKS.get(self.task)
        profile = PROFILES.get("smoke")(task.name, task.kind)
        return RunSpec(
            task=task.name,
            task_version=task.version,
            data=Ref("embedded", load_data(task, "embedded").fingerprint),
            stack=stack.spec(),
            model=resolve("tiny", MODELS),
            profile=dataclasses.replace(profile, train_examples=16, eval_examples=8, evaluations=2),
            seed=0,
            profile_name="smoke",
        )

    def run(self, stack: Stack) -> RunRecord:
        spec = self.spec(stack)
        if spec.stack not in self.runs:
            self.runs[spec.stack] = self.made(spec, around=0)
        return self.runs[spec.stack]

    def made(self, spec: RunSpec, around: int) -> RunRecord:
        """The record of a run made now, in a process whose global generators were seeded with a number."""
        with _surrounded(around) as changed:
            (record,) = execute([spec])
        self.traces += [*changed, *filter(None, record.provenance.get("left_behind", "").split(", "))]
        return record

    @property
    def base(self) -> RunRecord:
        return self.run(parse_stack(BASE, TECHNIQUES))

    @property
    def usual(self) -> RunRecord:
        return self.run(self.stack)


def breaches(stack: Stack) -> list[Breach]:
    """The promises that a stack of techniques does not keep, over every kind of task; takes seconds.

    It runs, or declines with a reason; gives the same record again; equals the baseline bit for bit where each of its
    techniques has a neutral point; leaves the training alone if it is an observer, and the global generators and
    settings as they were; draws from the seed stream of augmentation only if it says so; makes the passes that it
    declares; and says what it is. What keeps all of these must also do something: `effect`, with real weights, is tried
    last, since it takes a minute.
    """
    found = [Breach("declared", "", what) for what in _caught(_undeclared(stack))]
    for task in TASK_OF.values():
        trial = Trial(stack, task)
        for promise, unkept in PROMISES.items():
            seen = [Breach(promise, task, what) for what in _caught(unkept(trial))]
            found += seen
            if seen and (promise == "runs" or trial.spoilt):
                break  # nothing else can be told where there is no run, or where those before it changed it
    return found or [Breach("acts", BENCH.task, what) for what in _caught(_idle(stack))]


def _caught(unkept: Iterable[str]) -> Iterator[str]:
    """What is seen to be unkept; what a technique's code raises on the way is one of these."""
    try:
        yield from unkept
    except (BadData, Unavailable):
        raise  # of this machine, not of the technique
    except Exception as error:
        yield f"raised {type(error).__name__}: {error}"


def _undeclared(stack: Stack) -> Iterator[str]:
    for technique in stack.techniques:
        if technique.family not in FAMILIES:
            yield f"{technique.name}: family is {technique.family!r}; allowed: {', '.join(FAMILIES)}"
        said = (technique.__doc__ or "").strip()
        # A dataclass without a docstring is given its signature as one.
        if not said or said.startswith(f"{type(technique).__name__}(") or not technique.paper.strip():
            yield f"{technique.name}: a docstring and the paper, or the word none, say what it is"
        if from_spec((technique.spec(),), TECHNIQUES).techniques != (technique,):
            yield f"{technique.name}: made again from its own spec it is another"


def _idle(stack: Stack) -> Iterator[str]:
    """What does nothing; of techniques that are registered it is known, and told on their pages."""
    if not is_foreign(stack.spec(), TECHNIQUES) or stack.having(Selects):
        return  # what selects may rightly take the last checkpoint
    known = reference(BENCH)
    run = BENCH.run(stack)
    if run.status != Status.UNSUPPORTED and not compared(run, known.base, known.start).acts(known.rounding):
        yield f"in a run of {BENCH} it changes no more than rounding does; give it the strength at which it acts"


def _runs(trial: Trial) -> Iterator[str]:
    assert trial.base.status  # run before the technique, whatever that leaves behind
    record = trial.usual
    if record.status not in (Status.CONVERGED, Status.COLLAPSED, Status.UNSUPPORTED):
        yield f"ended as {record.status}: {(record.reason.strip().splitlines() or ['no reason is known'])[-1]}"
    elif record.status == Status.UNSUPPORTED and not record.reason.strip():
        yield "declines without a reason"


def _repeats(trial: Trial) -> Iterator[str]:
    spec, before = trial.spec(trial.stack), kept_state(trial.stack)
    again = trial.made(spec, around=1)
    if not list(_differences(trial.usual, again, "")):
        return
    # With the generators as they were: what differs now too differs by itself.
    same = list(_differences(trial.usual, trial.made(spec, around=0), "differs in"))
    after = kept_state(trial.stack)
    changed = [name for name, state in after.items() if state != before.get(name)]
    if same and changed:
        yield f"keeps state between runs, in {', '.join(changed)}, and so a second one {same[0]}"
    elif same:
        yield f"run twice with one seed it {same[0]}, whatever is around it: it reads a clock, or state out of sight"
    else:
        yield from _differences(trial.usual, again, "run twice with one seed it differs in")


def _neutral(trial: Trial) -> Iterator[str]:
    techniques = trial.stack.techniques
    if trial.usual.status == Status.UNSUPPORTED or any(t.neutral is None for t in techniques):
        return
    neutral = Stack(tuple(dataclasses.replace(t, **(t.neutral or {})) for t in techniques))
    base = trial.run(parse_stack(BASE, TECHNIQUES))
    yield from _differences(trial.run(neutral), base, f"at its neutral point it differs from {BASE} in", neutral)


def _leaves_no_trace(trial: Trial) -> Iterator[str]:
    seen = [f"{what} is not as it was before the run" for what in dict.fromkeys(trial.traces)]
    again = trial.made(trial.spec(parse_stack(BASE, TECHNIQUES)), around=0)
    spoilt = list(_differences(trial.base, again, f"it leaves state behind: after it ran, {BASE} differs in"))
    trial.spoilt = bool(spoilt)
    yield from (*seen, *spoilt)


def _passes(trial: Trial) -> Iterator[str]:
    record, spec = trial.usual, trial.spec(trial.stack)
    if record.status == Status.UNSUPPORTED:
        return
    profile = configured(spec.profile, trial.stack)
    part = profile.batch_size // profile.accumulate
    epoch = math.ceil(record.examples / profile.epochs / part)  # micro-batches, of which the last may be short
    steps = [trial.stack.passes_at(step, record.steps) for step in range(record.steps)]
    # The last batch of an epoch may have fewer micro-batches, and which of its steps it is at is drawn.
    lacking = record.steps * profile.accumulate - profile.epochs * epoch
    surveyed = [each * epoch for each in trial.stack.survey_passes()]
    counted = _own(record, "forward_passes"), _own(record, "backward_passes")
    columns = list(zip(*steps, strict=True))
    most, least = (
        tuple(
            sum(each) * profile.accumulate - lacking * extreme(each) + before
            for each, before in zip(columns, surveyed, strict=True)
        )
        for extreme in (min, max)
    )
    if not all(low <= made <= high for low, made, high in zip(least, counted, most, strict=True)):
        declared = f"{most}" if most == least else f"{least} to {most}"
        yield f"declares {declared} forward and backward passes and makes {counted}"


def _own(record: RunRecord, passes: str) -> int:
    """The passes of the training itself; those of what went before it are reported apart."""
    before = sum(value for name, value in record.reported.items() if name.endswith(f".{passes}"))
    return int(getattr(record, passes) - before)


def _observes(trial: Trial) -> Iterator[str]:
    """What rides along, compressing at every evaluation where it compresses, leaves the training as it would be."""
    stack, base = trial.stack, parse_stack(BASE, TECHNIQUES)
    if trial.usual.status == Status.UNSUPPORTED or not all(t.observer for t in stack.techniques):
        return
    choosing = (
        stack if stack.having(Selects) else Stack((*parse_stack(CHOOSER, TECHNIQUES).techniques, *stack.techniques))
    )
    ridden = execute([trial.spec(choosing), trial.spec(base)])[1]
    yield from _differences(ridden, trial.run(base), f"with it riding along {BASE} differs in")


def _streams(trial: Trial) -> Iterator[str]:
    """Another seed of augmentation changes nothing that does not say that it draws from it, or its arms are refused."""
    stack = trial.stack
    if trial.usual.status == Status.UNSUPPORTED or any("augment" in t.draws() for t in stack.techniques):
        return
    spec = trial.spec(stack)
    other = trial.made(dataclasses.replace(spec, frozen=(("augment", 1), *spec.frozen)), around=0)
    said = "`draws` does not name the seed stream augment, which changes"
    yield from _differences(trial.usual, other, said)


PROMISES: dict[str, Callable[[Trial], Iterator[str]]] = {
    "runs": _runs,
    "leaves no trace": _leaves_no_trace,
    "repeats": _repeats,
    "neutral": _neutral,
    "observes": _observes,
    "streams": _streams,
    "passes": _passes,
}


def _differences(one: RunRecord, other: RunRecord, said: str, last_only: Stack | None = None) -> Iterator[str]:
    """Fields in which two results differ; of observers that are evaluated last only, that evaluation is compared.

    What is compressed is saved whole, whatever trained, so that the sizes are not.
    """
    results = [{k: v for k, v in record.result().items() if k not in LABELS} for record in (one, other)]
    compresses = last_only is not None and bool(last_only.having(Compresses))
    altered = last_only is not None and (compresses or bool(last_only.having(EvaluatesUnder)))
    if last_only is not None and altered and not last_only.having(Selects):
        results = [r | {name: r[name][-1:] for name in ("eval_step", "eval_score")} for r in results]
    if compresses:
        results = [r | dict.fromkeys(f.name for f in dataclasses.fields(Footprint)) for r in results]
    fields = [name for name in results[0] if canonical_json(results[0][name]) != canonical_json(results[1][name])]
    values = [b"" if r.predictions is None else r.predictions.values.tobytes() for r in (one, other)]
    if values[0] != values[1]:
        fields.append("predictions")
    if fields:
        yield f"{said} {', '.join(fields)}"


@contextmanager
def _surrounded(number: int) -> Iterator[list[str]]:
    """Seed the global generators with a number; what is changed within is named in the list, and put right again."""
    outside = {what: get() for what, (get, _) in GENERATORS.items()}
    torch.manual_seed(number)
    np.random.seed(number)
    random.seed(number)
    around, before = Surroundings(), {what: bits(get()) for what, (get, _) in GENERATORS.items()}
    changed: list[str] = []
    try:
        yield changed
    finally:
        changed += around.restore()
        changed += [what for what, (get, _) in GENERATORS.items() if bits(get()) != before[what]]
        for what, (_, put) in GENERATORS.items():
            put(outside[what])


GLOBALS = GENERATORS | SETTINGS
"""All that a run is to leave as it was, and that is put back where it does not."""
