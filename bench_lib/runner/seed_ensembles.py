"""Seed ensembles: one record built from the stored predictions or weights of several seeds, without training."""

from __future__ import annotations

import dataclasses
import functools
import time
from collections.abc import Iterable, Mapping, Sequence

import torch
from torch import Tensor

from bench_lib.core.errors import BenchError, Unsupported
from bench_lib.core.record import Cost, Evaluations, Predictions, RunRecord, Status, Timing
from bench_lib.core.spec import RunSpec
from bench_lib.executors.worker import cramped, retire
from bench_lib.harness.datasets import Evaluation
from bench_lib.harness.ending import failure
from bench_lib.harness.evaluate import Scored, evaluate, scored
from bench_lib.harness.precision import computed_by
from bench_lib.harness.robustness import Examination
from bench_lib.instruments.determinism import isolated
from bench_lib.instruments.provenance import left_behind, provenance
from bench_lib.runner.execute import prepared
from bench_lib.runner.members import check_ensemble, chooses_on_dev, members, needs_member_weights
from bench_lib.runner.records import blank_record, scored_record
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.store import Store
from bench_lib.tasks.task import Task
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.interface.history import History
from bench_lib.techniques.interface.hooks import (
    ChoosesRun,
    MergesWeights,
    PoolsPredictions,
    PoolsWeights,
    Selects,
    Weights,
)
from bench_lib.techniques.interface.stack import Stack

COUNTS = ("steps", "tokens", "examples", "forward_passes", "backward_passes")
"""The costs that add up over members; parameter counts do not."""


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
    run, runs = resolve_run(spec), _member_records(spec, store)
    counted: Sequence[RunRecord] = runs
    left: list[str] = []
    if run.foreign:
        retire()  # foreign code may leave state behind, as in `execute`
    try:
        with isolated(spec.profile.threads, device, run.foreign) as left:
            record, counted = _build(run, runs, store, device)
    except Unsupported as error:
        record = blank_record(spec, Status.UNSUPPORTED, str(error))
    except (MemoryError, RuntimeError) as error:
        status, reason = failure(error)
        if status is not Status.OOM:
            raise
        cramped()
        record = blank_record(spec, status, reason)
    seconds = time.perf_counter() - started
    cost = _total_cost(counted)
    peaks = [peak for run in counted if (peak := run.timing.peak_memory_bytes) is not None]
    return dataclasses.replace(
        record,
        cost=cost,
        evaluations=Evaluations() if record.score is None else Evaluations((cost.steps,), (record.score,)),
        timing=Timing(
            setup_seconds=sum(run.timing.setup_seconds for run in counted),
            train_seconds=sum(run.timing.train_seconds for run in counted),
            eval_seconds=seconds,
            peak_memory_bytes=max(peaks, default=None),
        ),
        provenance={**provenance(device), **computed_by(device, spec.profile.precision), **left_behind(left)},
    )


def _valid_records(specs: Iterable[RunSpec], store: Store) -> dict[str, RunRecord]:
    """Stored records of these specs by run id, without those lost to infrastructure."""
    found = store.records([spec.run_id() for spec in specs])
    return {record.run_id: record for record in found if not Status(record.status).lost_to_infrastructure}


def _member_records(spec: RunSpec, store: Store) -> list[RunRecord]:
    if missing := missing_members(spec, store):
        raise BenchError(
            f"{spec.technique()} pools runs that {store.root} lacks or that were lost to infrastructure: "
            f"{spec.task} {missing[0].technique()} seed {', '.join(str(member.seed) for member in missing)}"
        )
    known = _valid_records(members(spec), store)
    return [known[member.run_id()] for member in members(spec)]


def _build(
    ensemble: ResolvedRun, runs: Sequence[RunRecord], store: Store, device: torch.device
) -> tuple[RunRecord, Sequence[RunRecord]]:
    """The record without its cost, and the member records whose cost counts, truncated where a member was stopped."""
    spec, data = ensemble.spec, ensemble.data
    check_ensemble(spec, ensemble.techniques)
    for run in runs:
        if run.status == Status.UNSUPPORTED:
            raise Unsupported(run.reason)
    counted, baseline, reported = runs, runs[0].constant_baseline, {}
    for hook in ensemble.techniques.having(ChoosesRun):
        on_dev = chooses_on_dev(ensemble.techniques)
        choice = hook.choose([_history(run, ensemble.techniques, on_dev) for run in runs])
        counted = [run if i in choice.finished else _truncated(run, choice.stopped_at) for i, run in enumerate(runs)]
        reported = {f"{hook.name}.seed": runs[choice.run].seed, f"{hook.name}.stopped_at": choice.stopped_at}
        # The selected run comes first; unfinished runs have no result.
        runs = [runs[i] for i in dict.fromkeys((choice.run, *choice.finished))]
    diverged = [run for run in runs if run.status == Status.DIVERGED]
    usable = [run for run in runs if run.status != Status.DIVERGED]
    if not usable:
        end = (Status.DIVERGED, f"all {len(runs)} members diverged")
        return scored_record(spec, data, end, None, baseline), counted
    left_out = f"left out: {', '.join(f'seed {run.seed} diverged' for run in diverged)}" if diverged else ""
    found = _score_ensemble(ensemble, usable, store, device)
    record = scored_record(spec, data, (Status.CONVERGED, left_out), found, baseline)
    return dataclasses.replace(record, reported=reported), counted


def _history(run: RunRecord, stack: Stack, on_dev: bool) -> History:
    """A member's evaluations and the score of its selected checkpoint, on the dev set or on that of the reports."""
    steps, scores = run.evaluations.steps, run.evaluations.dev_scores if on_dev else run.evaluations.scores
    if run.status == Status.DIVERGED or not scores:
        return History(tuple(zip(steps, scores, strict=True)), None)
    choosers = stack.having(Selects)
    chosen = [i for i in range(len(scores)) if all(one.select(scores[: i + 1]) == i for one in choosers)]
    return History(tuple(zip(steps, scores, strict=True)), scores[chosen[-1]])


def _truncated(run: RunRecord, step: int) -> RunRecord:
    """The record with its cost up to a step, pro rata; pre-training stages count as spread evenly."""
    share = min(1.0, step / max(1, run.cost.steps))
    counts = {name: round(share * getattr(run.cost, name)) for name in COUNTS}
    timing = dataclasses.replace(run.timing, train_seconds=share * run.timing.train_seconds)
    return dataclasses.replace(run, cost=dataclasses.replace(run.cost, **counts), timing=timing)


def _score_ensemble(ensemble: ResolvedRun, runs: Sequence[RunRecord], store: Store, device: torch.device) -> Scored:
    ensemble.check_data()
    stack, task, evaluation = ensemble.techniques, ensemble.task, ensemble.evaluation()
    for pooling in stack.having(PoolsPredictions):
        pooled = pooling.pool([_predictions(store, run) for run in runs], task.format)
        return scored(task, evaluation, pooled)
    if stack.having(ChoosesRun):
        run, found = runs[0], scored(task, evaluation, _predictions(store, runs[0]))
        return dataclasses.replace(
            found, drift=run.drift, robust=run.robustness.perturbed, adversarial=run.robustness.adversarial
        )
    base = resolve_run(members(ensemble.spec)[0])
    training = prepared(base, device)
    _check_state(training.model)
    pad_id = int(ensemble.key.tokenizer().pad_token_id)
    loaders = [functools.partial(_weights, store, run.run_id, device) for run in runs]
    for soup in stack.having(PoolsWeights):
        score = functools.partial(_scored_by, training=training, task=task, dev=ensemble.dev(), pad_id=pad_id)
        _load_into(soup.pool_weights(loaders, score), training.model)
    for merger in stack.having(MergesWeights):
        pretrained = {name: value.to(device) for name, value in training.pretrained.items()}
        _load_into(merger.merge_weights(loaders, pretrained), training.model)
    return Examination.of(training, ensemble.key, evaluation, pad_id)()


def _scored_by(weights: Weights, training: Training, task: Task, dev: Evaluation, pad_id: int) -> float:
    """The primary metric with these weights on the dev set."""
    _load_into(weights, training.model)
    return evaluate(training, task, dev, pad_id).primary


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


def _total_cost(runs: Sequence[RunRecord]) -> Cost:
    """The summed cost of all members; parameter counts are those of a single member."""
    costs = [run.cost for run in runs]
    return Cost(
        parameters=max((cost.parameters for cost in costs), default=0),
        trainable_parameters=max((cost.trainable_parameters for cost in costs), default=0),
        **{name: sum(getattr(cost, name) for cost in costs) for name in COUNTS},
    )
