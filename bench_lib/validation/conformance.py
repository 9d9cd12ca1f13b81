"""The contract of techniques: one list of promises, checked by `check` on the tiny model and by the contract tests."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.core.record import RunRecord, Status
from bench_lib.runner.execute import execute
from bench_lib.runner.resolved import configured
from bench_lib.tasks.formats import FORMATS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Selects
from bench_lib.techniques.interface.stack import Stack, from_spec, is_foreign, parse_stack
from bench_lib.techniques.interface.state import kept_state
from bench_lib.techniques.interface.technique import FAMILIES
from bench_lib.validation.effect_measurement import Bench, compared, reference
from bench_lib.validation.trial import BASE, Trial, baseline, differences

TASK_OF = {task_format: task_format.sample_task for task_format in FORMATS}
BENCH = Bench()
CHOOSER = "best_checkpoint"
"""An observer that selects among all evaluations, so that other observers act at each of them."""


@dataclass(frozen=True)
class Breach:
    """A broken promise: the task, and what was observed."""

    promise: str
    task: str
    what: str


@dataclass(frozen=True)
class Promise:
    """A promise of every technique, and its check.

    `unkept` yields violations, on each task format or, without `on_tasks`, of the stack alone. It is None if only the
    tests of this suite, which know the technique, can check it.
    """

    name: str
    meaning: str
    unkept: Callable[[Trial], Iterator[str]] | None = None
    on_tasks: bool = True


def breaches(stack: Stack) -> list[Breach]:
    """Check a stack of techniques on every task format; takes seconds.

    The promise `acts` is checked last, if all others hold: it uses real weights and takes a minute.
    """
    found = unkept("declared", Trial(stack, ""))
    for task in TASK_OF.values():
        trial = Trial(stack, task)
        for promise in PROMISES.values():
            seen = unkept(promise.name, trial) if promise.on_tasks else []
            found += seen
            if seen and (promise.name == "runs" or trial.spoilt):
                break  # other checks need a run, and a baseline that earlier runs did not change
    return found or unkept("acts", Trial(stack, BENCH.task))


def unkept(promise: str, trial: Trial) -> list[Breach]:
    """Violations of a promise on a trial; empty if only tests of this suite can check it."""
    tried = PROMISES[promise].unkept
    return [Breach(promise, trial.task, what) for what in _caught(tried(trial))] if tried else []


def _caught(unkept: Iterable[str]) -> Iterator[str]:
    """The violations; an exception in the technique's code is one of them."""
    try:
        yield from unkept
    except (BadData, Unavailable):
        raise  # of this machine, not of the technique
    except Exception as error:
        yield f"raised {type(error).__name__}: {error}"


def _if_any(lead: str, differing: list[str]) -> Iterator[str]:
    if differing:
        yield f"{lead} {', '.join(differing)}"


def _undeclared(trial: Trial) -> Iterator[str]:
    for technique in trial.stack.techniques:
        if technique.family not in FAMILIES:
            yield f"{technique.name}: family is {technique.family!r}; allowed: {', '.join(FAMILIES)}"
        said = (technique.__doc__ or "").strip()
        # A dataclass without a docstring is given its signature as one.
        if not said or said.startswith(f"{type(technique).__name__}(") or not technique.paper.strip():
            yield f"{technique.name}: a docstring and the paper, or the word none, say what it is"
        if from_spec((technique.spec(),), TECHNIQUES).techniques != (technique,):
            yield f"{technique.name}: made again from its own spec it is another"


def _idle(trial: Trial) -> Iterator[str]:
    """A stack without effect; not checked for registered techniques, whose pages show their effect."""
    if not is_foreign(trial.stack.spec(), TECHNIQUES) or trial.stack.having(Selects):
        return  # a selector may select the last checkpoint
    known = reference(BENCH)
    run = BENCH.run(trial.stack)
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
    again = trial.execute(spec, around=1)
    if not differences(trial.usual, again):
        return
    # With the generators as they were: what differs now too differs by itself.
    same = list(_if_any("differs in", differences(trial.usual, trial.execute(spec, around=0))))
    after = kept_state(trial.stack)
    changed = [name for name, state in after.items() if state != before.get(name)]
    if same and changed:
        yield f"keeps state between runs, in {', '.join(changed)}, and so a second one {same[0]}"
    elif same:
        yield f"run twice with one seed it {same[0]}, whatever is around it: it reads a clock, or state out of sight"
    else:
        yield from _if_any("run twice with one seed it differs in", differences(trial.usual, again))


def _identity(trial: Trial) -> Iterator[str]:
    techniques = trial.stack.techniques
    if trial.usual.status == Status.UNSUPPORTED or any(t.identity is None for t in techniques):
        return
    identity = Stack(tuple(dataclasses.replace(t, **(t.identity or {})) for t in techniques))
    differing = differences(trial.run(identity), trial.base, identity)
    yield from _if_any(f"at its identity setting it differs from {BASE} in", differing)


def _leaves_no_trace(trial: Trial) -> Iterator[str]:
    seen = [f"{what} is not as it was before the run" for what in dict.fromkeys(trial.traces)]
    again = trial.execute(trial.spec(baseline()), around=0)
    said = f"it leaves state behind: after it ran, {BASE} differs in"
    spoilt = list(_if_any(said, differences(trial.base, again)))
    trial.spoilt = bool(spoilt)
    yield from (*seen, *spoilt)


def _passes(trial: Trial) -> Iterator[str]:
    record, spec = trial.usual, trial.spec(trial.stack)
    if record.status == Status.UNSUPPORTED:
        return
    profile = configured(spec.profile, trial.stack)
    part = profile.batch_size // profile.accumulate
    epoch = math.ceil(record.cost.examples / profile.epochs / part)  # micro-batches, of which the last may be short
    steps = [trial.stack.passes_at(step, record.cost.steps) for step in range(record.cost.steps)]
    # The last batch of an epoch may have fewer micro-batches, and which of its steps it is at is drawn.
    lacking = record.cost.steps * profile.accumulate - profile.epochs * epoch
    estimated = [each * epoch for each in trial.stack.estimation_passes()]
    counted = _own(record, "forward_passes"), _own(record, "backward_passes")
    columns = list(zip(*steps, strict=True))
    most, least = (
        tuple(
            sum(each) * profile.accumulate - lacking * extreme(each) + before
            for each, before in zip(columns, estimated, strict=True)
        )
        for extreme in (min, max)
    )
    if not all(low <= made <= high for low, made, high in zip(least, counted, most, strict=True)):
        declared = f"{most}" if most == least else f"{least} to {most}"
        yield f"declares {declared} forward and backward passes and makes {counted}"


def _own(record: RunRecord, passes: str) -> int:
    """The passes of the training itself, without those of the stages before it, which are reported."""
    before = sum(value for name, value in record.reported.items() if name.endswith(f".{passes}"))
    return int(record.columns()[passes] - before)


def _observes(trial: Trial) -> Iterator[str]:
    """An observer, which compresses at every evaluation if at all, does not change the training."""
    stack = trial.stack
    if trial.usual.status == Status.UNSUPPORTED or not all(t.observer for t in stack.techniques):
        return
    choosing = (
        stack if stack.having(Selects) else Stack((*parse_stack(CHOOSER, TECHNIQUES).techniques, *stack.techniques))
    )
    ridden = execute([trial.spec(choosing), trial.spec(baseline())])[1]
    said = f"with it riding along {BASE} differs in"
    yield from _if_any(said, differences(ridden, trial.base))


def _streams(trial: Trial) -> Iterator[str]:
    """Another augmentation seed changes only techniques that declare this stream."""
    stack = trial.stack
    if trial.usual.status == Status.UNSUPPORTED or any("augment" in t.draws() for t in stack.techniques):
        return
    spec = trial.spec(stack)
    other = trial.execute(dataclasses.replace(spec, frozen=(("augment", 1), *spec.frozen)), around=0)
    said = "`draws` does not name the seed stream augment, which changes"
    yield from _if_any(said, differences(trial.usual, other))


PROMISES = {
    promise.name: promise
    for promise in (
        Promise(
            "declared",
            "its docstring, family and paper say what it is, and its own spec makes it again",
            _undeclared,
            False,
        ),
        Promise("runs", "it runs on every task format, or declines with a reason", _runs),
        Promise("leaves no trace", "generators, settings and later runs are as if it had not run", _leaves_no_trace),
        Promise("repeats", "the same spec gives the same record, whatever ran before", _repeats),
        Promise("identity", "at its identity setting it equals the baseline bit for bit", _identity),
        Promise("observes", "as an observer it leaves the training to the bit as it is without it", _observes),
        Promise("streams", "another seed of augmentation changes nothing unless it declares that stream", _streams),
        Promise("passes", "it makes the forward and backward passes that it declares", _passes),
        Promise("acts", "at the strength that it is given it changes more than rounding does", _idle, False),
        Promise("formula", "it computes what was published"),
        Promise("evaluates cleanly", "an evaluation changes nothing, and gives the same again"),
        Promise("stacks", "it composes with what claims other hooks, and is refused by name with what claims the same"),
    )
}
