"""What stacks promise: techniques compose or are refused by name, observers ride for free, and batches may be split."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch

from bench_lib.core.errors import BenchError
from bench_lib.core.seeds import derive
from bench_lib.core.spec import canonical_json
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TOKEN_CLASSIFICATION
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import EXCLUSIVE, OBSERVING, TRAINING
from bench_lib.techniques.interface.stack import Stack, parse_stack
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.peft_injection import FEW_PARTS
from bench_lib.validation.conformance import unkept
from bench_lib.validation.trial import Trial

NAMES = TECHNIQUES.names()
TRAINED = tuple(n for n in NAMES if not TECHNIQUES.get(n)().pools())
OBSERVERS = [n for n in TRAINED if TECHNIQUES.get(n).observer]
FEW = {"train_examples": 16, "eval_examples": 8, "batch_size": 4}
LEAST = {"train_examples": 8, "eval_examples": 4, "batch_size": 4, "evaluations": 1}
PARTNERS = 1
"""Others that each technique is trained with, at least."""


def superseded() -> dict[tuple[str, str], str]:
    """Of stacks of two, in order, those of which one shows nothing or that are declined, as one of them declares."""
    found = {}
    for name in NAMES:
        for said, reason in TECHNIQUES.get(name).supersedes.items():
            other = said.strip("+")
            found |= {} if said.startswith("+") else {(other, name): reason}
            found |= {} if said.endswith("+") else {(name, other): reason}
    return {pair: reason for pair, reason in found.items() if len({*pair}) == 2}


SUPERSEDED = superseded()


@functools.cache
def exclusive(technique: type[Technique]) -> frozenset[object]:
    """The hooks that only one technique of a stack may have, and seeds to pool, which are as exclusive."""
    made = technique()
    return frozenset([*(hook for hook in EXCLUSIVE if isinstance(made, hook)), *(["pools"] if made.pools() else [])])


def exclusive_clash(one: type[Technique], other: type[Technique]) -> bool:
    return bool(exclusive(one) & exclusive(other))


def pairs() -> list[tuple[str, str]]:
    """Each technique with two others, drawn by name so that a new one changes few of the pairs, and the superseded."""
    chosen = {*SUPERSEDED}
    for name in TRAINED:
        others = [n for n in TRAINED if n != name and not exclusive_clash(TECHNIQUES.get(n), TECHNIQUES.get(name))]
        chosen |= {(name, n) for n in sorted(others, key=lambda n: derive(0, "order", *sorted((name, n))))[:PARTNERS]}
    return sorted({tuple(sorted(pair, key=TRAINED.index)) for pair in chosen})


def bits(record) -> str:
    values = record.predictions.values.tobytes().hex() if record.predictions else ""
    return canonical_json(record.result()) + values


@pytest.mark.promise("stacks", of=("first",))
@pytest.mark.parametrize("first", NAMES)
def test_every_pair_composes_unless_both_claim_an_exclusive_hook(first):
    for second in NAMES:
        if second == first:
            continue
        techniques = TECHNIQUES.get(first), TECHNIQUES.get(second)
        if exclusive_clash(*techniques):
            with pytest.raises(BenchError, match=f"{first} and {second} cannot be stacked"):
                parse_stack(f"{first}+{second}", TECHNIQUES)
            continue
        stack, made = parse_stack(f"{first}+{second}", TECHNIQUES), [technique() for technique in techniques]
        assert stack.techniques == tuple(made)
        assert stack.passes() == tuple(a * b for a, b in zip(*(t.passes() for t in made), strict=True))
        assert stack.estimation_passes() == tuple(
            a + b for a, b in zip(*(t.estimation_passes() for t in made), strict=True)
        )


@pytest.fixture(scope="module")
def alone(train):
    return functools.cache(lambda name, task: trained(train, name, task))


def taken_by(*names: str) -> str:
    """A task that all techniques take: words with tags, or else whole texts."""
    willing = all(TECHNIQUES.get(name)().declines(TOKEN_CLASSIFICATION) is None for name in names)
    return "conll2003" if willing else "sst2"


def trained(train, stack: str, task: str):
    """What a stack comes to: the record and the parameters by value; the status alone where it was declined."""
    run = train(task, stack, **LEAST)
    record, result = run.record, run.record.result()
    if record.status == "unsupported":
        return record.reason
    assert record.status in ("converged", "collapsed"), f"{stack}: {record.reason}"
    kept = {k: v for k, v in result.items() if k not in ("run_id", "training_id", "spec", "technique")}
    weights = [float(p.double().sum()) for p in run.parameters.values()]
    return canonical_json(kept), weights, record.predictions.values.tobytes()


def orders(first: str, second: str) -> list[tuple[str, str]]:
    """Both orders where the two share a hook, since only then does the order say anything."""
    made = TECHNIQUES.get(first)(), TECHNIQUES.get(second)()
    shared = any(all(isinstance(technique, hook) for technique in made) for hook in (*TRAINING, *OBSERVING))
    return [(first, second), (second, first)] if shared else [(first, second)]


@pytest.mark.exhaustive
@pytest.mark.promise("stacks", of=("first", "second"))
@pytest.mark.parametrize(("first", "second"), pairs())
def test_a_pair_trains_and_neither_is_lost(train, alone, first, second):
    """A stack may equal one of its two only if the other shows nothing alone either, or is listed with a reason."""
    task = taken_by(first, second)
    for order in orders(first, second):
        both = trained(train, "+".join(order), task)
        if isinstance(both, str):
            assert order in SUPERSEDED, f"{order}: {both}"
            continue
        heard = [n for n in order if n not in OBSERVERS and alone(n, task) != alone("adamw", task)]
        lost = [n for n in heard if both == alone(order[n == order[0]], task)]
        assert bool(lost) == (order in SUPERSEDED), f"lost in {order}: {lost}"


def all_together() -> list[str]:
    """As many techniques as go together, in the registry's order: those first that bar the fewest others."""

    def bars(one: str, other: str) -> bool:
        first, second = sorted((one, other), key=TRAINED.index)
        return exclusive_clash(TECHNIQUES.get(first), TECHNIQUES.get(second)) or (first, second) in SUPERSEDED

    chosen: list[str] = []
    for name in sorted(TRAINED, key=lambda name: sum(bars(name, other) for other in TRAINED if other != name)):
        if not any(bars(name, other) for other in chosen):
            chosen.append(name)
    return sorted(chosen, key=TRAINED.index)


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_a_stack_of_everything_trains(train, task):
    chosen = all_together()
    one_of = len(FEW_PARTS) - 1  # only one of them can choose what trains
    assert len(chosen) >= (len(TRAINED) - one_of) / 2
    willing = [n for n in chosen if TECHNIQUES.get(n)().declines(TASKS.get(task).format) is None]
    record = train(task, "+".join(willing), **{**FEW, "train_examples": 4}).record
    assert record.status in ("converged", "collapsed"), record.reason


# 10. Observers ride on their base's run.


RIDDEN = [("adalora", "sst2"), ("adamw", "conll2003"), ("r_drop+llrd", "squad")]
"""Bases and tasks, each once."""


@pytest.mark.exhaustive
@pytest.mark.promise("observes", of=("base",))
@pytest.mark.parametrize(("base", "task"), RIDDEN)
def test_an_observers_record_is_the_one_it_gets_alone_and_its_base_is_untouched(make_spec, task, base):
    changes = {**FEW, "evaluations": 4, "learning_rate": 0.01}
    stacks = [base, *(f"{base}+{name}" for name in OBSERVERS if name not in base)]
    stacks += [f"{base}+early_stopping:patience=1", f"{base}+early_stopping:patience=1+ema"]
    specs = [make_spec(task, stack, **changes) for stack in stacks]
    together = execute(specs)
    assert [r.technique for r in together] == stacks
    for spec, riding in zip(specs, together, strict=True):
        (single,) = execute([spec])
        assert bits(riding) == bits(single), spec.technique()


def test_equal_observers_in_two_stacks_do_not_meet(make_spec):
    specs = [make_spec("sst2", stack, **FEW) for stack in ("ema", "adamw+ema", "ema+early_stopping")]
    for spec, riding in zip(specs, execute(specs), strict=True):
        assert bits(riding) == bits(execute([spec])[0])


@pytest.fixture(scope="module")
def watched(train):
    return functools.cache(lambda name: train("sst2", name, **FEW))


@pytest.mark.exhaustive
@pytest.mark.promise("observes")
@pytest.mark.parametrize("name", OBSERVERS)
def test_an_observer_leaves_the_trajectory_to_the_bit(watched, make_spec, name):
    base, observed = watched("adamw"), watched(name)
    assert observed.record.curve.loss == base.record.curve.loss
    assert observed.record.training_id == base.record.training_id
    assert all(torch.equal(p, base.parameters[n]) for n, p in observed.parameters.items())

    def spec_of(task, stack):
        return make_spec(task, "+".join(part.label for part in stack.spec()), **FEW)

    runs = {parse_stack(text, TECHNIQUES).spec(): run.record for text, run in ((name, observed), ("adamw", base))}
    assert unkept("observes", Trial(parse_stack(name, TECHNIQUES), "sst2", spec_of, runs, foreign=False)) == []


def test_a_stopped_observer_run_counts_the_steps_up_to_there(make_spec):
    # Without a rate all evaluations are equal: the second, at step 2 of 4, is the first without a better score.
    changes = {**FEW, "evaluations": 4, "learning_rate": 0.0}
    whole, stopped = execute([make_spec("sst2", stack, **changes) for stack in ("adamw", "early_stopping:patience=1")])
    assert (whole.cost.steps, stopped.cost.steps) == (4, 2)
    assert (stopped.cost.examples, stopped.cost.forward_passes, stopped.cost.backward_passes) == (8, 2, 2)
    assert 0 < stopped.cost.tokens < whole.cost.tokens
    assert stopped.evaluations.steps == whole.evaluations.steps[:2] == (1, 2)
    for name in ("curve_loss", "curve_learning_rate", "curve_grad_norm", "eval_score"):
        assert stopped.columns()[name] == whole.columns()[name][:2]
    assert stopped.timing.train_seconds < whole.timing.train_seconds


@dataclass(frozen=True)
class Explode(Technique):
    """Makes the loss infinite at the third step."""

    name: ClassVar[str] = "explode"
    paper: ClassVar[str] = "none"
    identity: ClassVar[None] = None

    def backward(self, step):
        loss = step.loss(step.forward())
        step.backward(loss)
        return loss.detach() + (float("inf") if step.training.step == 2 else 0.0)


@pytest.fixture
def explode(monkeypatch) -> Iterator[str]:
    monkeypatch.setitem(TECHNIQUES._entries, "explode", Explode)
    return "explode"


def test_a_track_that_stopped_does_not_share_the_later_failure_of_its_base(make_spec, explode):
    changes = {**FEW, "evaluations": 4, "learning_rate": 0.0}
    specs = [make_spec("sst2", stack, **changes) for stack in (explode, f"{explode}+early_stopping:patience=1")]
    base, stopped = execute(specs)
    assert (base.status, base.reason, base.score) == ("diverged", "the loss was not finite at step 3", None)
    assert len(base.curve.loss) == base.cost.steps == 3
    assert stopped.status in ("converged", "collapsed")
    assert bits(stopped) == bits(execute(specs[1:])[0])


def test_what_is_executed_together_must_share_its_training(make_spec):
    with pytest.raises(BenchError, match="must share their training"):
        execute([make_spec("sst2"), make_spec("sst2", "mixout")])


# Gradient accumulation.

SPLIT = [
    *(("adamw", task) for task in ("sst2", "conll2003", "squad")),
    ("r_drop", "conll2003"),
    ("fgm:scope=example", "squad"),
]


@dataclass(frozen=True)
class Gradients(Technique):
    """Keeps the gradients of the first step."""

    name: ClassVar[str] = "gradients"
    paper: ClassVar[str] = "none"
    identity: ClassVar[None] = None
    seen: ClassVar[list[dict[str, torch.Tensor]]] = []

    def after_backward(self, training):
        if training.step == 0:
            self.seen.append({n: p.grad.clone() for n, p in training.trainable().items()})


@pytest.mark.promise("stacks", of=("stack",))
@pytest.mark.parametrize(("stack", "task"), SPLIT)
def test_a_batch_in_parts_has_the_gradients_of_the_whole(make_spec, monkeypatch, task, stack):
    monkeypatch.setitem(TECHNIQUES._entries, "gradients", Gradients)
    monkeypatch.setattr(Gradients, "seen", [])
    # Masks differ between parts and whole; without any to draw r_drop declines, so that its are next to nothing.
    changes = {"train_examples": 8, "eval_examples": 4, "dropout": 1e-9 if stack == "r_drop" else 0.0}
    records = [execute([make_spec(task, f"{stack}+gradients", accumulate=a, **changes)])[0] for a in (1, 2, 8)]
    whole, *parts = Gradients.seen
    for seen in parts:
        for name, gradient in whole.items():
            torch.testing.assert_close(seen[name], gradient, rtol=1e-3, atol=1e-6, msg=lambda m, n=name: f"{n}: {m}")
    assert [r.curve.loss[0] for r in records] == pytest.approx([records[0].curve.loss[0]] * 3, rel=1e-5)
    assert records[1].cost.forward_passes == 2 * records[0].cost.forward_passes
    assert len({r.cost.tokens for r in records}) == 1


def test_stacks_are_values():
    assert Stack((TECHNIQUES.get("llrd")(),)) == parse_stack("llrd", TECHNIQUES)
