from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
    assert len(usual.evaluations.scores) == len(best.evaluations.scores) == 4
    assert usual.score == usual.evaluations.scores[-1]
    assert best.score == max(best.evaluations.scores)
    assert best.evaluations.scores == usual.evaluations.scores


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
