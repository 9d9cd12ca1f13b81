"""Checks that run a submission's code, in worker processes: its promises, and some of its runs trained again."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench_lib.comparison.sequential import trainable_stack
from bench_lib.core.errors import BenchError, one_line, require
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import RunSpec, TechniqueSpec, canonical_json
from bench_lib.executors.base import Executor
from bench_lib.runner.execute import execute
from bench_lib.store import kind_of_machine
from bench_lib.store.repeats import EXACT, differences, is_judged
from bench_lib.submissions.finding import Finding, Standing, judged
from bench_lib.submissions.integrity import Unpacked
from bench_lib.submissions.submission import FILE
from bench_lib.validation import conformance


@dataclass(frozen=True)
class Sampling:
    """How many runs are trained again, and the text that chooses them together with the archive's hash."""

    runs: int
    key: str

    def __post_init__(self) -> None:
        require(self.runs >= 1, "--sample", self.runs, "1 or more")

    def of(self, unpacked: Unpacked) -> list[RunSpec]:
        """The chosen runs, of technique and baseline alike."""

        def rank(spec: RunSpec) -> str:
            return hashlib.sha256(canonical_json([self.key, unpacked.digest, spec.run_id()]).encode()).hexdigest()

        return sorted(unpacked.submission.runs(unpacked.file, unpacked.data), key=rank)[: self.runs]


def trusted_checks(unpacked: Unpacked, sampling: Sampling, executor: Executor) -> Iterator[Finding]:
    """The findings in order; the last one is the first that refuses. The code is run in the executor's processes."""
    path = f"{unpacked.folder / FILE}"
    text = unpacked.submission.technique.replace(f"{FILE}:", f"{path}:", 1)
    (done,) = executor.run(broken_promises, [(text, unpacked.submission.stack)])
    # Also where the code ended its process: a technique that does so is refused.
    problems = [one_line(done.failure.message)] if done.failure else done.result or []
    yield (finding := judged("promises", problems, "every promise of techniques is kept"))
    if finding.standing is Standing.VERIFIED:
        for spec in sampling.of(unpacked):
            yield (finding := _again(unpacked, spec, executor))
            if finding.standing is Standing.REFUSED:
                return


def broken_promises(job: tuple[str, Sequence[TechniqueSpec]]) -> list[str]:
    """The promises that the technique of a file breaks, as text; and whether it is what its submission says."""
    text, declared = job
    try:
        stack = trainable_stack(text)
    except BenchError as error:
        return [str(error)]
    found = tuple(dataclasses.replace(part, source="") for part in stack.spec())
    if canonical_json([vars(part) for part in found]) != canonical_json([vars(part) for part in declared]):
        return [f"{FILE} makes another technique or other settings than submission.json says"]
    return [f"{one.promise}{f' on {one.task}' if one.task else ''}: {one.what}" for one in conformance.breaches(stack)]


def _again(unpacked: Unpacked, spec: RunSpec, executor: Executor) -> Finding:
    """A run trained again, compared with the stored one."""
    name = f"{spec.task}, {spec.technique()}, seed {spec.seed}"
    (stored,) = unpacked.store.records([spec.run_id()])
    stored = dataclasses.replace(stored, predictions=unpacked.store.predictions(stored.run_id))
    (done,) = executor.run(execute, [(_located(unpacked, spec),)])
    if done.result is None or Status(done.result[0].status).lost_to_infrastructure:
        reason = done.result[0].reason if done.result else done.failure and done.failure.message
        return Finding("trained again", Standing.OPEN, f"{name}: lost to infrastructure: {one_line(str(reason))}")
    return compared(name, stored, done.result[0])


def _located(unpacked: Unpacked, spec: RunSpec) -> RunSpec:
    """The run with the technique of the unpacked file, if it has it."""
    parts = [part.strip().split(":") for part in unpacked.submission.technique.split("+")]
    if spec.stack != unpacked.submission.stack:
        return spec
    sources = [f"{unpacked.folder / FILE}:{words[1]}" if words[0] == FILE else "" for words in parts]
    located = [dataclasses.replace(part, source=source) for part, source in zip(spec.stack, sources, strict=True)]
    return dataclasses.replace(spec, stack=tuple(located))


def compared(name: str, stored: RunRecord, again: RunRecord) -> Finding:
    """How a run agrees with the same run trained here: to the bit on one kind of machine, by the figures on others."""
    if not is_judged(again):
        return Finding("trained again", Standing.REFUSED, f"{name}: {stored.status} stored, {again.status} here")
    fields = differences(stored, again)
    if not (_same(stored, again) or fields):
        fields = ["predictions"]
    if not fields:
        return Finding("trained again", Standing.VERIFIED, f"{name}: equal to the bit")
    if kind_of_machine(stored.provenance) == kind_of_machine(again.provenance):
        return Finding(
            "trained again", Standing.REFUSED, f"{name}: differs in {', '.join(fields)}; {_scores(stored, again)}"
        )
    if exact := EXACT.intersection(fields):
        return Finding(
            "trained again", Standing.REFUSED, f"{name}: differs in {', '.join(exact)}, which no rounding does"
        )
    where = "this kind of machine is another than the run's, so bits may differ"
    return Finding("trained again", Standing.OPEN, f"{name}: {where}; {_scores(stored, again)}")


def _same(one: RunRecord, other: RunRecord) -> bool:
    """Whether two runs predicted the same, to the bit."""
    return _bits(one) == _bits(other)


def _bits(record: RunRecord) -> list[bytes]:
    predictions = record.predictions
    held = [] if predictions is None else [predictions.values, predictions.lengths]
    return [array.tobytes() for array in held if array is not None]


def _scores(stored: RunRecord, again: RunRecord) -> str:
    """The scores, and the losses of the first step, which precede any update and hardly differ between machines."""
    ends = [f"{r.status} {'without a score' if r.score is None else format(r.score, '.6f')}" for r in (stored, again)]
    losses = [format(r.curve.loss[0], ".6f") if r.curve.loss else "none" for r in (stored, again)]
    return f"{ends[0]} stored, {ends[1]} here; the first step's loss {losses[0]} and {losses[1]}"
