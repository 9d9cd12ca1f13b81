from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.core.record import Status
from bench_lib.runner.execute import execute
from bench_lib.techniques.baselines.early_stopping import EarlyStopping

scores = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=9)


def test_patience_by_hand():
    history = [0.5, 0.7, 0.6, 0.7, 0.65]
    # Equal is not better: the best is the second, and three evaluations after it have passed at the fifth.
    assert [EarlyStopping(3).stop(history[:n]) for n in range(1, 6)] == [False, False, False, False, True]
    assert [EarlyStopping(1).stop(history[:n]) for n in range(1, 6)] == [False, False, True, True, True]
    assert EarlyStopping(3).select(history) == 1


@given(history=scores, patience=st.integers(1, 4))
def test_the_published_rule(history, patience):
    earlier, recent = history[:-patience], history[-patience:]
    assert EarlyStopping(patience).stop(history) == (bool(earlier) and max(earlier) >= max(recent))


@given(history=scores)
def test_without_patience_it_never_stops_and_keeps_the_last(history):
    assert not EarlyStopping(0).stop(history)
    assert EarlyStopping(0).select(history) == len(history) - 1


@given(history=scores, patience=st.integers(1, 4))
def test_the_first_best_is_kept(history, patience):
    kept = EarlyStopping(patience).select(history)
    assert history[kept] == max(history)
    assert max(history) not in history[:kept]


def test_a_run_keeps_the_score_of_its_best_evaluation(train):
    changes = {"evaluations": 4, "learning_rate": 0.01}
    usual, best = (train("conll2003", stack, **changes).record for stack in ("adamw", "early_stopping"))
    evaluations = best.evaluations
    assert len(usual.evaluations.scores) == len(evaluations.scores) == len(evaluations.dev_scores) == 4
    assert usual.score == usual.evaluations.scores[-1]
    assert best.score == evaluations.scores[evaluations.dev_scores.index(max(evaluations.dev_scores))]
    assert evaluations.scores == usual.evaluations.scores != evaluations.dev_scores
    assert usual.evaluations.dev_scores == ()


def test_on_the_evaluation_set_it_is_given_the_scores_that_are_reported_and_says_so(train):
    changes = {"evaluations": 4, "learning_rate": 0.01}
    record = train("conll2003", "early_stopping:on=evaluation", **changes).record
    assert record.technique == "early_stopping:on=evaluation"
    assert record.score == max(record.evaluations.scores)
    assert record.evaluations.dev_scores == ()


def test_another_set_is_refused():
    with pytest.raises(BadValue, match="early_stopping:on is 'test'; allowed: dev or evaluation"):
        EarlyStopping(on="test")


def test_where_all_is_trained_on_it_declines_and_the_run_beside_it_goes_on(make_spec):
    few = {"train_examples": None, "eval_examples": 8}
    usual, stopping = execute([make_spec("sst2", stack, **few) for stack in ("adamw", "early_stopping")])
    assert Status(usual.status).completed
    assert (stopping.status, stopping.score) == ("unsupported", None)
    assert "no training example left for a dev set" in stopping.reason


def test_a_run_stops_where_patience_ends(train):
    # Without a rate every evaluation is equal, so that the second of four is the first without a better score.
    record = train("sst2", "early_stopping:patience=1", evaluations=4, learning_rate=0.0).record
    assert (record.cost.steps, record.evaluations.steps) == (2, (1, 2))
    assert (record.cost.forward_passes, record.cost.backward_passes, record.cost.examples) == (2, 2, 16)
    assert len(record.curve.loss) == len(record.curve.learning_rate) == len(record.curve.grad_norm) == 2


@pytest.mark.parametrize("patience", [2, 3])
def test_patience_counts_evaluations_and_not_steps(train, patience):
    record = train("sst2", f"early_stopping:patience={patience}", evaluations=4, learning_rate=0.0, epochs=2).record
    assert record.evaluations.steps == (2, 4, 6, 8)[: patience + 1]
