from __future__ import annotations

import itertools

import numpy as np
import pytest
import sklearn.metrics
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.tasks.formats.label_set_metrics import LABEL_SET_METRICS, best_constant, exact_match, macro_f1, micro_f1

LABELS = 4
SETS = st.sets(st.integers(0, LABELS - 1)).map(lambda found: tuple(sorted(found)))
PAIRS = st.lists(st.tuples(SETS, SETS), min_size=1, max_size=12)


def table(sets):
    found = np.zeros((len(sets), LABELS), dtype=int)
    for row, labels in enumerate(sets):
        found[row, list(labels)] = 1
    return found


def test_by_hand() -> None:
    predictions, references = [(0, 1), (2,), ()], [(0,), (2, 1), (0,)]
    # Label 0: one right, none wrong, one missed; label 1: one wrong, one missed; label 2: right.
    assert macro_f1((), predictions, references) == pytest.approx((2 / 3 + 0 + 1) / 3)
    assert micro_f1((), predictions, references) == pytest.approx(2 * 2 / (3 + 4))
    assert exact_match((), predictions, references) == 0
    assert exact_match((), [(0,), ()], [(0,), (1,)]) == 0.5


@given(PAIRS)
def test_they_are_those_of_scikit_learn(pairs) -> None:
    predictions, references = zip(*pairs, strict=True)
    guessed, true = table(predictions), table(references)
    known = {"average": "micro", "zero_division": 0}
    assert micro_f1((), predictions, references) == pytest.approx(sklearn.metrics.f1_score(true, guessed, **known))
    occurring = np.flatnonzero((guessed + true).sum(0))
    if len(occurring):
        known = {"average": "macro", "zero_division": 0, "labels": occurring}
        assert macro_f1((), predictions, references) == pytest.approx(sklearn.metrics.f1_score(true, guessed, **known))
    assert exact_match((), predictions, references) == pytest.approx(sklearn.metrics.accuracy_score(true, guessed))


def test_without_any_label_there_is_nothing_to_score() -> None:
    assert micro_f1((), [()], [()]) == macro_f1((), [()], [()]) == 0
    assert best_constant("micro_f1", [()]) == best_constant("macro_f1", [()]) == 0


@pytest.mark.parametrize("metric", LABEL_SET_METRICS)
@given(references=st.lists(SETS, min_size=1, max_size=8))
def test_the_best_constant_is_the_best_of_all_sets(metric, references) -> None:
    every = itertools.chain.from_iterable(itertools.combinations(range(LABELS), k) for k in range(LABELS + 1))
    scores = [LABEL_SET_METRICS[metric]((), [constant] * len(references), references) for constant in every]
    assert best_constant(metric, references) == pytest.approx(max(scores))
