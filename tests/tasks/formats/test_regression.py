from __future__ import annotations

import numpy as np
import pytest

from bench_lib.core.errors import BadData, BadValue, Unsupported
from bench_lib.core.record import Predictions
from bench_lib.tasks import TASKS
from bench_lib.tasks.fitting import check_labels
from bench_lib.tasks.formats import REGRESSION, NumberExample
from bench_lib.tasks.scoring.constant_baseline import constant_baseline, room
from bench_lib.tasks.scoring.metrics import score
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.transforms.input_noise import perturbed
from bench_lib.tasks.transforms.label_noise import mislabelled
from bench_lib.tasks.transforms.sampling import choose_per_class

STSB = TASKS.get("stsb")
ROWS = [
    {"sentence1": "A man runs.", "sentence2": "A man is running.", "label": 4.75, "idx": 0},
    {"sentence1": "It rains.", "sentence2": "The sun shines.", "label": 1, "idx": 1},
    {"sentence1": "A dog barks.", "sentence2": "Two dogs bark.", "label": 3.0, "idx": 2},
]
EXAMPLES = parse(STSB, ROWS, "here")


def noisy(share, seed=0, examples=EXAMPLES):
    return mislabelled(examples, share, (), np.random.default_rng(seed))


def test_a_row_is_a_pair_with_a_number() -> None:
    assert EXAMPLES[0] == NumberExample("A man runs.", 4.75, "A man is running.")
    assert [type(example.reference) for example in EXAMPLES] == [float] * 3
    assert EXAMPLES[1].inputs == ("It rains.", "The sun shines.")
    assert (EXAMPLES[0].label_indices, EXAMPLES[0].rewordable) == ((), EXAMPLES[0].inputs)


@pytest.mark.parametrize("value", ["3", None, True, float("nan"), float("inf"), 10**400])
def test_what_is_no_finite_number_is_named(value) -> None:
    with pytest.raises(BadData, match=r"here, row 0 .*: label is .*; expected a finite number"):
        parse(STSB, [{**ROWS[0], "label": value}], "here")


def test_it_has_no_labels() -> None:
    with pytest.raises(BadValue, match=r"labels of task own .*; allowed: none, since the answer is a number"):
        check_labels(REGRESSION, ("low", "high"), "own")


def test_the_constant_baseline_is_no_correlation() -> None:
    assert constant_baseline(STSB, EXAMPLES) == 0
    assert room(STSB, EXAMPLES)
    assert not room(STSB, EXAMPLES[:1])
    constant = Predictions(np.full((3, 1), 2.9, dtype=np.float32))
    references = [example.reference for example in EXAMPLES]
    assert score(STSB, REGRESSION.answers(EXAMPLES, constant), references) == {"pearson": 0.0, "spearman": 0.0}
    assert score(STSB, references, references) == {"pearson": pytest.approx(1), "spearman": pytest.approx(1)}


def test_the_head_starts_at_the_mean_number() -> None:
    assert REGRESSION.prior(EXAMPLES, ()) == [pytest.approx(8.75 / 3)]
    assert REGRESSION.prior((), ()) is None


@pytest.mark.parametrize("seed", range(5))
def test_noise_is_the_number_of_another_example(seed) -> None:
    numbers = {example.number for example in EXAMPLES}
    for clean, wrong in zip(EXAMPLES, noisy(1.0, seed), strict=True):
        assert wrong.inputs == clean.inputs
        assert wrong.number in numbers - {clean.number}
    some, more = noisy(1 / 3, seed), noisy(2 / 3, seed)
    changed = [[a != b for a, b in zip(EXAMPLES, found, strict=True)] for found in (some, more)]
    assert [sum(found) for found in changed] == [1, 2]
    assert all(b or not a for a, b in zip(*changed, strict=True))
    assert noisy(1.0, seed) == noisy(1.0, seed)


def test_noise_needs_two_numbers() -> None:
    with pytest.raises(Unsupported, match="all examples have the same one"):
        noisy(0.5, examples=EXAMPLES[:1] * 4)


def test_words_may_change_and_the_number_stays() -> None:
    changed = perturbed(EXAMPLES[0], 1.0, (), np.random.default_rng(0))
    assert changed.inputs != EXAMPLES[0].inputs
    assert changed.reference == 4.75
    said = EXAMPLES[0].reworded({"A man runs.": "A man jogs."})
    assert said == NumberExample("A man jogs.", 4.75, "A man is running.")


def test_a_sample_has_one_class() -> None:
    assert len(choose_per_class(EXAMPLES, (), 2, np.random.default_rng(0))) == 2


def test_runs_agree_where_items_are_in_the_same_fifth() -> None:
    one = np.arange(10.0)
    values = np.stack([one, one**3, -one])[..., None]
    codes = REGRESSION.codes(values)
    assert codes.tolist() == [[0, 0, 1, 1, 2, 2, 3, 3, 4, 4]] * 2 + [[4, 4, 3, 3, 2, 2, 1, 1, 0, 0]]
