from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.tasks.formats.squad_metrics import answer_f1, exact_match, normalise

ANSWERS = st.text(alphabet="ab The,.'é\t", max_size=30)


@pytest.mark.parametrize(
    ("raw", "normal"),
    [
        ("The Broncos", "broncos"),
        ("Denver Broncos.", "denver broncos"),
        ("  Santa   Clara,\nCalifornia ", "santa clara california"),
        ("an apple a day", "apple day"),
        ("theatre and Anna", "theatre and anna"),
        # Punctuation goes before the articles do: what remains of a word is no article.
        ("a.k.a. the-end", "aka theend"),
        ("U.S. $1,000", "us 1000"),
        ("mother-in-law's", "motherinlaws"),
        ("'a'", ""),
        ("the", ""),
        # Only ASCII punctuation goes, as in the official script.
        ("“War”, 1939\u201345", "“war” 1939\u201345"),
        ("5 µm", "5 µm"),
    ],
)
def test_normalisation_is_that_of_the_official_script(raw: str, normal: str) -> None:
    assert normalise(raw) == normal


@pytest.mark.parametrize(
    ("prediction", "references", "f1", "em"),
    [
        ("the Denver Broncos!", ["Denver Broncos"], 1.0, 1.0),
        # 2 of 3 words right, 2 of 2 found: 2 * (2/3) / (5/3).
        ("Norman dynasty rulers", ["the Norman dynasty"], 0.8, 0.0),
        # Words count as often as they stand in both: 2 of 5 and 2 of 2.
        ("to be or to be", ["to be"], 4 / 7, 0.0),
        ("Paris", ["London"], 0.0, 0.0),
        ("in 1879", ["the 19th century", "1879", "in the year 1879"], 0.8, 0.0),
        ("1879", ["in 1879", "1879."], 1.0, 1.0),
        ("", ["1879"], 0.0, 0.0),
        # Version 1.1 has no rule for empty answers: equal, but without a shared word.
        ("the", ["a"], 0.0, 1.0),
    ],
)
def test_scores_by_hand(prediction: str, references: list[str], f1: float, em: float) -> None:
    assert answer_f1(prediction, references) == pytest.approx(f1, abs=1e-15)
    assert exact_match(prediction, references) == em


@given(first=ANSWERS, second=ANSWERS)
def test_f1_is_symmetric_and_1_for_the_same_words(first: str, second: str) -> None:
    f1 = answer_f1(first, [second])
    assert 0.0 <= f1 <= 1.0
    assert f1 == pytest.approx(answer_f1(second, [first]))
    assert (f1 == pytest.approx(1.0)) == (sorted(normalise(first).split()) == sorted(normalise(second).split()) != [])


@given(answer=ANSWERS)
def test_normalising_changes_no_normal_answer_but_for_articles_it_left(answer: str) -> None:
    once = normalise(answer)
    assert once == once.lower().strip()
    assert not {"a", "an", "the"} & set(once.split())
