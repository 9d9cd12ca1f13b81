from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench_lib.techniques.baselines.best_checkpoint import BestCheckpoint

scores = st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4]), min_size=1, max_size=9)


def test_the_earliest_best_by_hand():
    assert BestCheckpoint().select([0.5, 0.7, 0.6, 0.7, 0.65]) == 1


@given(history=scores)
def test_it_never_stops_and_keeps_the_first_best(history):
    assert not BestCheckpoint().stop(history)
    kept = BestCheckpoint().select(history)
    assert history[kept] == max(history)
    assert max(history) not in history[:kept]


def test_a_run_goes_on_to_the_end_and_keeps_its_best_evaluation(train):
    changes = {"evaluations": 4, "learning_rate": 0.01}
    usual, best = (train("conll2003", stack, **changes).record for stack in ("adamw", "best_checkpoint"))
    assert (best.evaluations.scores, best.cost.steps) == (usual.evaluations.scores, usual.cost.steps)
    on_dev = best.evaluations.dev_scores
    assert max(on_dev) > on_dev[-1], "or the last would have been the best"
    assert best.score == best.evaluations.scores[on_dev.index(max(on_dev))]


def test_of_equal_scores_it_keeps_the_first_ones_predictions(train):
    changes = {"evaluations": 4, "learning_rate": 0.01, "epochs": 2}
    usual, best = (train("conll2003", stack, **changes).record for stack in ("adamw", "best_checkpoint:on=evaluation"))
    assert len(set(best.evaluations.scores)) == 1
    assert best.cost.steps == usual.cost.steps, "equal scores do not stop it"
    assert best.predictions.values.tobytes() != usual.predictions.values.tobytes()
