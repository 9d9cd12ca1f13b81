from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench_lib.core.errors import BenchError, Diverged
from bench_lib.core.record import Predictions
from bench_lib.core.spec import Profile
from bench_lib.harness.evaluate import Scored
from bench_lib.harness.formats.features import Batch, Feature
from bench_lib.harness.loop import Loop
from bench_lib.harness.observers import ObserverRun
from bench_lib.instruments import timing
from bench_lib.instruments.timing import UNTIMED_STEPS, Stopwatch
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.interface.context import Group, Output, Phase, Step, Training, Update
from bench_lib.techniques.interface.stack import Stack
from bench_lib.techniques.interface.technique import Technique

CPU = torch.device("cpu")
Build = Callable[..., Loop]


def scored(value: float = 0.5) -> Scored:
    return Scored({"accuracy": value}, Predictions(np.zeros((1, 2), np.float32)))


def timed_on_nothing(size: int) -> Batch:
    raise AssertionError("what is not compressed is not timed")


def observed_by(*observers: Technique) -> ObserverRun:
    return ObserverRun(Stack(observers), Stopwatch(CPU), Stopwatch(CPU), timed_on_nothing)


@pytest.fixture
def build(prepare: Callable[..., Training], featurise: Callable[..., list[Feature]]) -> Build:
    """A loop over five texts in batches of two: three steps an epoch."""

    def loop(
        *techniques: Technique, observer_runs: Sequence[ObserverRun] | None = None, seed: int = 0, **profile: Any
    ) -> Loop:
        training = prepare(TEXT_CLASSIFICATION, seed, **{"epochs": 2, "warmup": 0.0, **profile})
        chosen = list(observer_runs) if observer_runs is not None else [observed_by()]
        return Loop(training, Stack(techniques), featurise(TEXT_CLASSIFICATION), 0, chosen)

    return loop


def weights(loop: Loop) -> list[Tensor]:
    return [p.detach().clone() for p in loop.updates.gradients.parameters]


def distance(one: list[Tensor], other: list[Tensor]) -> float:
    return math.sqrt(sum(float((a - b).double().square().sum()) for a, b in zip(one, other, strict=True)))


# Techniques of these tests; each notes what it sees in `log`, which takes no part in comparisons.


@dataclass(frozen=True)
class Noting(Technique):
    """Notes every hook as it is called."""

    name = "noting"
    paper = "none"
    identity = None

    log: list[Any] = field(default_factory=list, compare=False)

    def after_backward(self, training: Training) -> None:
        self.log.append(("backward", training.step))

    def after_update(self, training: Training) -> None:
        (rate,) = set(training.learning_rates().values())
        self.log.append(("update", training.step, rate))

    @contextmanager
    def evaluate_under(self, training: Training) -> Iterator[None]:
        self.log.append("enter")
        yield
        self.log.append("leave")


@dataclass(frozen=True)
class Descends(Technique):
    """Plain gradient descent, in which a step is the rate times the gradient; the other has no fused update."""

    name = "descends"
    paper = "none"
    identity = None

    def optimizer(self, groups: list[Group], profile: Profile) -> torch.optim.Optimizer:
        return torch.optim.SGD([p for g in groups for p in g.parameters.values()], lr=profile.learning_rate)


@dataclass(frozen=True)
class Erases(Technique):
    """Sets every gradient to zero."""

    name = "erases"
    paper = "none"
    identity = None

    def after_backward(self, training: Training) -> None:
        for parameter in training.trainable().values():
            if parameter.grad is not None:
                parameter.grad.zero_()


@dataclass(frozen=True)
class Breaks(Technique):
    """Sets a weight to NaN after one update, and raises after another."""

    name = "breaks"
    paper = "none"
    identity = None

    poison: int = 0
    fail: int = 0

    def after_update(self, training: Training) -> None:
        if training.step + 1 == self.poison:
            next(iter(training.trainable().values())).data.fill_(math.nan)
        if training.step + 1 == self.fail:
            raise ValueError("broke")


@dataclass(frozen=True)
class Stops(Technique):
    """An observer that stops after some evaluations and keeps the best."""

    name = "stops"
    paper = "none"
    identity = None
    observer = True

    after: int = 1

    def stop(self, history: Sequence[float]) -> bool:
        return len(history) >= self.after

    def select(self, history: Sequence[float]) -> int:
        return max(range(len(history)), key=history.__getitem__)

    def selects_on_dev(self) -> bool:
        return False


@dataclass(frozen=True)
class Watches(Technique):
    """An observer that evaluates under zeroed weights, and takes its time."""

    name = "watches"
    paper = "none"
    identity = None
    observer = True

    work: Callable[[float], None] = field(default=lambda seconds: None, compare=False)
    log: list[str] = field(default_factory=list, compare=False)

    def after_update(self, training: Training) -> None:
        self.work(5.0)

    @contextmanager
    def evaluate_under(self, training: Training) -> Iterator[None]:
        self.log.append("enter")
        yield
        self.log.append("leave")


# ---- steps and evaluations -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("evaluations", "steps"),
    [(1, [6]), (2, [3, 6]), (3, [2, 4, 6]), (4, [2, 3, 5, 6]), (6, [1, 2, 3, 4, 5, 6]), (50, [1, 2, 3, 4, 5, 6])],
)
def test_evaluations_stand_at_even_distances_and_one_at_the_end(
    build: Build, evaluations: int, steps: list[int]
) -> None:
    loop = build(evaluations=evaluations)
    seen: list[int] = []

    def evaluate() -> Scored:
        seen.append(loop.training.step)
        return scored()

    loop.run(evaluate)
    assert seen == steps == loop.observer_runs[0].steps


def test_every_example_is_trained_on_once_an_epoch(build: Build) -> None:
    loop = build()
    loop.run(scored)
    reached = loop.progress()
    assert (reached.steps, loop.training.total_steps) == (6, 6)
    assert (reached.examples, reached.tokens) == (10, 2 * sum(map(len, loop.features)))
    assert (reached.forward_passes, reached.backward_passes) == (6, 6)
    assert len(loop.curve.loss) == len(loop.curve.learning_rate) == len(loop.curve.grad_norm) == 6


def test_the_curve_holds_the_rate_of_each_step(build: Build) -> None:
    loop = build(warmup=0.5)
    loop.run(scored)
    assert loop.curve.learning_rate == pytest.approx([1e-3 * share for share in (0, 1 / 3, 2 / 3, 1, 2 / 3, 1 / 3)])


def test_the_same_run_twice_is_the_same_in_every_bit(build: Build) -> None:
    one, other = build(dropout=0.1), build(dropout=0.1)
    one.run(scored)
    torch.manual_seed(12345)
    other.run(scored)
    assert (one.curve.loss, one.curve.grad_norm) == (other.curve.loss, other.curve.grad_norm)
    assert distance(weights(one), weights(other)) == 0


def test_seeds_and_epochs_differ_in_their_order(build: Build) -> None:
    def order(seed: int) -> list[list[int]]:
        loop = build(seed=seed, epochs=8)
        rows = {id(feature): number for number, feature in enumerate(loop.features)}
        return [[rows[id(f)] for f in part] for step in loop._batches() for part in step]

    one = order(0)
    assert order(0) == one != order(1)
    epochs = [one[i : i + 3] for i in range(0, len(one), 3)]
    assert all(sorted(i for batch in epoch for i in batch) == [0, 1, 2, 3, 4] for epoch in epochs)
    assert len({str(epoch) for epoch in epochs}) > 4


def test_accumulation_splits_batches_and_changes_nothing_else(build: Build) -> None:
    whole, split = build(batch_size=4, bucket=2), build(batch_size=4, bucket=2, accumulate=4)
    for loop in (whole, split):
        loop.run(scored)
    assert split.curve.loss == pytest.approx(whole.curve.loss, rel=1e-4)
    assert split.curve.grad_norm == pytest.approx(whole.curve.grad_norm, rel=1e-3)
    assert (whole.progress().steps, whole.progress().forward_passes) == (4, 4)
    # Four examples and one left over, each a micro-batch of its own.
    assert (split.progress().steps, split.progress().forward_passes, split.progress().examples) == (4, 10, 10)


def test_fewer_examples_than_a_batch_are_one_step(build: Build) -> None:
    loop = build(batch_size=64, accumulate=2, epochs=3)
    loop.run(scored)
    assert (loop.progress().steps, loop.progress().examples) == (3, 15)


def test_a_rate_of_zero_moves_nothing(build: Build) -> None:
    loop = build(learning_rate=0.0)
    before = weights(loop)
    loop.run(scored)
    assert distance(before, weights(loop)) == 0


# ---- gradients -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("clip", [0.01, math.inf])
def test_a_step_is_the_clipped_gradient_and_the_curve_holds_its_norm_before(build: Build, clip: float) -> None:
    loop = build(Descends(), clip_norm=clip, epochs=1, batch_size=5, bucket=1, learning_rate=0.5)
    before = weights(loop)
    loop.run(scored)
    (norm,) = loop.curve.grad_norm
    assert norm > 0.05
    assert distance(before, weights(loop)) == pytest.approx(0.5 * min(norm, clip), rel=1e-3)


def test_techniques_act_after_the_norm_was_taken_and_before_the_update(build: Build) -> None:
    loop, plain = build(Erases(), Descends()), build(Descends())
    before = weights(loop)
    loop.run(scored)
    plain.run(scored)
    assert distance(before, weights(loop)) == 0
    assert loop.curve.grad_norm[0] == plain.curve.grad_norm[0] > 0


def test_hooks_are_called_in_order_at_the_rate_of_the_step(build: Build) -> None:
    noting = Noting()
    loop = build(noting, epochs=1, evaluations=1)
    loop.run(lambda: noting.log.append("evaluate") or scored())
    rates = loop.curve.learning_rate
    steps = [event for i in range(3) for event in (("backward", i), ("update", i, rates[i]))]
    assert noting.log == [*steps, "enter", "evaluate", "leave"]
    assert rates == pytest.approx([1e-3, 2e-3 / 3, 1e-3 / 3])


@pytest.mark.parametrize("optimiser", [(), (Descends(),)], ids=["fused", "not-fused"])
def test_an_overflow_under_fp16_skips_the_step_and_nothing_else(build: Build, optimiser: tuple[Technique, ...]) -> None:
    loop = build(*optimiser, precision="fp16", epochs=5)
    loop.updates.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**100, backoff_factor=2.0**-30)
    before = weights(loop)
    moved: list[bool] = []

    @dataclass(frozen=True)
    class Compares(Technique):
        """Sees every step, a skipped one too."""

        name = "compares"
        paper = "none"
        identity = None
        observer = True

        def after_update(self, training: Training) -> None:
            moved.append(distance(before, weights(loop)) > 0)

    loop.observer_runs.append(observed_by(Compares()))
    loop.run(scored)
    skipped = loop.curve.skipped
    assert 0 < skipped.count(True) < 15
    assert skipped == sorted(skipped, reverse=True), "once the scale fits, no step is skipped"
    assert moved == [not s for s in skipped]
    assert [math.isfinite(norm) for norm in loop.curve.grad_norm] == [not s for s in skipped]
    assert loop.updates.scaler.get_scale() < 2.0**100
    assert all(map(math.isfinite, loop.curve.loss))


def spoils(step_numbers: Sequence[int]) -> Technique:
    @dataclass(frozen=True)
    class Spoils(Technique):
        """Makes a gradient infinite at the given steps, while the loss stays finite."""

        name = "spoils"
        paper = "none"
        identity = None

        def after_backward(self, training: Training) -> None:
            if training.step in step_numbers:
                next(iter(training.trainable().values())).grad.fill_(math.inf)

    return Spoils()


def test_an_update_that_is_not_finite_is_skipped_counted_and_not_shown_to_the_techniques(build: Build) -> None:
    noting = Noting()
    loop = build(spoils([2]), noting)
    loop.run(scored)
    assert loop.curve.skipped == [number == 2 for number in range(6)]
    assert [entry[1] for entry in noting.log if entry[0] == "update"] == [0, 1, 3, 4, 5]
    assert all(torch.isfinite(weight).all() for weight in weights(loop))
    assert len(set(loop.curve.learning_rate)) == 6, "the schedule moves on"


@pytest.mark.parametrize(("spoilt", "end"), [(range(100), 20), (range(3, 23), 23), ([*range(9), *range(10, 24)], None)])
def test_too_many_skipped_updates_in_a_row_are_a_divergence(build: Build, spoilt: Sequence[int], end: int) -> None:
    loop = build(spoils(spoilt), epochs=10, evaluations=1)
    if end is None:
        loop.run(scored)
        assert loop.curve.skipped == [number in spoilt for number in range(30)]
        return
    with pytest.raises(Diverged, match=f"the gradient.* was not finite at step {end}"):
        loop.run(scored)
    assert loop.curve.skipped[-20:] == [True] * 20


def test_a_run_of_skipped_updates_alone_is_a_divergence(build: Build) -> None:
    with pytest.raises(Diverged, match="the gradient, after 3 such steps in a row, was not finite at step 3"):
        build(spoils(range(3)), epochs=1).run(scored)


# ---- whole updates, estimation passes, losses, phases ----------------------------------------------------------------


def test_an_update_may_take_its_gradients_twice(build: Build) -> None:
    @dataclass(frozen=True)
    class Twice(Technique):
        name = "twice"
        paper = "none"
        identity = None

        def update(self, update: Update) -> Tensor:
            first = update.backward()
            gradients = [p.grad.clone() for p in update.training.trainable().values() if p.grad is not None]
            second = update.backward()
            again = [p.grad for p in update.training.trainable().values() if p.grad is not None]
            assert all(torch.equal(a, b) for a, b in zip(gradients, again, strict=True))
            assert first == second
            return second

    plain, twice = (build(*t, dropout=0.1, accumulate=2) for t in ((), (Twice(),)))
    plain.run(scored)
    twice.run(scored)
    assert twice.curve.loss == plain.curve.loss
    assert distance(weights(plain), weights(twice)) == 0
    assert twice.progress().forward_passes == 2 * plain.progress().forward_passes
    assert (twice.tokens, twice.examples) == (plain.tokens, plain.examples)


def test_an_update_may_draw_other_dropout_masks_and_knows_the_scale(build: Build) -> None:
    losses: list[list[Tensor]] = []
    scales: list[float] = []

    @dataclass(frozen=True)
    class Others(Technique):
        name = "others"
        paper = "none"
        identity = None

        def update(self, update: Update) -> Tensor:
            scales.append(update.scale)
            losses.append([update.backward(masks) for masks in (1, 1, 2, 0)])
            return losses[-1][-1]

    plain, others = (build(*t, dropout=0.3, accumulate=2) for t in ((), (Others(),)))
    plain.run(scored)
    others.run(scored)
    assert others.curve.loss == plain.curve.loss
    for first, same, second, own in losses:
        assert first == same
        assert len({float(first), float(second), float(own)}) == 3
    build(Others(), precision="fp16").run(scored)
    assert scales[:6] == [1.0] * 6
    assert scales[6] > 1


def test_a_survey_passes_over_every_example_once_and_leaves_no_gradient(build: Build) -> None:
    seen: list[int] = []

    @dataclass(frozen=True)
    class Looks(Technique):
        name = "looks"
        paper = "none"
        identity = None

        def estimate(self, training: Training, steps: Iterable[Step]) -> None:
            for step in steps:
                step.backward(step.loss(step.forward()))
                seen.append(len(step.real_tokens))

    plain, looking = (build(*t, dropout=0.1) for t in ((), (Looks(),)))
    plain.run(scored)
    looking.run(scored)
    assert sorted(seen) == [1, 2, 2]
    assert looking.curve.loss == plain.curve.loss
    assert looking.progress().forward_passes == plain.progress().forward_passes + 3
    assert looking.tokens == plain.tokens


def test_a_technique_may_decide_what_a_prediction_costs(build: Build) -> None:
    @dataclass(frozen=True)
    class Doubles(Technique):
        name = "doubles"
        paper = "none"
        identity = None

        def loss(self, output: Output) -> Tensor:
            return 2 * torch.nn.functional.cross_entropy(output.logits[0], output.targets[0])

    plain, double = (build(*t, clip_norm=math.inf) for t in ((), (Doubles(),)))
    plain.run(scored)
    double.run(scored)
    assert double.curve.loss[0] == 2 * plain.curve.loss[0]
    assert double.curve.grad_norm[0] == pytest.approx(2 * plain.curve.grad_norm[0], rel=1e-6)


def phased(*phases: Phase) -> Technique:
    @dataclass(frozen=True)
    class Phased(Technique):
        name = "phased"
        paper = "none"
        identity = None

        def phases(self, training: Training) -> Sequence[Phase]:
            return phases

    return Phased()


def changed_after(loop: Loop, steps: int) -> set[str]:
    """The parts of the model that are not as they were, after so many steps."""
    before = {n: p.detach().clone() for n, p in loop.training.model.named_parameters()}
    batches = loop._batches()
    for _ in range(steps):
        loop._step(next(batches))
    loop.curve.flush()
    moved = {n for n, p in loop.training.model.named_parameters() if not torch.equal(p, before[n])}
    return {"head" if n.startswith("classifier") else n.split(".")[1] for n in moved}


def test_phases_freeze_and_thaw(build: Build) -> None:
    def head(name: str) -> bool:
        return name.startswith("classifier")

    def upper(name: str) -> bool:
        return head(name) or "pooler" in name

    loop = build(phased(Phase(0, head), Phase(2, upper)))
    assert changed_after(loop, 2) == {"head"}
    assert changed_after(loop, 2) == {"head", "pooler"}
    assert {n for n in loop.training.trainable() if not upper(n)} == set(), "what never trains is not optimised"
    assert loop.curve.grad_norm_first == loop.curve.grad_norm_last == [0.0] * 4


def test_a_phase_that_restarts_has_a_new_optimiser_and_the_schedule_anew_at_its_own_rate(build: Build) -> None:
    everything = phased(
        Phase(0, lambda name: True, learning_rate=0.5), Phase(2, lambda name: True, True), Phase(4, lambda name: True)
    )
    loop = build(everything, learning_rate=1e-3)
    first = loop.training.optimizer
    loop.run(scored)
    assert loop.training.optimizer is not first
    assert loop.curve.learning_rate == pytest.approx([0.5, 0.25, 1e-3, 7.5e-4, 5e-4, 2.5e-4])


def test_phases_out_of_order_are_refused(build: Build) -> None:
    for starts in ((1,), (0, 3, 2), (0, 2, 2)):
        with pytest.raises(BenchError, match=r"phases start at the steps .* 0 first, then rising"):
            build(phased(*(Phase(start, lambda name: True) for start in starts)))


# ---- failures --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [1, 2, 3, 9, 10, 11, 12])
def test_a_divergence_ends_the_run_at_its_step(build: Build, step: int) -> None:
    loop = build(Breaks(poison=step), epochs=5, evaluations=1)
    with pytest.raises(Diverged) as caught:
        loop.run(scored)
    assert caught.value.step == step + 1
    assert len(loop.curve.loss) == len(loop.curve.learning_rate) == len(loop.curve.grad_norm) == step + 1
    assert math.isnan(loop.curve.loss[-1])
    assert all(map(math.isfinite, loop.curve.loss[:-1]))
    assert loop.progress().steps >= step + 1


@pytest.mark.parametrize("step", [1, 2, 5, 11, 12])
def test_a_failure_keeps_the_curve_of_the_steps_before_it(build: Build, step: int) -> None:
    noting = Noting()
    loop = build(noting, Breaks(fail=step), epochs=5, evaluations=1)
    with pytest.raises(ValueError, match="broke"):
        loop.run(scored)
    assert loop.progress().steps == step - 1
    assert len(loop.curve.loss) == len(loop.curve.learning_rate) == len(loop.curve.grad_norm) == step - 1


def test_a_failure_that_followed_a_divergence_is_a_divergence(build: Build) -> None:
    @dataclass(frozen=True)
    class Overflows(Technique):
        """Its loss is infinite at the fifth step, while the gradient stays finite."""

        name = "overflows"
        paper = "none"
        identity = None

        def backward(self, step: Step) -> Tensor:
            loss = step.loss(step.forward())
            step.backward(loss)
            return loss.detach() + (math.inf if step.training.step == 4 else 0.0)

    loop = build(Overflows(), Breaks(fail=7), epochs=5, evaluations=1)
    with pytest.raises(Diverged) as caught:
        loop.run(scored)
    assert caught.value.step == 5
    assert isinstance(caught.value.__context__, ValueError)


# ---- observer runs ---------------------------------------------------------------------------------------------------


def test_the_run_ends_when_every_observer_run_has_stopped(build: Build) -> None:
    loop = build(observer_runs=[observed_by(Stops(1)), observed_by(Stops(2))], evaluations=6)
    loop.run(scored)
    assert loop.training.step == 2
    assert [t.steps for t in loop.observer_runs] == [[1], [1, 2]]
    assert [t.stopped.steps for t in loop.observer_runs if t.stopped] == [1, 2]


def test_an_observer_run_that_stopped_does_not_stop_the_others(build: Build) -> None:
    loop = build(observer_runs=[observed_by(Stops(2)), observed_by()], evaluations=6)
    values = iter([0.4, 0.3, 0.9, 0.1, 0.2, 0.6])
    loop.run(lambda: scored(next(values)))
    stopped, going = loop.observer_runs
    assert (stopped.scores, going.scores) == ([0.4, 0.3], [0.4, 0.3, 0.9, 0.1, 0.2, 0.6])
    assert stopped.stopped is not None
    assert (stopped.stopped.steps, stopped.running, going.running) == (2, False, True)
    assert stopped.stopped.examples < loop.progress().examples == 10
    assert stopped.selected is not None
    assert going.selected is not None
    assert (stopped.selected.metrics["accuracy"], going.selected.metrics["accuracy"]) == (0.4, 0.6)


def test_observer_runs_share_an_evaluation_unless_they_alter_the_weights(build: Build) -> None:
    noting, watching = Noting(), Watches()
    loop = build(noting, observer_runs=[observed_by(), observed_by(Stops(9)), observed_by(watching)], evaluations=1)
    calls: list[list[str]] = []
    loop.run(lambda: calls.append(list(watching.log)) or scored())
    assert calls == [[], ["enter"]]
    assert watching.log == ["enter", "leave"]
    assert noting.log.count("enter") == 1


def test_observers_leave_the_training_alone(build: Build) -> None:
    alone, watched = (
        build(dropout=0.1),
        build(dropout=0.1, observer_runs=[observed_by(), observed_by(Watches()), observed_by(Stops(9))]),
    )
    alone.run(scored)
    watched.run(scored)
    assert alone.curve.loss == watched.curve.loss
    assert distance(weights(alone), weights(watched)) == 0


# ---- time ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that only moves when it is told to; the function moves it."""
    now = [0.0]
    monkeypatch.setattr(timing, "time", SimpleNamespace(perf_counter=lambda: now[0]))

    def pass_by(seconds: float) -> None:
        now[0] += seconds

    return pass_by


def test_evaluation_and_observers_are_timed_apart_from_training(build: Build, clock: Callable[[float], None]) -> None:
    @dataclass(frozen=True)
    class Takes(Technique):
        name = "takes"
        paper = "none"
        identity = None

        def after_update(self, training: Training) -> None:
            clock(1.0)

    def evaluate() -> Scored:
        clock(1000.0)
        return scored()

    plain, watching = observed_by(), observed_by(Watches(clock))
    loop = build(Takes(), observer_runs=[plain, watching], evaluations=2)
    loop.run(evaluate)
    assert loop.progress().seconds == 6.0
    assert (plain.own.seconds, watching.own.seconds) == (0.0, 30.0)
    # An observer that alters the weights is evaluated at the end only.
    assert (plain.evaluating.seconds, watching.evaluating.seconds) == (2000.0, 1000.0)
    # Four steps of a second each were timed.
    assert loop.throughput.seconds == 4.0


def test_throughput_is_of_the_steps_after_the_first(build: Build) -> None:
    loop = build()
    timed = [feature for step in list(loop._batches())[UNTIMED_STEPS:] for part in step for feature in part]
    loop.run(scored)
    assert loop.throughput.tokens == sum(map(len, timed))
    assert loop.throughput.examples == len(timed)
    assert loop.throughput.tokens_per_second() == loop.throughput.tokens / loop.throughput.seconds


def test_a_run_of_untimed_steps_has_no_throughput(build: Build) -> None:
    loop = build(epochs=1, batch_size=5)
    loop.run(scored)
    assert loop.throughput.tokens_per_second() is None
    assert loop.progress().seconds > 0
