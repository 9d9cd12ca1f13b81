from __future__ import annotations

import math
import time
import warnings

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.tasks import TASKS
from bench_lib.tasks.scoring.metrics import score

CONLL = TASKS.get("conll2003")
CLASSES = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1)), min_size=1, max_size=40)


def tags(text: str) -> tuple[int, ...]:
    return tuple(CONLL.labels.index(tag) for tag in text.split())


def entity_f1(predictions: list[str], references: list[str]) -> float:
    scores = score(CONLL, [tags(p) for p in predictions], [tags(r) for r in references])
    assert list(scores) == ["entity_f1"]
    return scores["entity_f1"]


def test_accuracy() -> None:
    assert score(TASKS.get("sst2"), [1, 0, 1, 1], [1, 0, 0, 1]) == {"accuracy": 0.75}


def test_mrpc_has_f1_of_the_paraphrases_first() -> None:
    # 2 hits, 1 false alarm, 1 miss, 1 right rejection.
    scores = score(TASKS.get("mrpc"), [1, 1, 1, 0, 0], [1, 1, 0, 1, 0])
    assert list(scores) == ["f1", "accuracy"]
    assert scores["f1"] == pytest.approx(4 / 6)
    assert scores["accuracy"] == pytest.approx(3 / 5)


def test_f1_without_any_hit_is_0_and_silent() -> None:
    assert score(TASKS.get("mrpc"), [0, 0], [1, 0])["f1"] == 0.0
    assert score(TASKS.get("mrpc"), [0, 0], [0, 0]) == {"f1": 0.0, "accuracy": 1.0}


@pytest.mark.parametrize(
    ("predictions", "references", "mcc"),
    [
        # scikit-learn's published example, with 0 for -1.
        ([1, 0, 1, 1], [1, 1, 1, 0], -1 / 3),
        # (2 * 1 - 1 * 1) / sqrt(3 * 3 * 2 * 2)
        ([1, 1, 0, 0, 1], [1, 1, 1, 0, 0], 1 / 6),
        ([0, 1], [0, 1], 1.0),
        ([1, 0], [0, 1], -1.0),
        ([1, 1, 1], [1, 0, 1], 0.0),
        ([1, 0, 1], [1, 1, 1], 0.0),
        ([1, 1], [1, 1], 0.0),
    ],
)
def test_mcc_by_hand(predictions: list[int], references: list[int], mcc: float) -> None:
    assert score(TASKS.get("cola"), predictions, references) == {"mcc": pytest.approx(mcc, abs=1e-15)}


@given(pairs=CLASSES)
def test_mcc_is_pearsons_correlation_of_the_classes(pairs: list[tuple[int, int]]) -> None:
    predictions, references = (list(side) for side in zip(*pairs, strict=True))
    mcc = score(TASKS.get("cola"), predictions, references)["mcc"]
    constant = len(set(predictions)) == 1 or len(set(references)) == 1
    expected = 0.0 if constant else float(np.corrcoef(predictions, references)[0, 1])
    assert mcc == pytest.approx(expected, abs=1e-12)


def test_the_published_example_of_seqeval() -> None:
    references = ["O O O B-MISC I-MISC I-MISC O", "B-PER I-PER O"]
    predictions = ["O O B-MISC I-MISC I-MISC I-MISC O", "B-PER I-PER O"]
    assert entity_f1(predictions, references) == 0.5


@pytest.mark.parametrize(
    ("prediction", "truth", "strict", "default"),
    [
        # seqeval's own example of the difference: I- cannot begin an entity.
        ("I-PER I-PER O", "B-PER I-PER O", 0.0, 1.0),
        # The type changes without a B-: strict mode sees only the person.
        ("B-PER I-LOC", "B-PER B-LOC", 2 / 3, 1.0),
        ("B-PER O I-PER", "B-PER O B-PER", 2 / 3, 1.0),
        ("B-PER I-PER", "B-PER I-PER", 1.0, 1.0),
        ("B-PER B-PER", "B-PER I-PER", 0.0, 0.0),
        ("B-LOC I-LOC", "B-PER I-PER", 0.0, 0.0),
    ],
)
def test_strict_iob2(prediction: str, truth: str, strict: float, default: float) -> None:
    assert entity_f1([prediction], [truth]) == pytest.approx(strict)
    # What the lenient default would have said.
    lenient = seqeval.metrics.f1_score([truth.split()], [prediction.split()], zero_division=0)
    assert lenient == pytest.approx(default)


def test_entities_are_counted_over_all_sentences() -> None:
    # 1 of 2 predicted right, 1 of 3 found: 2 * (1/2) * (1/3) / (5/6).
    assert entity_f1(["B-PER O B-LOC", "O O"], ["B-PER O B-ORG", "O B-LOC"]) == pytest.approx(0.4)


def test_the_same_span_in_another_sentence_is_no_hit() -> None:
    assert entity_f1(["B-PER", "O"], ["O", "B-PER"]) == 0.0


@pytest.mark.parametrize("truth", ["O O", "B-PER O"])
@pytest.mark.parametrize("prediction", ["O O", "I-PER O", "O B-LOC"])
def test_no_entity_is_0_and_silent(prediction: str, truth: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert entity_f1([prediction], [truth]) == 0.0


def test_arrays_are_as_good_as_tuples() -> None:
    truth = [tags("B-PER I-PER"), tags("O")]
    assert score(CONLL, [np.array(t) for t in truth], truth) == {"entity_f1": 1.0}
    assert score(TASKS.get("cola"), list(np.array([0, 1])), [0, 1]) == {"mcc": 1.0}


def test_a_whole_validation_set_of_tags_is_scored_quickly() -> None:
    sentence = tags("B-PER I-PER O O O B-ORG O O O O O B-LOC I-LOC O O O")
    begun = time.perf_counter()
    assert score(CONLL, [sentence] * 3250, [sentence] * 3250) == {"entity_f1": 1.0}
    assert time.perf_counter() - begun < 5.0


def test_squad_has_f1_first_and_both_are_means() -> None:
    references = [("Broncos",), ("1879", "year 1879"), ("yes",)]
    scores = score(TASKS.get("squad"), ["the Broncos", "in 1879", "no"], references)
    assert list(scores) == ["f1", "em"]
    assert scores["f1"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert scores["em"] == pytest.approx(1 / 3)


def test_lengths_that_differ_are_refused() -> None:
    with pytest.raises(BadValue, match="number of predictions is 1; allowed: 2"):
        score(TASKS.get("sst2"), [1], [1, 0])
    with pytest.raises(BadValue, match="number of references is 0"):
        score(TASKS.get("sst2"), [], [])
    with pytest.raises(BadValue, match="tags predicted for sentence 1 is 1; allowed: 2"):
        score(CONLL, [tags("O"), tags("O")], [tags("O"), tags("O O")])


@given(pairs=CLASSES)
def test_every_score_is_a_finite_float_in_its_range(pairs: list[tuple[int, int]]) -> None:
    predictions, references = (list(side) for side in zip(*pairs, strict=True))
    for name in ("sst2", "mrpc", "cola"):
        for value in score(TASKS.get(name), predictions, references).values():
            assert type(value) is float
            assert math.isfinite(value)
            assert -1.0 <= value <= 1.0
