"""Seed ensembles: one record built from the stored predictions or weights of several seeds, without training."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from bench_lib.core.errors import BenchError, Unsupported
from bench_lib.core.record import Predictions, RunRecord, Status
from bench_lib.core.spec import RunSpec
from bench_lib.executors.worker import retire
from bench_lib.harness.datasets import Evaluation, Subset, data_key, evaluation_set, held_out_examples, held_out_set
from bench_lib.harness.ending import failure
from bench_lib.harness.evaluate import Scored, evaluate, scored
from bench_lib.harness.precision import computed_by
from bench_lib.harness.robustness import Examination
from bench_lib.instruments.determinism import isolated
from bench_lib.instruments.provenance import left_behind, provenance
from bench_lib.models.load import load_tokenizer
from bench_lib.runner.execute import blank_record, check_data, configured, prepared, with_score
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.task import Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.history import History
from bench_lib.techniques.interface.hooks import (
    ChoosesRun,
    Compresses,
    EvaluatesUnder,
    MergesWeights,
    PoolsPredictions,
    PoolsWeights,
    Selects,
    Weights,
)
from bench_lib.techniques.interface.stack import Stack, from_spec, is_foreign, parse_stack

COUNTS = ("steps", "tokens", "examples", "forward_passes", "backward_passes")
"""Integer cost fields of a record."""
DEFAULT_MEMBER = "adamw"
"""Technique of the members if the stack consists of the ensemble technique only."""


def members(spec: RunSpec) -> tuple[RunSpec, ...]:
    """The member runs of a seed ensemble: its stack without the ensemble technique, on consecutive seeds.

    Empty if the ensemble is declined whatever the members' results.
    """
    full_stack = from_spec(spec.stack, TECHNIQUES)
    stack = tuple(t for t in spec.stack if not t.pools) or parse_stack(DEFAULT_MEMBER, TECHNIQUES).spec()
    needs_weights = bool(full_stack.having(PoolsWeights) or full_stack.having(MergesWeights))
    choosers = {t.name for t in full_stack.techniques if isinstance(t, Compresses | EvaluatesUnder | Selects)}
    if needs_weights and choosers:
        raise BenchError(
            f"{spec.technique()} pools the weights that training ends with, and {', '.join(sorted(choosers))} "
            "evaluates others; leave it out, or take ensemble"
        )
    try:
        _check(spec, full_stack)
    except Unsupported:
        return ()
    seeds = range(spec.seed, spec.seed + spec.pools())
    return tuple(dataclasses.replace(spec, stack=stack, seed=seed, keep_weights=needs_weights) for seed in seeds)


def needs_member_weights(spec: RunSpec) -> bool:
    """Whether a seed ensemble reads the weights of its members."""
    return any(member.keep_weights for member in members(spec))


def missing_members(spec: RunSpec, store: Store) -> list[RunSpec]:
    """Members that are not stored, or were lost to infrastructure."""
    asked = members(spec)
    known = _valid_records(asked, store)
    return [member for member in asked if member.run_id() not in known]


def members_without_weights(spec: RunSpec, store: Store) -> list[RunSpec]:
    """Stored members whose weights the ensemble needs and the store lacks."""
    needed = [member for member in members(spec) if member.keep_weights and not store.has_weights(member.run_id())]
    known = _valid_records(needed, store)
    # Diverged runs have neither a score nor weights.
    return [m for m in needed if m.run_id() in known and known[m.run_id()].score is not None]


def deletable_weights(ensembles: Iterable[RunSpec], store: Store) -> frozenset[str]:
    """Ids of runs whose weights can be deleted: already pooled, and no pending ensemble needs them."""
    users = [spec for spec in ensembles if needs_member_weights(spec)]
    built = _valid_records(users, store)
    pooled = {member.run_id() for spec in users if spec.run_id() in built for member in members(spec)}
    needed = {member.run_id() for spec in users if spec.run_id() not in built for member in members(spec)}
    return frozenset(pooled - needed)


def build_seed_ensemble(spec: RunSpec, store: Store) -> RunRecord:
    """Build the record of a seed ensemble from its stored members; diverged members are left out, with the reason.

    The cost is the sum over the members, each up to the step that the ensemble uses. Declined combinations and
    ensembles whose members all diverged get a record with the reason; missing members raise `BenchError`. Robustness
    is measured only for merged weights, since predictions on perturbed inputs are not stored.
    """
    started = time.perf_counter()
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    runs = _member_records(spec, store)
    counted: Sequence[RunRecord] = runs
    left: list[str] = []
    foreign = is_foreign(spec.stack, TECHNIQUES)
    if foreign:
        retire()  # foreign code may leave state behind, as in `execute`
    try:
        with isolated(spec.profile.threads, device, foreign) as left:
            record, counted = _build(spec, runs, store, device)
    except Unsupported as error:
        record = blank_record(spec, Status.UNSUPPORTED, str(error))
    except (MemoryError, RuntimeError) as error:
        status, reason = failure(error)
        if status is not Status.OOM:
            raise
        record = blank_record(spec, status, reason)
    seconds = time.perf_counter() - started
    facts = {**provenance(device), **computed_by(device, spec.profile.precision), **left_behind(left)}
    return dataclasses.replace(_with_total_cost(record, counted), eval_seconds=seconds, provenance=facts)


def _check(spec: RunSpec, stack: Stack) -> None:
    """Raise `Unsupported` if the ensemble is declined whatever the members' results."""
    stack.check(TASKS.get(spec.task).format)
    for soup in stack.having(PoolsWeights):
        for technique in stack.techniques:
            if technique.reads_unlabelled:
                raise Unsupported(
                    f"no example is held out from members with {technique.name}, which reads the unlabelled pool"
                )
        if "subset" not in dict(spec.frozen):
            raise Unsupported("no example is held out from every member where each trains on a subset of its own")
        trained = Subset.of(configured(spec.profile, stack), spec.base_seed("subset"))
        held_out_examples(spec.task, spec.data.name, trained, soup.held_out)


def _valid_records(specs: Iterable[RunSpec], store: Store) -> dict[str, RunRecord]:
    """Stored records of these specs by run id, without those lost to infrastructure."""
    found = store.records([spec.run_id() for spec in specs])
    return {record.run_id: record for record in found if not Status(record.status).lost}


def _member_records(spec: RunSpec, store: Store) -> list[RunRecord]:
    if missing := missing_members(spec, store):
        raise BenchError(
            f"{spec.technique()} pools runs that {store.root} lacks or that were lost to infrastructure: "
            f"{spec.task} {missing[0].technique()} seed {', '.join(str(member.seed) for member in missing)}"
        )
    known = _valid_records(members(spec), store)
    return [known[member.run_id()] for member in members(spec)]


def _build(
    spec: RunSpec, runs: Sequence[RunRecord], store: Store, device: torch.device
) -> tuple[RunRecord, Sequence[RunRecord]]:
    """The record without its cost, and the member records whose cost counts, truncated where a member was stopped."""
    stack = from_spec(spec.stack, TECHNIQUES)
    _check(spec, stack)
    for run in runs:
        if run.status == Status.UNSUPPORTED:
            raise Unsupported(run.reason)
    counted, constant_baseline, reported = runs, runs[0].trivial_score, {}
    for hook in stack.having(ChoosesRun):
        choice = hook.choose([_history(run) for run in runs])
        counted = [run if i in choice.finished else _truncated(run, choice.stopped_at) for i, run in enumerate(runs)]
        reported = {f"{hook.name}.seed": runs[choice.run].seed, f"{hook.name}.stopped_at": choice.stopped_at}
        # The selected run comes first; unfinished runs have no result.
        runs = [runs[i] for i in dict.fromkeys((choice.run, *choice.finished))]
    diverged = [run for run in runs if run.status == Status.DIVERGED]
    usable = [run for run in runs if run.status != Status.DIVERGED]
    if not usable:
        record = blank_record(spec, Status.DIVERGED, f"all {len(runs)} members diverged")
        return with_score(record, None, constant_baseline), counted
    left_out = f"left out: {', '.join(f'seed {run.seed} diverged' for run in diverged)}" if diverged else ""
    record = dataclasses.replace(blank_record(spec, Status.CONVERGED, left_out), reported=reported)
    found = _score_ensemble(spec, stack, usable, store, device)
    return with_score(record, found, constant_baseline, spec.profile.trains), counted


def _history(run: RunRecord) -> History:
    score = None if run.status == Status.DIVERGED else run.score
    return History(tuple(zip(run.eval_step, run.eval_score, strict=True)), score)


def _truncated(run: RunRecord, step: int) -> RunRecord:
    """The record with its cost up to a step, pro rata; pre-training stages count as spread evenly."""
    share = min(1.0, step / max(1, run.steps))
    counts = {name: round(share * getattr(run, name)) for name in COUNTS}
    return dataclasses.replace(run, train_seconds=share * run.train_seconds, **counts)


def _score_ensemble(
    spec: RunSpec, stack: Stack, runs: Sequence[RunRecord], store: Store, device: torch.device
) -> Scored:
    task = TASKS.get(spec.task)
    check_data(spec)
    profile = configured(spec.profile, stack)
    key = data_key(task, spec.data, spec.model, profile, stack)
    evaluation = evaluation_set(key, profile.eval_examples)
    for ensemble in stack.having(PoolsPredictions):
        return scored(task, evaluation, ensemble.pool([_predictions(store, run) for run in runs]))
    if stack.having(ChoosesRun):
        run, found = runs[0], scored(task, evaluation, _predictions(store, runs[0]))
        return dataclasses.replace(found, drift=run.drift, robust=run.robust_score, adversarial=run.adversarial_score)
    base = members(spec)[0]
    trained = from_spec(base.training().stack, TECHNIQUES)
    training = prepared(base, profile, trained, device)
    _check_state(training.model)
    pad_id = int(load_tokenizer(spec.model).pad_token_id)
    loaders = [functools.partial(_weights, store, run.run_id, device) for run in runs]
    for soup in stack.having(PoolsWeights):
        held_out = held_out_set(key, Subset.of(profile, spec.base_seed("subset")), soup.held_out)
        score = functools.partial(_scored_by, training=training, task=task, held_out=held_out, pad_id=pad_id)
        _load_into(soup.pool_weights(loaders, score), training.model)
    for merger in stack.having(MergesWeights):
        pretrained = {name: value.to(device) for name, value in training.pretrained.items()}
        _load_into(merger.merge_weights(loaders, pretrained), training.model)
    return Examination.of(training, key, evaluation, pad_id)()


def _scored_by(weights: Weights, training: Training, task: Task, held_out: Evaluation, pad_id: int) -> float:
    """The primary metric with these weights on the held-out examples."""
    _load_into(weights, training.model)
    return evaluate(training, task, held_out, pad_id).primary


def _predictions(store: Store, run: RunRecord) -> Predictions:
    found = store.predictions(run.run_id)
    if found is None:
        raise BenchError(
            f"the predictions of {run.task} {run.technique} seed {run.seed} are missing from {store.root}; "
            "stabbench store verify says what else is"
        )
    return found


def _weights(store: Store, run_id: str, device: torch.device) -> dict[str, Tensor]:
    return {name: torch.from_numpy(value).to(device) for name, value in store.weights(run_id).items()}


def _check_state(model: torch.nn.Module) -> None:
    """Raise `Unsupported` for a model with floating-point buffers, such as running norms, which cannot be averaged."""
    weights = {name for name, _ in model.named_parameters(remove_duplicate=False)}
    state = [n for n, value in model.state_dict().items() if value.is_floating_point() and n not in weights]
    if state:
        raise Unsupported(f"the model keeps {', '.join(state)} beside its weights, which have no mean over seeds")


@torch.no_grad()
def _load_into(weights: Mapping[str, Tensor], model: torch.nn.Module) -> None:
    for name, parameter in model.named_parameters():
        parameter.copy_(weights[name])


def _with_total_cost(record: RunRecord, runs: Sequence[RunRecord]) -> RunRecord:
    """The record with the summed cost of all members; parameter counts are those of a single member."""
    sums = (*COUNTS, "train_seconds", "setup_seconds")
    peaks = [run.peak_memory_bytes for run in runs if run.peak_memory_bytes is not None]
    total = dataclasses.replace(record, **{name: sum(getattr(run, name) for run in runs) for name in sums})
    return dataclasses.replace(
        total,
        parameters=max((run.parameters for run in runs), default=0),
        trainable_parameters=max((run.trainable_parameters for run in runs), default=0),
        peak_memory_bytes=max(peaks, default=None),
        eval_step=() if record.score is None else (total.steps,),
        eval_score=() if record.score is None else (record.score,),
    )
