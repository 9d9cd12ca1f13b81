from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench_lib.core.record import Predictions
from bench_lib.tasks.formats import FORMATS
from bench_lib.techniques.toolkit.voting import common_answers, majority, majority_of_each, mean, vote_of


def test_each_format_has_its_vote():
    votes = {str(task_format): vote_of(task_format) for task_format in FORMATS}
    assert votes["sequence"] == votes["tokens"] == majority
    assert (votes["span"], votes["multi_label"], votes["regression"]) == (common_answers, majority_of_each, mean)


def test_a_label_of_a_set_needs_more_than_half_of_the_votes():
    tables = ([[2.0, -1.0, 3.0]], [[0.1, -9.0, -3.0]], [[-5.0, 1.0, 0.0]], [[-1.0, 2.0, -1.0]])
    found = majority_of_each([Predictions(np.array(one, dtype=np.float32)) for one in tables])
    np.testing.assert_allclose(found.values, [[0.0, 0.0, np.log(1.5 / 3.5)]], rtol=1e-6)
    assert majority_of_each([Predictions(np.array(one, dtype=np.float32)) for one in tables[:3]]).values[0, 0] > 0


def test_numbers_are_averaged():
    found = mean([Predictions(np.array([[1.0], [2.5]], dtype=np.float32)), Predictions(np.zeros((2, 1), np.float32))])
    assert found.values.tolist() == [[0.5], [1.25]]
    assert found.values.dtype == np.float32


def saying(*classes, of=3):
    """Logits of one member that says these classes, one a row."""
    return Predictions(np.eye(of, dtype=np.float32)[list(classes)])


def test_most_votes_win_and_of_equally_many_the_first_class():
    found = majority([saying(0, 2, 1), saying(1, 2, 1), saying(1, 0, 0), saying(0, 2, 2)])
    assert found.values.argmax(-1).tolist() == [0, 2, 1]
    assert found.values.dtype == np.float32


def test_votes_are_shares_with_one_more_that_is_spread_evenly():
    found = majority([saying(0), saying(0), saying(2)])
    np.testing.assert_allclose(np.exp(found.values), [[(2 + 1 / 3) / 4, (1 / 3) / 4, (1 + 1 / 3) / 4]], rtol=1e-6)


@given(st.integers(1, 7), st.integers(2, 5), st.data())
def test_the_vote_is_the_largest_count_whatever_the_logits(members, classes, data):
    logits = st.floats(-20, 20, width=32)
    tables = [data.draw(arrays.arrays(np.float32, (4, classes), elements=logits)) for _ in range(members)]
    found = majority([Predictions(table) for table in tables]).values
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found).sum(-1), 1, rtol=1e-5)
    for row in range(4):
        counts = np.bincount([table[row].argmax() for table in tables], minlength=classes)
        assert found[row].argmax() == counts.argmax()


def test_words_stay_with_their_sentences():
    lengths = np.array([2, 1], dtype=np.int32)
    found = majority([Predictions(saying(0, 1, 2).values, lengths)] * 2)
    assert found.lengths is lengths


def answers(*rows):
    return Predictions(np.array(rows, dtype=np.float32))


def test_the_most_common_answer_wins_with_the_mean_score_of_those_who_gave_it():
    members = [answers([3, 8, 1.0]), answers([0, 9, 7.0]), answers([3, 8, 2.0])]
    assert common_answers(members).values.tolist() == [[3, 8, 1.5]]


@pytest.mark.parametrize(("scores", "winner"), [((1.0, 2.0), 4), ((2.0, 1.0), 3), ((1.0, 1.0), 3)])
def test_of_equally_common_answers_the_surest_wins_and_then_the_first(scores, winner):
    members = [answers([3, 8, scores[0]]), answers([4, 8, scores[1]])]
    assert common_answers(members).values[0, 0] == winner


def test_each_text_has_an_answer_of_its_own():
    members = [answers([0, 1, 1.0], [5, 6, 1.0]), answers([0, 1, 1.0], [7, 8, 3.0]), answers([2, 3, 9.0], [7, 8, 1.0])]
    assert common_answers(members).values.tolist() == [[0, 1, 1.0], [7, 8, 2.0]]
