"""Execute runs: resolve names, train once, return one record for each spec; nothing is written to the store."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Sequence

import torch
from torch import nn

from bench_lib.core.errors import BadData, BenchError, Unavailable, Unsupported
from bench_lib.core.record import ModelSize, RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.worker import cramped, retire
from bench_lib.harness.augment import Augmented, Draw, augmented
from bench_lib.harness.datasets import train_examples, train_features
from bench_lib.harness.efficiency import learnt, sampled, saved_bytes
from bench_lib.harness.ending import ending
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.frozen import held_share, hold_frozen
from bench_lib.harness.joint_heads import is_joint, join_tasks
from bench_lib.harness.loop import Loop
from bench_lib.harness.observers import ObserverRun
from bench_lib.harness.precision import checkpoint_gradients, computed_by
from bench_lib.harness.pretraining import RunPretraining, prepare
from bench_lib.harness.prompted import prompted_model
from bench_lib.harness.robustness import Examination
from bench_lib.harness.trimming import check_trimming, tokens_read
from bench_lib.instruments.determinism import isolated
from bench_lib.instruments.memory import PeakMemory
from bench_lib.instruments.provenance import left_behind, provenance
from bench_lib.instruments.timing import Stopwatch
from bench_lib.models.architecture import architecture_of
from bench_lib.models.load import instantiate, load_template
from bench_lib.models.pretrained import Pretrained
from bench_lib.runner.records import Attempt
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.hooks import Augments, Saves
from bench_lib.techniques.interface.stack import Stack, is_foreign
from bench_lib.techniques.toolkit.dropout_rates import set_dropout

Seen = Callable[[Training, Scored], None]
"""Called with each evaluation, while the model is as it was evaluated."""


def execute(specs: Sequence[RunSpec], seen: Seen | None = None) -> list[RunRecord]:
    """Train once and return one record for each spec; the specs may differ only in their observers.

    A failure in training, memory or technique code becomes the status and reason of the record. Invalid input, such as
    data changed since planning, raises `BenchError`.
    """
    if any(spec.pools() for spec in specs):
        raise BenchError(
            "a seed ensemble is built from stored runs and not trained; run its members and build it from them"
        )
    if len({spec.training_id() for spec in specs}) != 1:
        raise BenchError("runs that are executed together must share their training: all but the observers")
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    foreign = any(is_foreign(spec.stack, TECHNIQUES) for spec in specs)
    if foreign:
        retire()  # state left behind by foreign code ends with its worker process
    attempt = Attempt(device, PeakMemory(device))
    runs = [resolve_run(spec) for spec in specs]
    with isolated(specs[0].profile.threads, device, foreign) as left:
        try:
            _train(runs[0], [run.observers for run in runs], attempt, seen)
        except (BadData, Unavailable, KeyboardInterrupt):
            raise
        except BaseException as error:  # a technique may raise anything; the sweep continues
            attempt.ending = ending(error)
    left += attempt.pretrained.restore() if attempt.pretrained else []
    precision = attempt.training.profile.precision if attempt.training else ""
    facts = {**provenance(device), **computed_by(device, precision), **left_behind(left), **runs[0].data.facts}
    if attempt.pretrained is not None and attempt.training is not None:
        facts |= attempt.pretrained.of_head(specs[0].profile.keep_head) | held_share(attempt.training)
    observed = itertools.zip_longest(runs, attempt.observer_runs)
    records = [attempt.record(run.spec, run.data, observer_run, facts) for run, observer_run in observed]
    if any(record.status == Status.OOM for record in records):
        cramped()  # the memory may have been that of others on the same device
    return records


def _train(run: ResolvedRun, observers: Sequence[Stack], attempt: Attempt, seen: Seen | None) -> None:
    run.check(run.stack)
    check_trimming(run.task.format, run.profile)
    run.check_data()
    declined = [_declined(run, stack) for stack in observers]
    if all(declined):
        raise Unsupported("; ".join(dict.fromkeys(map(str, declined))))
    evaluation, made = run.evaluation(), _training_set(run)
    attempt.constant_baseline = evaluation.constant_baseline
    attempt.pretrained = pretrained = _pretrained(run)
    trims = run.profile.trim_vocabulary
    tokens = tokens_read(run.key, run.subset, run.profile, made.features, evaluation) if trims else None
    attempt.training = training = _loaded(run, attempt.device, pretrained, tokens)
    training.reported.update(made.reported)
    training.epoch_size = made.epoch_size
    loaded = dict(training.model.named_parameters())
    attempt.stage = stage = RunPretraining(
        run.key, run.subset, run.spec.profile, run.other_data, run.stack, training, made.features
    )
    stage.train()
    body = training.model.get_submodule(training.architecture.body)
    prepare(training, run.stack)
    joint = join_tasks(stage, body)
    pad_id = int(run.key.tokenizer().pad_token_id)
    inputs = functools.partial(sampled, training, evaluation.features, pad_id)
    for riding, reason in zip(observers, declined, strict=True):
        own, evaluating = Stopwatch(attempt.device), Stopwatch(attempt.device)
        attempt.observer_runs.append(ObserverRun(riding, own, evaluating, inputs, failed=reason))
    attempt.loop = Loop(training, run.stack, stage.features, pad_id, attempt.observer_runs, stage.cost)
    attempt.loop.updates.joint = joint
    hold_frozen(training, run.stack, loaded)
    examine = Examination.of(training, run.key, evaluation, pad_id, observers)
    if any(observer_run.running and observer_run.observers.selects_on_dev for observer_run in attempt.observer_runs):
        examine = dataclasses.replace(examine, dev=run.dev())
    attempt.setup_seconds = time.perf_counter() - attempt.started - stage.cost.seconds
    try:
        attempt.loop.run(examine if seen is None else _shown(examine, training, seen), examine.on_dev)
    finally:
        # Also after a failure: an observer run that stopped earlier still gets its record.
        kept = {name: value for name, value in learnt(training, loaded).items() if not is_joint(name)}
        tensors = functools.reduce(lambda saved, hook: hook.saved(saved), run.stack.having(Saves), kept)
        attempt.size = ModelSize(saved_bytes(tensors if training.trimmed is None else training.trimmed.filled(tensors)))


def _shown(examine: Examination, training: Training, seen: Seen) -> Callable[[], Scored]:
    def evaluate() -> Scored:
        found = examine()
        seen(training, found)
        return found

    return evaluate


def _declined(run: ResolvedRun, observers: Stack) -> Unsupported | None:
    """Why observers cannot ride on the run, which the run itself and other observers can do without."""
    try:
        run.check(observers)
        if observers.selects_on_dev:
            run.dev()
    except Unsupported as error:
        return error
    return None


def _training_set(run: ResolvedRun) -> Augmented:
    """The training set, augmented by the techniques."""
    augmenters = tuple(run.stack.having(Augments))
    if not augmenters:
        return Augmented((), train_features(run.key, run.subset), {})
    return augmented(run.key, Draw(run.subset, run.profile.eval_examples, run.spec.base_seed("augment")), augmenters)


def prepared(run: ResolvedRun, device: torch.device) -> Training:
    """The model on its device, with a new head drawn from the init stream and the techniques' changes applied.

    Its vocabulary is whole, and so are the weights of a run that are kept.
    """
    training = _loaded(run, device, _pretrained(run))
    prepare(training, run.stack)
    return training


def _pretrained(run: ResolvedRun) -> Pretrained:
    template = load_template(run.spec.model, run.task.format, len(run.task.labels), run.profile.attention)
    return Pretrained(template, copies=run.foreign)


def _loaded(
    run: ResolvedRun, device: torch.device, pretrained: Pretrained, tokens: Sequence[int] | None = None
) -> Training:
    """The training of a fresh model, with the word embeddings of these tokens alone unless they are None."""
    generator = torch.Generator().manual_seed(run.seed("init", "head"))
    prior = run.task.format.prior(train_examples(run.data, run.subset), run.task.labels)
    loaded = instantiate(pretrained.template, generator, run.profile.keep_head, prior)
    trimmed = None if tokens is None else pretrained.trim(loaded, tokens)
    model: nn.Module = loaded
    if run.key.prompts is not None:
        asked = run.spec.profile.keep_head
        model = prompted_model(loaded, pretrained, run.spec.model, run.task, run.key.prompts, asked)
    set_dropout(model, run.profile.dropout)
    training = Training(
        model=model.to(device),
        architecture=architecture_of(model),
        format=run.task.format,
        profile=run.profile,
        pretrained=pretrained,
        seed=run.seed,
        device=device,
        trimmed=trimmed,
    )
    if run.profile.gradient_checkpointing:
        checkpoint_gradients(loaded, training)
    return training
