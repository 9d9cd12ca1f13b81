from __future__ import annotations

import math

import numpy as np
import pytest

from bench_lib.core.errors import BadData, BadValue
from bench_lib.core.record import Predictions
from bench_lib.tasks import TASKS
from bench_lib.tasks.fitting import check_labels
from bench_lib.tasks.formats import MULTI_LABEL_CLASSIFICATION, LabelSetExample
from bench_lib.tasks.scoring.constant_baseline import constant_baseline, room
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.transforms.label_noise import mislabelled
from bench_lib.tasks.transforms.sampling import choose_by_content, choose_per_class

EMOTIONS = TASKS.get("go_emotions")
ROWS = [
    {"text": "I laughed and cried", "labels": [25, 1], "id": "a"},
    {"text": "Thank you so much", "labels": [15], "id": "b"},
    {"text": "The train leaves at nine", "labels": [27], "id": "c"},
    {"text": "Well", "labels": [], "id": "d"},
]
EXAMPLES = parse(EMOTIONS, ROWS, "here")


def test_a_row_is_a_text_with_a_set() -> None:
    assert EXAMPLES[0] == LabelSetExample("I laughed and cried", (1, 25))
    assert EXAMPLES[0].classes(EMOTIONS.labels) == {"amusement", "sadness"}
    assert EXAMPLES[0].accepted_answers == {(1, 25)}
    assert (EXAMPLES[3].reference, EXAMPLES[3].classes(EMOTIONS.labels)) == ((), frozenset())


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ([28], "indices of labels, 0 to 27"),
        ([-1], "indices of labels"),
        ([True], "indices of labels"),
        (["joy"], "indices of labels"),
        ([3, 3], "each label once"),
        (3, "a list"),
        (None, "a list"),
    ],
)
def test_what_is_no_set_of_labels_is_named(value, expected) -> None:
    with pytest.raises(BadData, match=rf"here, row 0 .*: labels is .*; expected {expected}"):
        parse(EMOTIONS, [{**ROWS[0], "labels": value}], "here")


def test_it_has_two_labels_or_more() -> None:
    with pytest.raises(BadValue, match=r"labels of task own .*; allowed: two or more"):
        check_labels(MULTI_LABEL_CLASSIFICATION, ("joy",), "own")


def test_a_label_is_predicted_above_even_odds() -> None:
    values = np.full((4, 28), -3.0, dtype=np.float32)
    values[0, [1, 25]] = 0.1
    values[1, 15], values[2, 27] = 9.0, 0.0
    answers = MULTI_LABEL_CLASSIFICATION.answers(EXAMPLES, Predictions(values))
    assert answers == [(1, 25), (15,), (), ()]
    found = score(EMOTIONS, answers, [example.reference for example in EXAMPLES])
    assert found == {"macro_f1": pytest.approx(3 / 4), "micro_f1": pytest.approx(6 / 7), "exact_match": 0.75}


def test_the_constant_baseline_is_the_best_set() -> None:
    # Each of four labels is in one text of four: always predicted, its F1 is 2 / 5.
    assert constant_baseline(EMOTIONS, EXAMPLES) == pytest.approx(2 / 5)
    assert room(EMOTIONS, EXAMPLES)
    assert not room(EMOTIONS, EXAMPLES[1:2])


def test_the_head_starts_at_the_log_odds_of_each_label() -> None:
    odds = MULTI_LABEL_CLASSIFICATION.prior(EXAMPLES, EMOTIONS.labels)
    assert odds is not None
    assert len(odds) == 28
    assert odds[15] == pytest.approx(math.log(1.5 / 3.5))
    assert odds[0] == pytest.approx(math.log(0.5 / 4.5))
    assert MULTI_LABEL_CLASSIFICATION.prior((), EMOTIONS.labels) is None


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_another_set_of_as_many_labels(seed) -> None:
    noisy = [mislabelled(EXAMPLES, share, EMOTIONS.labels, np.random.default_rng(seed)) for share in (0.25, 0.75, 1.0)]
    for clean, wrong in zip(EXAMPLES, noisy[2], strict=True):
        assert len(wrong.label_set) == max(1, len(clean.label_set))
        assert not {*wrong.label_set} & {*clean.label_set}
        assert wrong.label_set == tuple(sorted(wrong.label_set))
    changed = [[a != b for a, b in zip(EXAMPLES, found, strict=True)] for found in noisy]
    assert [sum(found) for found in changed] == [1, 3, 4]
    assert all(b or not a for a, b in zip(changed[0], changed[1], strict=True))


def test_noise_on_all_labels_leaves_none() -> None:
    everything = (LabelSetExample("x", (0, 1, 2)), LabelSetExample("y", (0, 1)))
    wrong = mislabelled(everything, 1.0, ("a", "b", "c"), np.random.default_rng(0))
    assert [example.label_set for example in wrong] == [(), (2,)]


def test_a_sample_of_each_label_counts_all_labels_of_a_text() -> None:
    labels = ("a", "b")
    examples = [LabelSetExample(str(i), found) for i, found in enumerate([(0,), (0, 1), (), (1,), (0, 1)])]
    for seed in range(5):
        drawn = choose_per_class(examples, labels, 2, np.random.default_rng(seed))
        for label in (0, 1):
            assert sum(label in examples[i].label_set for i in drawn) >= 2
        assert 2 not in drawn
    assert len(choose_by_content(examples, labels, 4)) == 4


def test_runs_agree_where_sets_are_equal() -> None:
    one, other = [[1.0, -1.0], [2.0, 3.0]], [[0.5, -9.0], [2.0, -3.0]]
    codes = MULTI_LABEL_CLASSIFICATION.codes(np.array([one, other]))
    assert codes.shape == (2, 2)
    assert codes[0, 0] == codes[1, 0] == codes[1, 1] != codes[0, 1]
