from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any

import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from bench_lib.tasks.sources.synthetic import generate
from bench_lib.tasks.sources.synthetic.word_lists import listed, read_lists

LISTS = read_lists("sentiment")
GOOD_ADJECTIVES, BAD_ADJECTIVES = (listed(LISTS["opinions"])[slot] for slot in ("A+", "A-"))
GOOD, BAD = set(GOOD_ADJECTIVES), set(BAD_ADJECTIVES)


@functools.cache
def _clean(task: str) -> list[dict[str, Any]]:
    rows = generate(task, noise=0)
    return [*rows["train"], *rows["evaluation"]]


def _matches(pattern: str) -> Iterator[tuple[re.Match[str], int]]:
    for row in _clean("sst2"):
        if found := re.fullmatch(pattern, row["sentence"]):
            yield found, row["label"]


@pytest.mark.parametrize(
    ("task", "column", "low", "high"), [("sst2", "sentence", 0.62, 0.72), ("imdb", "text", 0.68, 0.79)]
)
def test_a_bag_of_words_stays_far_below_the_ceiling(task: str, column: str, low: float, high: float) -> None:
    rows = generate(task)
    bag = CountVectorizer()
    model = LogisticRegression(max_iter=2000)
    model.fit(bag.fit_transform([row[column] for row in rows["train"]]), [row["label"] for row in rows["train"]])
    evaluation = rows["evaluation"]
    accuracy = model.score(bag.transform([row[column] for row in evaluation]), [row["label"] for row in evaluation])
    assert low < accuracy < high


@pytest.mark.parametrize("task", ["sst2", "imdb"])
def test_both_labels_are_about_as_frequent(task: str) -> None:
    labels = [row["label"] for row in _clean(task)]
    assert set(labels) == {0, 1}
    assert 0.46 < sum(labels) / len(labels) < 0.54


def test_a_plain_adjective_decides() -> None:
    found = [(match[1] in GOOD, label) for match, label in _matches(r"The \w+ is (\w+)\.")]
    assert len(found) > 40
    assert all(good == label for good, label in found)


def test_negation_inverts() -> None:
    found = [
        (match[1] in GOOD, label) for match, label in _matches(r"(?:The \w+ is not|Not an?) (\w+)(?: moment.*)?\.")
    ]
    assert len(found) > 20
    assert all(good != label for good, label in found)


@pytest.mark.parametrize(("pattern", "decides"), [("{}, but {}", 2), ("Although {}, {}", 2), ("{}, even though {}", 1)])
def test_the_clause_that_counts_decides(pattern: str, decides: int) -> None:
    adjective = rf"(?:\b(?:{'|'.join(GOOD | BAD)})\b)"
    clause = rf"[Tt]he \w+ is ((?:\w+ )?{adjective})"
    predicates = [(match[decides].split(), label) for match, label in _matches(pattern.format(clause, clause) + r"\.")]
    assert len(predicates) >= 5
    assert all(((said[-1] in GOOD) != (said[0] in ("not", "hardly"))) == label for said, label in predicates)


def test_composition_decides() -> None:
    for ending, inverted in (("right", False), ("wrong", True)):
        found = list(_matches(rf"The critics who called the \w+ (\w+) were {ending}\."))
        assert len(found) > 2
        assert all(((match[1] in GOOD) != inverted) == label for match, label in found)


def test_opinions_are_unambiguous_and_a_quarter_is_not_in_training() -> None:
    assert not GOOD & BAD
    assert len(GOOD) == len(GOOD_ADJECTIVES) == len(BAD) == len(BAD_ADJECTIVES)
    rows = generate("sst2")
    unseen = {*GOOD_ADJECTIVES[45:], *BAD_ADJECTIVES[45:]}
    used = {split: {word for row in rows[split] for word in re.findall(r"\w+", row["sentence"])} for split in rows}
    assert not unseen & used["train"]
    assert unseen <= used["evaluation"]


def test_long_reviews_are_long_and_broken_up() -> None:
    texts = [row["text"] for row in _clean("imdb")]
    assert all(80 <= len(text.split()) <= 200 for text in texts)
    assert all(text.count(".") + text.count("!") >= 6 for text in texts)
    assert 0.4 < sum("<br /><br />" in text for text in texts) / len(texts) < 0.6


@pytest.mark.parametrize(("task", "column"), [("sst2", "sentence"), ("imdb", "text")])
def test_sentences_are_tidy(task: str, column: str) -> None:
    for row in _clean(task):
        assert not re.search(r"[{}]|  |\b[Aa] [aeiou]|[.!] ?[a-z]|(?:^|[.!>] )[a-z]", row[column])
        assert row[column][0].isupper()


def test_every_frame_has_an_opinion_to_invert() -> None:
    contrast = LISTS["contrast"]
    assert all(clause in contrast["winner"] for clause in contrast["loser"])
    for choices in (*LISTS["remarks"].values(), contrast["winner"], LISTS["long"]["verdicts"]):
        for text, sign in choices:
            assert sign in (-1, 1)
            assert re.search(r"\{[ANVB]\d?\}", text)
