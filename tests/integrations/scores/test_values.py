from __future__ import annotations

import math

import pytest

from bench_lib.core.errors import BadData, BadValue
from bench_lib.core.record import Status
from bench_lib.integrations.scores import values
from bench_lib.integrations.scores.values import Scale


@pytest.mark.parametrize("value", [None, "", " ", "nan", "NaN", "inf", "-Infinity", "N/A", math.nan, math.inf, "-"])
def test_a_failed_run_has_no_score(value: object) -> None:
    assert math.isnan(values.score(value, ""))


@pytest.mark.parametrize(("value", "score"), [("84.2", 84.2), ("84.2 %", 84.2), (0.5, 0.5), (1, 1.0), ("1e-3", 0.001)])
def test_scores_are_numbers(value: object, score: float) -> None:
    assert values.score(value, "") == score


@pytest.mark.parametrize(("value", "seed"), [("3", 3), (3, 3), ("3.0", 3), (4.0, 4), (2**53, 2**53)])
def test_seeds_are_whole_numbers(value: object, seed: int) -> None:
    assert values.seed(value, "") == seed


@pytest.mark.parametrize(
    ("parse", "value", "said"),
    [
        (values.score, "0,84", "is '0,84'; allowed: a number"),
        (values.score, True, "is True; allowed: a number"),
        (values.seed, "3.5", "is '3.5'; allowed: a whole number"),
        (values.seed, "", "allowed: a whole number"),
        (values.seed, "-1", "allowed: a whole number"),
        (values.seed, "1e400", "allowed: a whole number"),
        (values.seed, None, "is None"),
        (values.status, "finishd", "did you mean 'finished'"),
        (values.name, " ", "allowed: a name"),
        (values.name, "x" * 201, "allowed: a name"),
    ],
)
def test_bad_values_are_named_with_their_place(parse: object, value: object, said: str) -> None:
    with pytest.raises(BadData, match=r"a\.csv, row 3, column x is") as caught:
        parse(value, "a.csv, row 3, column x")  # type: ignore[operator]
    assert said in str(caught.value)


def test_words_stand_for_statuses() -> None:
    words = ["finished", "FINISHED", "failed", "Diverged", "crashed", "KILLED", "timed_out", "running", "", None]
    assert [values.status(word, "") for word in words] == [
        *(Status.CONVERGED, Status.CONVERGED, Status.DIVERGED, Status.DIVERGED, Status.CRASHED, Status.CRASHED),
        *(Status.TIMEOUT, Status.CRASHED, None, None),
    ]


@pytest.mark.parametrize(
    ("scores", "scale"),
    [
        ([0.8, 0.9, math.nan], Scale.FRACTION),
        ([8.0, 9.0, 0.4], Scale.PERCENT),
        ([0.9, 1.1, 1.2], Scale.PERCENT),
        ([80.0, 90.0, 0.0], Scale.PERCENT),
        (["0.8 %", "0.9 %"], Scale.PERCENT),
        ([-12.0, 8.0], Scale.PERCENT),
        ([80.0, 350.0], Scale.NUMBER),
        ([math.nan], Scale.FRACTION),
    ],
)
def test_the_scale_is_guessed(scores: list[object], scale: Scale) -> None:
    assert values.guessed_scale([("", value, values.score(value, "")) for value in scores]) is scale


def test_mixed_scales_are_refused() -> None:
    shown = [(f"a.csv, row {n}", value, value) for n, value in enumerate((0.8, 0.81, 82.0), 1)]
    with pytest.raises(BadData, match=r"a\.csv, row 3 is 82\.0; allowed: a fraction like most"):
        values.guessed_scale(shown)
    shown = [(f"a.csv, row {n}", value, value) for n, value in enumerate((0.0, 80.0, 0.81, 82.0), 1)]
    with pytest.raises(BadData, match=r"a\.csv, row 3 is 0\.81; allowed: a percentage like most"):
        values.guessed_scale(shown)


def test_the_score_of_a_constant_predictor_is_in_the_scale_of_the_scores() -> None:
    assert [values.constant_score(given, Scale.PERCENT) for given in (52.7, 0.0, 1.0)] == [0.527, 0.0, 0.01]
    assert values.constant_score(12.0, Scale.NUMBER) == 12.0
    with pytest.raises(BadValue, match=r"0\.527.*percent like the scores, such as 52\.7"):
        values.constant_score(0.527, Scale.PERCENT)
    with pytest.raises(BadValue, match=r"52\.7.*a fraction like the scores, such as 0\.527"):
        values.constant_score(52.7, Scale.FRACTION)
