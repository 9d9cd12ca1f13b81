from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from bench_lib.core.record import Predictions
from bench_lib.tasks.formats import (
    FORMATS,
    MULTI_LABEL_CLASSIFICATION,
    QUESTION_ANSWERING,
    REGRESSION,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
)
from bench_lib.techniques.optimisation.ensemble import Ensemble

LOGITS = st.integers(1, 4).flatmap(
    lambda members: arrays.arrays(
        np.float32, (members, 3, 4), elements=st.floats(-80, 80, width=32, allow_subnormal=False)
    )
)


def pooled(*members, lengths=None, task_format=TEXT_CLASSIFICATION):
    found = [Predictions(np.array(m, dtype=np.float32), lengths) for m in members]
    return Ensemble(len(members)).pool(found, task_format)


def softmax(values):
    powers = np.exp(values.astype(np.float64) - values.max(-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def test_the_mean_of_the_probabilities_by_hand():
    # Two texts, two classes. The odds of the first are 3 : 1 and 1 : 1, so 3/4 and 1/2 with the mean 5/8; of the second
    # 1 : 4 and 4 : 1, so 1/5 and 4/5 with the mean 1/2. What is added to both logits of a row changes nothing.
    found = pooled([[math.log(3), 0], [7, 7 + math.log(4)]], [[-2, -2], [math.log(4), 0]])
    np.testing.assert_allclose(found.values, np.log([[5 / 8, 3 / 8], [1 / 2, 1 / 2]]), rtol=1e-6)
    assert found.values.dtype == np.float32
    assert found.lengths is None


def test_probabilities_are_averaged_and_not_logits():
    # One member is sure of class 0, two lean to class 1: (1 + 0.4 + 0.4) / 3 = 0.6; the logits differ by 3.06.
    sure, leaning = [[10.0, 0.0]], [[math.log(0.4), math.log(0.6)]]
    np.testing.assert_allclose(np.exp(pooled(sure, leaning, leaning).values), [[0.6, 0.4]], atol=1e-4)


def test_the_rows_of_each_sentence_stay_together():
    lengths = np.array([1, 2], dtype=np.int32)
    found = pooled(np.eye(3), np.eye(3)[::-1], lengths=lengths)
    assert found.lengths is lengths
    assert found.values.shape == (3, 3)
    np.testing.assert_allclose(found.values[0], found.values[2])


def test_one_member_is_handed_through():
    one = Predictions(np.array([[3.0, -1.0]], dtype=np.float32), np.array([1], dtype=np.int32))
    assert Ensemble(members=1).pool([one], TOKEN_CLASSIFICATION) is one
    # The others may have diverged.
    assert Ensemble(members=5).pool([one], TOKEN_CLASSIFICATION) is one


@given(LOGITS.filter(lambda values: len(values) > 1))
def test_they_are_logarithms_of_probabilities_whatever_the_order_of_the_members(values):
    found = pooled(*values).values
    assert np.isfinite(found).all()
    np.testing.assert_allclose(np.exp(found.astype(np.float64)).sum(-1), 1, rtol=1e-5)
    np.testing.assert_allclose(pooled(*values[::-1]).values, found, rtol=1e-6, atol=1e-7)


@given(LOGITS.filter(lambda values: len(values) > 1))
def test_a_probability_lies_between_the_members(values):
    found = np.exp(pooled(*values).values.astype(np.float64))
    single = np.stack([softmax(one) for one in values])
    np.testing.assert_allclose(found, single.mean(0), rtol=1e-4, atol=1e-30)
    assert (found >= single.min(0) * (1 - 1e-4)).all()
    assert (found <= single.max(0) * (1 + 1e-4)).all()


def test_the_probability_of_each_label_of_a_set_is_averaged():
    # Odds of 3 : 1 and 1 : 3 are 3/4 and 1/4, with the mean 1/2; of 9 : 1 and 1 : 1 are 0.9 and 0.5, with the mean 0.7.
    logits = [[math.log(3), math.log(9)]], [[-math.log(3), 0.0]]
    found = pooled(*logits, task_format=MULTI_LABEL_CLASSIFICATION).values
    np.testing.assert_allclose(found, [[0.0, math.log(0.7 / 0.3)]], atol=1e-6)
    assert np.isfinite(pooled([[90.0]], [[-90.0]], task_format=MULTI_LABEL_CLASSIFICATION).values).all()


def test_numbers_are_averaged():
    np.testing.assert_allclose(pooled([[1.0], [4.0]], [[2.0], [0.0]], task_format=REGRESSION).values, [[1.5], [2.0]])


def test_it_declines_answer_spans_alone():
    assert {kind for kind in FORMATS if Ensemble().declines(kind)} == {QUESTION_ANSWERING}
    assert "best spans have no mean" in Ensemble().declines(QUESTION_ANSWERING)


def test_what_it_pools():
    assert (Ensemble().pools(), Ensemble(members=10).pools()) == (5, 10)
