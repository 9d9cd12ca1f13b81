from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Any

import numpy as np
import pytest
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.correlations import pearson
from bench_lib.tasks.formats.label_set_metrics import macro_f1
from bench_lib.tasks.sources.synthetic import generate
from bench_lib.tasks.sources.synthetic.emotions import INDICES
from bench_lib.tasks.sources.synthetic.word_lists import read_lists

Rows = list[dict[str, Any]]


@functools.cache
def _clean(task: str) -> Rows:
    rows = generate(task, noise=0)
    return [*rows["train"], *rows["evaluation"]]


def _bag(rows: dict[str, Rows]) -> tuple[Any, Any]:
    bag = CountVectorizer()
    return bag.fit_transform([row["text"] for row in rows["train"]]), bag.transform(
        [row["text"] for row in rows["evaluation"]]
    )


# ---- similarity ------------------------------------------------------------------------------------------------------


def test_similarities_cover_the_scale_in_quarters() -> None:
    found = Counter(row["label"] for row in _clean("stsb"))
    assert set(found) == {quarters / 4 for quarters in range(21)}
    assert sum(count for value, count in found.items() if value < 2.5) > 1_000
    assert max(found.values()) < 600


def test_common_words_are_not_enough() -> None:
    def overlap(row: dict[str, Any]) -> float:
        one, other = ({*re.findall(r"\w+", row[column].lower())} for column in ("sentence1", "sentence2"))
        return len(one & other) / len(one | other)

    rows = generate("stsb")["evaluation"]
    assert 0.4 < pearson((), [overlap(row) for row in rows], [row["label"] for row in rows]) < 0.6


def test_equal_scenes_are_said_in_other_words() -> None:
    equal = [row for row in _clean("stsb") if row["label"] == 5]
    assert len(equal) > 300
    assert sum(row["sentence1"] == row["sentence2"] for row in equal) < 0.02 * len(equal)


# ---- emotions --------------------------------------------------------------------------------------------------------


def test_labels_are_those_of_the_hub() -> None:
    labels = TASKS.get("go_emotions").labels
    assert {name: labels.index(name) for name in INDICES} == INDICES
    found = Counter(label for row in _clean("go_emotions") for label in row["labels"])
    assert set(found) == set(INDICES.values())
    assert min(found.values()) > 350
    assert {len(row["labels"]) for row in _clean("go_emotions")} == {1, 2}
    assert all(row["labels"] == sorted(set(row["labels"])) for row in _clean("go_emotions"))


def test_what_others_are_quoted_with_is_not_the_writers_own() -> None:
    phrases = {phrase: name for name, found in read_lists("emotions")["phrases"].items() for phrase in found}
    quoted = 0
    for row in _clean("go_emotions"):
        for quotation in re.findall(r'"(.*?)"', row["text"]):
            quoted += 1
            assert INDICES[phrases[quotation]] not in row["labels"]
    assert quoted > 1_000


def test_single_words_tell_some_emotions_and_not_all() -> None:
    rows = generate("go_emotions")
    known, asked = _bag(rows)
    labels = [*INDICES.values()]
    truth = np.array([[label in row["labels"] for label in labels] for row in rows["train"]], dtype=int)
    guesses = OneVsRestClassifier(LogisticRegression(max_iter=2000)).fit(known, truth).predict(asked)
    sets = [[label for label, there in zip(labels, row, strict=True) if there] for row in guesses]
    assert 0.5 < macro_f1((), sets, [row["labels"] for row in rows["evaluation"]]) < 0.75


# ---- news ------------------------------------------------------------------------------------------------------------


def test_topics_are_as_frequent() -> None:
    found = Counter(row["label"] for row in _clean("ag_news"))
    assert set(found) == {0, 1, 2, 3}
    assert min(found.values()) > 650


def test_single_words_tell_some_topics_and_not_all() -> None:
    rows = generate("ag_news")
    known, asked = _bag(rows)
    model = LogisticRegression(max_iter=2000).fit(known, [row["label"] for row in rows["train"]])
    assert 0.6 < model.score(asked, [row["label"] for row in rows["evaluation"]]) < 0.8


@pytest.mark.parametrize("task", ["stsb", "go_emotions", "ag_news"])
def test_texts_are_tidy(task: str) -> None:
    for row in _clean(task):
        for text in (row[column] for column in ("text", "sentence1", "sentence2") if column in row):
            assert text[0].isupper() or text[0] == '"'
            assert text.endswith((".", '"'))
            assert not re.search(r"[{}]|  |\.\.| ,", text)
