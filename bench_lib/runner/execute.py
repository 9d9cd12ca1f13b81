"""Execute runs: resolve names, train once, return one record for each spec; nothing is written to the store."""

from __future__ import annotations

import dataclasses
import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import nn

from bench_lib.core.errors import BadData, BenchError, Unavailable
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile, RunSpec, canonical_json
from bench_lib.executors.worker import retire
from bench_lib.harness.augment import Augmented, Draw, augmented
from bench_lib.harness.datasets import Evaluation, Subset, data_key, evaluation_set, train_features
from bench_lib.harness.efficiency import Footprint, learnt, sampled, saved_bytes
from bench_lib.harness.ending import ending
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.loop import Loop
from bench_lib.harness.observers import ObserverRun
from bench_lib.harness.precision import computed_by
from bench_lib.harness.pretraining import RunPretraining, prepare
from bench_lib.harness.prompted import prompted_model
from bench_lib.harness.robustness import Examination
from bench_lib.instruments.determinism import isolated
from bench_lib.instruments.memory import PeakMemory
from bench_lib.instruments.provenance import left_behind, provenance
from bench_lib.instruments.timing import Stopwatch
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of, parameter_count
from bench_lib.models.load import instantiate, load_template, load_tokenizer
from bench_lib.models.pretrained import Pretrained
from bench_lib.models.source import display_name
from bench_lib.tasks import TASKS
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Augments, Configures, Prompts, Saves
from bench_lib.techniques.interface.stack import Stack, from_spec, is_foreign
from bench_lib.techniques.toolkit.dropout_rates import set_dropout


@dataclass(eq=False)
class Attempt:
    """Intermediate results of a group of runs, kept up to the point of a failure."""

    device: torch.device
    memory: PeakMemory
    started: float = field(default_factory=time.perf_counter)
    setup_seconds: float = 0.0
    status: Status = Status.CONVERGED
    reason: str = ""
    constant_baseline: float | None = None
    training: Training | None = None
    pretrained: Pretrained | None = None
    stage: RunPretraining | None = None
    loop: Loop | None = None
    observer_runs: list[ObserverRun] = field(default_factory=list)
    footprint: Footprint = field(default_factory=Footprint)


def execute(specs: Sequence[RunSpec]) -> list[RunRecord]:
    """Train once and return one record for each spec; the specs may differ only in their observers.

    A failure in training, memory or technique code becomes the status and reason of the record. Invalid input, such as
    data changed since planning, raises `BenchError`.
    """
    if any(spec.pools() for spec in specs):
        raise BenchError(
            "a seed ensemble is built from stored runs and not trained; run its members and build it from them"
        )
    if len({spec.training().run_id() for spec in specs}) != 1:
        raise BenchError("runs that are executed together must share their training: all but the observers")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    foreign = any(is_foreign(spec.stack, TECHNIQUES) for spec in specs)
    if foreign:
        retire()  # state left behind by foreign code ends with its worker process
    stack = from_spec(specs[0].training().stack, TECHNIQUES)
    observers = [from_spec(tuple(t for t in spec.stack if t.observer), TECHNIQUES) for spec in specs]
    attempt = Attempt(device, PeakMemory(device))
    with isolated(specs[0].profile.threads, device, foreign) as left:
        try:
            _train(specs[0], stack, observers, attempt)
        except (BadData, Unavailable, KeyboardInterrupt):
            raise
        except BaseException as error:  # a technique may raise anything; the sweep continues
            attempt.status, attempt.reason = ending(error)
    left += attempt.pretrained.restore() if attempt.pretrained else []
    precision = attempt.training.profile.precision if attempt.training else ""
    facts = {**provenance(device), **computed_by(device, precision), **left_behind(left)}
    if attempt.pretrained is not None and attempt.training is not None:
        facts |= attempt.pretrained.of_head(specs[0].profile.keep_head)
    runs: list[ObserverRun | None] = [*attempt.observer_runs, *([None] * (len(specs) - len(attempt.observer_runs)))]
    return [_record(spec, run, attempt, facts) for spec, run in zip(specs, runs, strict=True)]


def _train(spec: RunSpec, stack: Stack, observers: Sequence[Stack], attempt: Attempt) -> None:
    task = TASKS.get(spec.task)
    for one in (stack, *observers):
        one.check(task.format)
    profile = configured(spec.profile, stack)
    made, evaluation = _data(spec, profile, stack)
    attempt.constant_baseline = evaluation.constant_baseline
    attempt.pretrained = pretrained = _pretrained(spec)
    attempt.training = training = _loaded(spec, stack, profile, attempt.device, pretrained)
    training.reported.update(made.reported)
    training.epoch_size = made.epoch_size
    loaded = dict(training.model.named_parameters())
    attempt.stage = stage = RunPretraining(spec, stack, training, made.features)
    stage.train()
    prepare(training, stack)
    pad_id = int(load_tokenizer(spec.model).pad_token_id)
    inputs = functools.partial(sampled, training, evaluation.features, pad_id)
    for stacked in observers:
        run = ObserverRun(stacked, Stopwatch(attempt.device), Stopwatch(attempt.device), inputs)
        attempt.observer_runs.append(run)
    attempt.loop = Loop(training, stack, stage.features, pad_id, attempt.observer_runs, stage.cost)
    key = data_key(task, spec.data, spec.model, profile, stack)
    examine = Examination.of(training, key, evaluation, pad_id, observers)
    attempt.setup_seconds = time.perf_counter() - attempt.started - stage.cost.seconds
    try:
        attempt.loop.run(examine)
    finally:
        # Also after a failure: an observer run that stopped earlier still gets its record.
        tensors = functools.reduce(lambda saved, hook: hook.saved(saved), stack.having(Saves), learnt(training, loaded))
        attempt.footprint = Footprint(saved_bytes(tensors))


def configured(profile: Profile, stack: Stack) -> Profile:
    """The profile with the settings that the stack's techniques change."""
    return functools.reduce(lambda p, technique: technique.configure(p), stack.having(Configures), profile)


def check_data(spec: RunSpec) -> None:
    """Raise `BadData` if the data changed since the run was planned."""
    found = load_data(TASKS.get(spec.task), spec.data.name).fingerprint
    if found != spec.data.fingerprint:
        then = spec.data.fingerprint
        raise BadData(f"the data of {spec.task} changed since this run was planned: {then} then, {found} now")


def _data(spec: RunSpec, profile: Profile, stack: Stack) -> tuple[Augmented, Evaluation]:
    """The training set, augmented by the techniques, and the evaluation set."""
    check_data(spec)
    key = data_key(TASKS.get(spec.task), spec.data, spec.model, profile, stack)
    evaluation = evaluation_set(key, profile.eval_examples)
    subset = Subset.of(profile, spec.base_seed("subset"))
    augmenters = tuple(stack.having(Augments))
    if not augmenters:
        return Augmented((), train_features(key, subset), {}), evaluation
    return augmented(key, Draw(subset, profile.eval_examples, spec.base_seed("augment")), augmenters), evaluation


def prepared(spec: RunSpec, profile: Profile, stack: Stack, device: torch.device) -> Training:
    """The model on its device, with a new head drawn from the init stream and the techniques' changes applied."""
    training = _loaded(spec, stack, profile, device, _pretrained(spec))
    prepare(training, stack)
    return training


def _pretrained(spec: RunSpec) -> Pretrained:
    task = TASKS.get(spec.task)
    return Pretrained(
        load_template(spec.model, task.format, len(task.labels)), copies=is_foreign(spec.stack, TECHNIQUES)
    )


def _loaded(spec: RunSpec, stack: Stack, profile: Profile, device: torch.device, pretrained: Pretrained) -> Training:
    def seed(stream: str, *names: str | int) -> int:
        return derive(spec.base_seed(stream), stream, *names)

    generator = torch.Generator().manual_seed(seed("init", "head"))
    loaded = instantiate(pretrained.template, generator, profile.keep_head)
    prompting = stack.having(Prompts)
    model: nn.Module = prompted_model(loaded, pretrained, spec, prompting[0]) if prompting else loaded
    set_dropout(model, profile.dropout)
    return Training(
        model=model.to(device),
        architecture=architecture_of(model),
        format=TASKS.get(spec.task).format,
        profile=profile,
        pretrained=pretrained,
        seed=seed,
        device=device,
    )


def blank_record(spec: RunSpec, status: Status, reason: str) -> RunRecord:
    """A record with status and reason only, without any measurement."""
    return RunRecord(
        run_id=spec.run_id(),
        training_id=spec.training().run_id(),
        task=spec.task,
        technique=spec.technique(),
        model=display_name(spec.model, MODELS),
        profile=spec.profile_name,
        data_source=load_data(TASKS.get(spec.task), spec.data.name).source,
        seed=spec.seed,
        spec=canonical_json(spec.identity()),
        status=status.value,
        reason=reason,
        metric=TASKS.get(spec.task).primary,
    )


def _record(spec: RunSpec, run: ObserverRun | None, attempt: Attempt, facts: dict[str, str]) -> RunRecord:
    status, reason = attempt.status, attempt.reason
    if run is not None and not run.running:
        # The observer run stopped earlier; what happened to the training later does not concern it.
        status, reason = ending(run.failed) if run.failed else (Status.CONVERGED, "")
    selected = run.selected if run is not None and status is Status.CONVERGED else None
    record = dataclasses.replace(
        with_score(blank_record(spec, status, reason), selected, attempt.constant_baseline, spec.profile.trains),
        eval_step=tuple(run.steps) if run else (),
        eval_score=tuple(run.scores) if run else (),
        setup_seconds=attempt.setup_seconds,
        eval_seconds=run.evaluating.seconds if run else 0.0,
        peak_memory_bytes=attempt.memory.peak(),
        provenance=facts,
    )
    record = dataclasses.replace(record, **vars((selected and selected.footprint) or attempt.footprint))
    if attempt.stage:
        record = dataclasses.replace(record, **attempt.stage.took())
    if selected and spec.keep_weights and attempt.training:
        weights = {name: p.detach().cpu().numpy() for name, p in attempt.training.model.named_parameters()}
        record = dataclasses.replace(record, weights=weights)
    return _with_training(record, run, attempt) if run else record


def with_score(
    record: RunRecord, found: Scored | None, constant_baseline: float | None, trained: bool = True
) -> RunRecord:
    """The record with its score and metrics, if any; `collapsed` if trained and no better than a constant predictor."""
    record = dataclasses.replace(record, trivial_score=constant_baseline)
    if found is None:
        return record
    score = found.primary
    if trained and constant_baseline is not None and score <= constant_baseline:
        why = f"score {score:.4f} is not above what a constant predictor reaches, {constant_baseline:.4f}"
        reason = "; ".join(filter(None, (why, record.reason)))
        record = dataclasses.replace(record, status=Status.COLLAPSED.value, reason=reason)
    return dataclasses.replace(
        record,
        score=score,
        metrics=dict(found.metrics),
        predictions=found.predictions,
        drift=found.drift,
        robust_score=found.robust,
        adversarial_score=found.adversarial,
    )


def _with_training(record: RunRecord, run: ObserverRun, attempt: Attempt) -> RunRecord:
    """The record with what the loop measured, for an observer run that stopped early up to that step."""
    loop, training = attempt.loop, attempt.training
    if loop is None or training is None:
        return record
    reached, curve = run.stopped or loop.progress(), loop.curve
    norms = [norm for norm in curve.grad_norm[: reached.steps] if math.isfinite(norm)]
    return dataclasses.replace(
        record,
        steps=len(curve.loss[: reached.steps]),
        tokens=reached.tokens,
        examples=reached.examples,
        forward_passes=reached.forward_passes,
        backward_passes=reached.backward_passes,
        parameters=parameter_count(training.model),
        trainable_parameters=sum(p.numel() for p in training.trainable().values()),
        curve_loss=tuple(curve.loss[: reached.steps]),
        curve_learning_rate=tuple(curve.learning_rate[: reached.steps]),
        curve_grad_norm=tuple(curve.grad_norm[: reached.steps]),
        curve_grad_norm_first=tuple(curve.grad_norm_first[: reached.steps]),
        curve_grad_norm_last=tuple(curve.grad_norm_last[: reached.steps]),
        grad_norm_max=max(norms, default=None),
        reported=dict(reached.reported),
        clipped_steps=sum(curve.clipped[: reached.steps]),
        nonfinite_steps=sum(curve.skipped[: reached.steps]),
        train_seconds=reached.seconds + run.own.seconds,
        tokens_per_second=loop.throughput.tokens_per_second(),
        examples_per_second=loop.throughput.examples_per_second(),
    )
