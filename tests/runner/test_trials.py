"""Which trials a tuning has, the best of them, and what tuned arms come to: all without training."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from bench_lib.core.errors import BadValue, BenchError, UnknownName, Unsupported
from bench_lib.core.record import Status
from bench_lib.core.seeds import TRIAL_SEEDS, TUNING_SEEDS
from bench_lib.core.spec import Profile, RunSpec, TechniqueSpec
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.records import blank_record
from bench_lib.runner.trials import (
    MOST_POINTS,
    Arm,
    Outcome,
    coordinates,
    outcomes,
    parse_arm,
    relative_passes,
    tuned_stack,
    tuning,
)
from bench_lib.store import Store
from bench_lib.store.identity import contradictions
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import Stack, parse_stack

SST2 = TASKS.get("sst2")
TUNABLE = [name for name in TECHNIQUES.names() if name != "scale_lr" and not TECHNIQUES.get(name)().pools()]
Cell = Callable[..., RunSpec]


@pytest.fixture(scope="module")
def cell(data_folder: Path) -> Cell:
    """A run of a stack on the tiny model."""

    def make(stack: str = "mixout", profile: str = "smoke", task: str = "sst2") -> RunSpec:
        return plan(Grid((task,), (stack,), (0,), profile, "tiny", str(data_folder)))[0]

    return make


def arm(text: str, budget: int = 16) -> Arm:
    return Arm(parse_stack(text, TECHNIQUES), budget)


def labels(points: Sequence[Stack]) -> list[str]:
    return ["+".join(part.label for part in point.spec()) for point in points]


def factors(points: Sequence[Stack]) -> list[float]:
    return [float(dict(point.spec()[-1].params)["factor"]) for point in points if "scale_lr" in point.spec()[-1].name]


def scored(
    trials: Sequence[tuple[RunSpec, ...]], scores: Mapping[int, float], default: float = 0.6
) -> dict[str, Outcome]:
    """Outcomes of all trials, with other scores at some points."""
    return {
        trial.run_id(): Outcome(Status.CONVERGED, scores.get(number, default), 12, 1.0)
        for number, point in enumerate(trials)
        for trial in point
    }


# ---- points ----------------------------------------------------------------------------------------------------------


def test_the_points_stay_what_they_are() -> None:
    """Stored trials are found by them: another version of scipy, or of this code, may not move them."""
    assert labels(arm("mixout").points(SST2, Profile()))[:6] == [
        "mixout",
        "mixout+scale_lr:factor=0.353",
        "mixout:p=0.8+scale_lr:factor=1.41",
        "mixout:p=0.7+scale_lr:factor=2.83",
        "mixout:p=0.9+scale_lr:factor=0.706",
        "mixout:p=0.7+scale_lr:factor=0.999",
    ]


@pytest.mark.parametrize("name", TUNABLE)
def test_every_technique_has_the_rates_of_the_baseline_or_one_of_its_own(name: str) -> None:
    try:
        points = arm(name).points(TASKS.get("sst2"), Profile())
    except Unsupported:
        pytest.skip("declined")
    found = factors(points)
    assert found == factors(arm("adamw").points(SST2, Profile()))[: len(found)]
    assert len(found) == (0 if "scale_lr" in TECHNIQUES.get(name).supersedes else len(points) - 1)
    assert points[0] == parse_stack(name, TECHNIQUES), "the default comes first"
    assert len(set(labels(points))) == len(points)
    for point in points[1:]:
        for technique in point.techniques:
            changed = {n for n, value in vars(technique).items() if value != getattr(type(technique)(), n)}
            assert changed <= {*technique.space, "factor"}
            assert all(getattr(technique, field) in values for field, values in technique.space.items())


def test_rates_are_spread_evenly_over_their_range_and_knobs_over_their_values() -> None:
    rates, knobs = zip(*coordinates(["rate", "mixout:p"], "sst2")[:16], strict=True)
    for values in (rates, knobs):
        assert sorted(int(16 * value) for value in values) == list(range(16))
    found = sorted(factors(arm("mixout").points(SST2, Profile())))
    assert len(found) == 15
    assert found[0] >= 0.25
    assert found[-1] <= 4
    assert [high / low for low, high in itertools.pairwise(found)] == pytest.approx([2**0.25] * 14, rel=0.01)


def test_a_coordinate_is_the_same_whatever_others_there_are() -> None:
    alone, beside = coordinates(["rate"], "sst2"), coordinates(["rate", "a", "b", "c"], "sst2")
    assert [point[0] for point in alone] == [point[0] for point in beside]
    assert len(alone) == MOST_POINTS
    assert [point[0] for point in coordinates(["rate"], "imdb")] != [point[0] for point in alone]


def test_a_smaller_budget_has_the_first_points_of_a_larger() -> None:
    few, many = (arm("scl", budget).points(SST2, Profile()) for budget in (4, 16))
    assert few == many[:4]


@pytest.mark.parametrize(
    ("name", "epochs", "count"),
    [("adamw", 3, 16), ("mixout", 3, 16), ("r_drop", 3, 8), ("sam", 3, 8), ("freelb", 3, 8)],
)
def test_what_costs_more_passes_gets_fewer_points(name: str, epochs: int, count: int) -> None:
    points = arm(name, 16).points(SST2, Profile(epochs=epochs))
    costs = [relative_passes(point, Profile(epochs=epochs)) for point in points]
    assert sum(costs) <= 16 + 1e-9
    assert len(points) == count
    assert sum(costs) > 16 - max(costs)


def test_points_that_cost_more_than_others_are_paid_for_one_by_one() -> None:
    points = arm("longer").points(SST2, Profile(epochs=3))
    epochs = [point.techniques[0].configure(Profile()).epochs for point in points]  # type: ignore[attr-defined]
    assert sum(epochs) <= 16 * 3
    assert epochs[0] == 20
    assert {*epochs[1:]} <= {5, 10, 20}
    assert len(points) > 2


def test_the_default_is_tried_even_if_it_costs_more_than_the_budget() -> None:
    assert labels(arm("longer", 1).points(SST2, Profile(epochs=3))) == ["longer"]
    assert relative_passes(parse_stack("longer", TECHNIQUES), Profile(epochs=3)) == pytest.approx(20 / 3)


def test_estimation_and_pretraining_are_paid_for() -> None:
    assert relative_passes(parse_stack("child_tuning_d", TECHNIQUES), Profile(epochs=2)) == pytest.approx(1.5)
    tapt = parse_stack("tapt", TECHNIQUES)
    assert relative_passes(tapt, Profile(epochs=2)) == pytest.approx(
        1 + tapt.techniques[0].pretraining_passes(2)[0] / 2
    )


@pytest.mark.parametrize(
    ("text", "budget", "error", "why"),
    [
        ("mixout", 0, BadValue, "budget of a tuning is 0; allowed: 1 to 1,024"),
        ("mixout", 1025, BadValue, "budget of a tuning is 1025"),
        ("ensemble", 16, BenchError, "ensemble is not tuned: it pools runs of 5 seeds, and a trial has 2"),
        ("scale_lr", 16, BadValue, "technique to tune is 'scale_lr'; allowed: any other"),
        ("mixout:p=0.5", 16, BadValue, "technique to tune is 'mixout:p=0.5'; allowed: mixout, without settings"),
        ("adamw+llrd:decay=0.5", 16, BadValue, "technique to tune is 'llrd:decay=0.5'; allowed: llrd, without"),
    ],
)
def test_what_cannot_be_tuned_is_refused_with_the_reason(text: str, budget: int, error: type, why: str) -> None:
    with pytest.raises(error, match=why):
        arm(text, budget)


# ---- trials and the best of them -------------------------------------------------------------------------------------


def test_a_trial_is_an_ordinary_run_on_a_tuning_seed_that_is_scored_on_dev(cell: Cell) -> None:
    known = cell()
    trials = arm("mixout", 3).trials(dataclasses.replace(known, seed=7, frozen=()))
    assert [len(point) for point in trials] == [len(TRIAL_SEEDS)] * 3
    for point in trials:
        assert [trial.seed for trial in point] == list(TRIAL_SEEDS) == list(TUNING_SEEDS[:2])
        for trial in point:
            assert trial.profile == dataclasses.replace(known.profile, scored_on="dev")
            assert trial.profile_name == "smoke:scored_on=dev"
            assert trial.frozen == (("subset", 0),)
    assert trials[0][0].stack == known.stack
    assert len({trial.run_id() for point in trials for trial in point}) == 6


def test_observers_are_tried_on_the_trainings_of_the_baseline(cell: Cell) -> None:
    ours, base = (arm(name, 8).trials(cell(name)) for name in ("ema", "adamw"))
    assert [t.training().run_id() for p in ours for t in p] == [t.training().run_id() for p in base for t in p]


def test_the_best_mean_wins_and_ties_go_to_the_default(cell: Cell) -> None:
    known, tuned = cell(), arm("mixout", 4)
    trials = tuned.trials(known)
    for scores, best in (({2: 0.9}, 2), ({}, 0), ({0: 0.1, 1: 0.2, 3: 0.2}, 2), ({1: 0.8, 3: 0.8}, 1)):
        assert tuning(tuned, known, scored(trials, scores)).best() == best


def test_a_point_is_worth_its_mean_over_the_seeds(cell: Cell) -> None:
    known, tuned = cell(), arm("mixout", 2)
    (first, second), *_ = trials = tuned.trials(known)
    found = scored(trials, {}) | {
        first.run_id(): Outcome(Status.CONVERGED, 0.9, 1, 1.0),
        second.run_id(): Outcome(Status.DIVERGED, 0.5, 1, 1.0),
    }
    assert tuning(tuned, known, found).scores() == pytest.approx([0.7, 0.6])


def stack_of(name: str, tuned: Arm, known: RunSpec, best: int) -> tuple[TechniqueSpec, ...]:
    return tuned_stack(tuned, known, scored(tuned.trials(known), {best: 0.9}), name)


@pytest.mark.parametrize("best", [0, 1, 5])
def test_a_tuned_arm_is_a_stack_by_value_under_a_label_of_its_own(cell: Cell, best: int) -> None:
    known, tuned = cell("mixout+llrd"), arm("mixout+llrd")
    stack = stack_of("store", tuned, known, best)
    run = dataclasses.replace(known, stack=stack)
    assert run.technique() == "mixout+llrd[tuned@16]"
    *parts, scale = stack
    point = tuned.points(SST2, known.profile)[best].spec()
    assert [(part.name, part.params) for part in parts] == [(part.name, part.params) for part in point[:2]]
    assert dict(scale.params) == {
        "factor": factors(tuned.points(SST2, known.profile))[best - 1] if best else 1.0,
        "budget": 16,
    }


def test_tunings_with_other_budgets_and_runs_that_nobody_tuned_are_other_runs(cell: Cell) -> None:
    known = cell()
    stacks = [stack_of("store", arm("mixout", budget), known, 1) for budget in (8, 16)]
    plain = arm("mixout").points(SST2, known.profile)[1].spec()
    ids = {dataclasses.replace(known, stack=stack).run_id() for stack in (*stacks, plain)}
    assert len(ids) == 3


def test_the_record_of_a_tuned_arm_agrees_with_its_spec(cell: Cell) -> None:
    known = cell()
    run = dataclasses.replace(known, stack=stack_of("store", arm("mixout"), known, 3))
    row = blank_record(run, Status.CRASHED, "").columns()
    assert list(contradictions(row)) == []
    for wrong in ("mixout[tuned]", "llrd[tuned@16]", "mixout[tuned@x]", "[tuned@16]"):
        assert list(contradictions({**row, "technique": wrong})), wrong


def test_a_technique_with_a_rate_of_its_own_is_tuned_by_its_knobs_alone(cell: Cell) -> None:
    tuned, known = arm("linear_probe"), cell("linear_probe")
    assert len(tuned.trials(known)) <= 1 + len(TECHNIQUES.get("linear_probe").space["learning_rate"])
    assert dict(stack_of("store", tuned, known, 2)[-1].params)["factor"] == 1.0


def test_trials_that_are_missing_are_asked_for_by_the_command_that_runs_them(cell: Cell) -> None:
    known, tuned = cell(), arm("mixout", 4)
    found = scored(tuned.trials(known), {})
    found.popitem()
    with pytest.raises(BenchError) as caught:
        tuned_stack(tuned, known, found, "some store")
    message = str(caught.value)
    assert message.startswith(
        "mixout[tuned@4] on sst2: 1 of 8 trials under profile smoke are missing from some store; "
    )
    assert "stabbench tune --techniques mixout --tasks sst2 --profile smoke --model tiny --data " in message
    assert message.endswith("--budget 4 --store 'some store' runs them")


def test_an_arm_that_declines_a_task_needs_no_trials(cell: Cell) -> None:
    with pytest.raises(Unsupported):
        arm("lm_bff").trials(cell("lm_bff", task="conll2003"))
    stack = tuned_stack(arm("lm_bff"), cell("lm_bff", task="conll2003"), {}, "store")
    assert [part.name for part in stack] == ["lm_bff", "scale_lr"]


# ---- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "label"),
    [("mixout[tuned]", "mixout[tuned@16]"), ("mixout[tuned@8]", "mixout[tuned@8]"), ("llrd+reinit[tuned@3]",) * 2],
)
def test_labels_are_read(text: str, label: str) -> None:
    found = parse_arm(text)
    assert found is not None
    assert found.label == label


@pytest.mark.parametrize(
    ("text", "error", "why"),
    [
        ("mixout[tund]", BadValue, r"technique is 'mixout\[tund\]'; allowed: NAME\[tuned@BUDGET\], or NAME\[tuned\]"),
        ("mixout[tuned@]", BadValue, "allowed: NAME"),
        ("mixout[tuned@-1]", BadValue, "allowed: NAME"),
        ("mixout[tuned@0]", BadValue, "budget of a tuning is 0"),
        ("mixuot[tuned]", UnknownName, "unknown technique 'mixuot': did you mean 'mixout'"),
        ("[tuned]", UnknownName, "unknown technique ''"),
        ("mixout:p=0.5[tuned]", BadValue, "allowed: mixout, without settings"),
    ],
)
def test_other_labels_are_refused(text: str, error: type, why: str) -> None:
    with pytest.raises(error, match=why):
        parse_arm(text)


def test_no_label_is_no_arm() -> None:
    assert parse_arm("mixout:p=0.5+llrd") is None


# ---- what a store knows ----------------------------------------------------------------------------------------------


def test_outcomes_are_those_of_the_trials_alone(cell: Cell, tmp_path: Path) -> None:
    store, known = Store(tmp_path / "results"), cell()
    statuses = (Status.CONVERGED, Status.COLLAPSED, Status.DIVERGED, Status.UNSUPPORTED, Status.CRASHED, Status.OOM)
    trials = list(itertools.chain(*arm("mixout", 3).trials(known)))
    for trial, status in zip(trials, statuses, strict=True):
        score = {Status.CONVERGED: 0.8, Status.COLLAPSED: 0.4}.get(status)
        blank = dataclasses.replace(blank_record(trial, status, "why"), score=score, constant_baseline=0.5)
        store.append(blank)
    store.append(dataclasses.replace(blank_record(known, Status.CONVERGED, ""), score=0.9))
    found = outcomes(store)
    assert [(found[t.run_id()].status, found[t.run_id()].score) for t in trials[:4]] == [
        (status, 0.8 if status is Status.CONVERGED else 0.5) for status in statuses[:4]
    ]
    assert len(found) == 4
