from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from statsmodels.stats import inter_rater

from bench_lib.core.errors import BadValue
from bench_lib.stats.agreement import churn, fleiss_kappa

PREDICTIONS = st.tuples(st.integers(2, 6), st.integers(1, 20)).flatmap(
    lambda shape: arrays(np.int64, shape, elements=st.integers(-1, 3))
)


def by_definition(predictions: np.ndarray) -> np.ndarray:
    return np.array([[np.mean(a != b) for b in predictions] for a in predictions])


def test_churn_by_hand() -> None:
    found = churn([[0, 1, 2, 0], [0, 1, 1, 0], [1, 1, 1, 1]])
    assert found.pairwise.tolist() == [[0, 0.25, 0.75], [0.25, 0, 0.5], [0.75, 0.5, 0]]
    assert found.mean == pytest.approx(0.5, abs=1e-12)


@given(PREDICTIONS)
def test_churn_is_the_mean_over_all_pairs(predictions: np.ndarray) -> None:
    found = churn(predictions)
    assert found.pairwise == pytest.approx(by_definition(predictions), abs=1e-12)
    pairs = [np.mean(a != b) for a, b in itertools.combinations(predictions, 2)]
    assert found.mean == pytest.approx(np.mean(pairs), abs=1e-9)


@pytest.mark.parametrize("categories", [2, 300, 70_000])
def test_the_number_of_categories_does_not_matter(categories: int) -> None:
    predictions = np.random.default_rng(0).integers(0, categories, (4, 500)) * 10**12
    assert churn(predictions).pairwise == pytest.approx(by_definition(predictions), abs=1e-12)


@pytest.mark.parametrize(
    "predictions",
    [
        [["yes", "no"], ["yes", "maybe"]],
        [[True, False], [True, True]],
        [[-1, 300], [-1, 301]],
        np.array([[1, 2], [1, 255]], dtype=np.uint8),
        np.array([[0, 2**64 - 1], [0, 2**64 - 2]], dtype=np.uint64),
    ],
)
def test_whole_numbers_and_texts_are_categories(predictions: object) -> None:
    assert churn(predictions).pairwise.tolist() == [[0, 0.5], [0.5, 0]]


def test_churn_of_too_few() -> None:
    alone = churn([[0, 1, 2]])
    assert math.isnan(alone.mean)
    assert alone.pairwise.tolist() == [[0]]
    for shape in ((3, 0), (1, 0)):
        nothing = churn(np.zeros(shape, dtype=np.int64))
        assert math.isnan(nothing.mean)
        assert nothing.pairwise.shape == (shape[0], shape[0])
        assert np.isnan(nothing.pairwise).all()
    assert math.isnan(churn(np.zeros((0, 5), dtype=np.int64)).mean)
    assert math.isnan(churn([[], []]).mean)


def test_kappa_by_hand() -> None:
    # Items 00, 01, 11, 11: half of what is paired agrees but for one item, 3/4; shares 3/8 and 5/8 agree by chance.
    chance = (3 / 8) ** 2 + (5 / 8) ** 2
    assert fleiss_kappa([[0, 0, 1, 1], [0, 1, 1, 1]]) == pytest.approx((3 / 4 - chance) / (1 - chance), abs=1e-12)


def test_kappa_of_fleiss_own_example() -> None:
    # Fleiss 1971, table 1: 6 raters, 30 patients, kappa .430; here the well-known smaller table with kappa .210.
    table = [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ]
    predictions = np.array([np.repeat(range(5), row) for row in table]).T
    assert fleiss_kappa(predictions) == pytest.approx(0.210, abs=5e-4)
    assert fleiss_kappa(predictions) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-9)


@given(PREDICTIONS)
def test_kappa_is_that_of_statsmodels(predictions: np.ndarray) -> None:
    if np.ptp(predictions) > 0:
        table, _ = inter_rater.aggregate_raters(predictions.T)
        assert fleiss_kappa(predictions) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-9)


def test_kappa_of_many_categories_is_that_of_statsmodels() -> None:
    predictions = np.random.default_rng(0).integers(0, 400, (5, 300))
    table, _ = inter_rater.aggregate_raters(predictions.T)
    assert fleiss_kappa(predictions) == pytest.approx(inter_rater.fleiss_kappa(table), abs=1e-9)


@given(PREDICTIONS, st.randoms(use_true_random=False))
def test_neither_names_nor_order_matter(predictions: np.ndarray, shuffler: object) -> None:
    order = np.random.default_rng(shuffler.randrange(2**32))
    renamed = order.permutation(5)[predictions + 1]
    moved = order.permutation(order.permutation(renamed, axis=0), axis=1)
    assert fleiss_kappa(moved) == pytest.approx(fleiss_kappa(predictions), abs=1e-12)
    assert churn(moved).mean == pytest.approx(churn(predictions).mean, abs=1e-12)


@pytest.mark.parametrize("predictions", [[[1], [1]], [[0, 0, 0]] * 4, [[0, 1, 2]] * 4])
def test_runs_that_agree_have_a_kappa_of_one_even_on_one_category(predictions: list[list[int]]) -> None:
    assert fleiss_kappa(predictions) == 1.0
    assert churn(predictions).mean == 0.0


@pytest.mark.parametrize("shape", [(0, 0), (0, 4), (1, 4), (3, 0)])
def test_kappa_of_too_few_is_not_known(shape: tuple[int, int]) -> None:
    assert math.isnan(fleiss_kappa(np.zeros(shape, dtype=np.int64)))


def test_random_predictions_have_a_kappa_of_about_zero() -> None:
    assert abs(fleiss_kappa(np.random.default_rng(0).integers(0, 3, (10, 2000)))) < 0.01


def test_it_copes_with_as_many_runs_and_items_as_there_are() -> None:
    predictions = np.random.default_rng(0).integers(0, 3, (75, 20_000))
    assert churn(predictions).mean == pytest.approx(2 / 3, abs=0.01)


@pytest.mark.parametrize("measure", [churn, fleiss_kappa])
@pytest.mark.parametrize(
    ("predictions", "message"),
    [
        ([[0.5, 1.0]], "type of the predictions is 'float64'"),
        ([[0, math.nan]], "type of the predictions"),
        ([0, 1], "shape of the predictions"),
        ([[0, 1], [0]], "as many items"),
        ([[None, 1]], "type of the predictions is 'object'"),
    ],
)
def test_what_is_no_category_is_refused(measure: object, predictions: object, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        measure(predictions)
