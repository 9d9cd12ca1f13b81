from __future__ import annotations

import dataclasses
import math

import pytest

from bench_lib.core.errors import BenchError, Unsupported
from bench_lib.core.record import Status
from bench_lib.runner.execute import execute
from bench_lib.runner.members import members
from bench_lib.runner.seed_ensembles import build_seed_ensemble
from bench_lib.store import Store
from bench_lib.techniques.interface.history import Choice, History
from bench_lib.techniques.optimisation.start_many import StartMany


def run(*scores, end="last", every=10):
    """A run that was evaluated every so many steps; None for one that diverged after its last evaluation."""
    evaluations = tuple((every * i, float(score)) for i, score in enumerate(scores, start=1))
    return History(evaluations, (scores[-1] if end == "last" else end) if scores else None)


RUNS = [run(0.5, 0.6, 0.9), run(0.7, 0.7, 0.7), run(0.6, 0.8, 0.8), run(0.6, 0.9, 1.0)]


def test_the_early_best_are_finished_and_the_late_best_of_them_counts():
    # At step 10 the second leads; of the equal third and fourth, the smaller seed goes on. The fourth would have won.
    assert StartMany(members=4, share=0.3).choose(RUNS) == Choice(2, (1, 2), 10)
    assert StartMany(members=4, kept=1, share=0.3).choose(RUNS) == Choice(1, (1,), 10)
    assert StartMany(members=4, kept=3, share=0.3).choose(RUNS) == Choice(3, (1, 2, 3), 10)


@pytest.mark.parametrize(("share", "at"), [(0.01, 10), (1 / 3, 10), (0.34, 20), (0.6, 20)])
def test_the_first_evaluation_from_the_share_on_decides(share, at):
    assert StartMany(share=share).choose(RUNS).stopped_at == at


def test_without_an_evaluation_between_it_is_declined():
    with pytest.raises(Unsupported, match=r"no evaluation of its members from a share of 0.7 on and before their end"):
        StartMany(share=0.7).choose(RUNS)
    with pytest.raises(Unsupported, match="more evaluations"):
        StartMany().choose([run(0.5, every=30), run(0.6, every=30)])


def test_a_run_that_diverged_before_comes_last_and_one_that_did_later_is_lost():
    early, late = run(end=None), run(0.9, end=None)
    assert StartMany(share=0.3).choose([early, *RUNS[:1], late]) == Choice(1, (2, 1), 10)
    assert StartMany(share=0.3, kept=1).choose([early, *RUNS[:1], late]) == Choice(2, (2,), 10)
    assert StartMany().choose([run(), run()]) == Choice(0, (0, 1), 0)


def test_a_run_that_stopped_itself_keeps_its_score():
    stopped = run(0.8, end=0.8)
    assert StartMany(share=0.5).choose([stopped, *RUNS]) == Choice(4, (4, 0), 20)


def test_one_member_is_finished_whatever_its_evaluations():
    assert StartMany(members=1).choose([run(0.5, every=30)]) == Choice(0, (0,), 0)


MEMBER = "adamw+early_stopping:patience=0"
SHORT = {"train_examples": 32, "batch_size": 4, "eval_examples": 16, "evaluations": 4}


@pytest.fixture(scope="module")
def stored(make_spec, tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("stored"))
    for seed in range(4):
        (record,) = execute([make_spec("sst2", MEMBER, seed, learning_rate=0.01, **SHORT)])
        store.append(record)
    return store, sorted(store.records(), key=lambda record: record.seed)


def test_a_pool_is_the_chosen_run_and_costs_what_was_needed(make_spec, stored):
    store, runs = stored
    spec = make_spec("sst2", "start_many:members=4", learning_rate=0.01, **SHORT)
    made = build_seed_ensemble(spec, store)
    steps = runs[0].cost.steps
    at = runs[0].evaluations.steps[0]
    assert at == math.ceil(steps / 4)
    assert made.reported["start_many.stopped_at"] == at
    order = sorted(runs, key=lambda r: -r.evaluations.dev_scores[0])[:2]
    best = max(order, key=lambda r: r.evaluations.dev_scores[-1])
    assert (made.score, made.metrics, made.drift) == (best.score, best.metrics, best.drift)
    assert made.reported["start_many.seed"] == best.seed
    assert made.predictions.values.tobytes() == store.predictions(best.run_id).values.tobytes()
    assert made.cost.steps == 2 * steps + 2 * at
    shares = [1.0 if r in order else at / steps for r in runs]
    for field in ("tokens", "examples", "forward_passes", "backward_passes"):
        assert getattr(made.cost, field) == sum(
            round(s * getattr(r.cost, field)) for s, r in zip(shares, runs, strict=True)
        )
    assert made.timing.train_seconds == pytest.approx(
        sum(s * r.timing.train_seconds for s, r in zip(shares, runs, strict=True))
    )
    assert made.timing.setup_seconds == pytest.approx(sum(r.timing.setup_seconds for r in runs))


def test_members_that_diverge(make_spec, stored, tmp_path):
    """The leader diverges late and is lost; where nobody else was finished, so has the pool."""
    _, runs = stored
    leader = max(runs, key=lambda r: r.evaluations.dev_scores[0])
    gone = {"status": Status.DIVERGED.value, "score": None, "reason": "the loss was not finite"}
    store = Store(tmp_path)
    for record in runs:
        first = {name: record.columns()[name][:1] for name in ("eval_step", "eval_score", "dev_score")}
        lost = record.changed(first | gone)
        whole = dataclasses.replace(record, predictions=stored[0].predictions(record.run_id))
        store.append(lost if record is leader else whole)

    def made(kept):
        text = f"start_many:members=4:kept={kept}"
        return build_seed_ensemble(make_spec("sst2", text, learning_rate=0.01, **SHORT), store)

    assert (made(1).status, made(1).score) == ("diverged", None)
    assert made(1).reason == "all 1 members diverged"
    assert made(2).score is not None
    assert f"left out: seed {leader.seed} diverged" in made(2).reason


def test_it_chooses_on_the_set_that_its_setting_names(make_spec, tmp_path):
    names = {"start_many": MEMBER, "start_many:on=evaluation": "adamw", "best_checkpoint+start_many": "best_checkpoint"}
    for text, member in names.items():
        assert {one.technique() for one in members(make_spec("sst2", text, **SHORT))} == {member}
    with pytest.raises(BenchError, match="selects on two sets, dev and evaluation"):
        members(make_spec("sst2", "best_checkpoint:on=evaluation+start_many", **SHORT))
