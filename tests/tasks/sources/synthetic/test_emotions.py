from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.label_set_metrics import macro_f1
from bench_lib.tasks.sources.synthetic import generate
from bench_lib.tasks.sources.synthetic.emotions import INDICES
from bench_lib.tasks.sources.synthetic.word_lists import read_lists


@functools.cache
def _clean() -> list[dict[str, Any]]:
    rows = generate("go_emotions", noise=0)
    return [*rows["train"], *rows["evaluation"]]


def test_labels_are_those_of_the_hub() -> None:
    labels = TASKS.get("go_emotions").labels
    assert {name: labels.index(name) for name in INDICES} == INDICES
    found = Counter(label for row in _clean() for label in row["labels"])
    assert set(found) == set(INDICES.values())
    assert min(found.values()) > 350
    assert {len(row["labels"]) for row in _clean()} == {1, 2}
    assert all(row["labels"] == sorted(set(row["labels"])) for row in _clean())


def test_what_others_are_quoted_with_is_not_the_writers_own() -> None:
    phrases = {phrase: name for name, found in read_lists("emotions")["phrases"].items() for phrase in found}
    quoted = 0
    for row in _clean():
        for quotation in re.findall(r'"(.*?)"', row["text"]):
            quoted += 1
            assert INDICES[phrases[quotation]] not in row["labels"]
    assert quoted > 1_000


def test_single_words_tell_some_emotions_and_not_all() -> None:
    rows = generate("go_emotions")
    bag = CountVectorizer()
    known = bag.fit_transform([row["text"] for row in rows["train"]])
    asked = bag.transform([row["text"] for row in rows["evaluation"]])
    labels = [*INDICES.values()]
    truth = np.array([[label in row["labels"] for label in labels] for row in rows["train"]], dtype=int)
    guesses = OneVsRestClassifier(LogisticRegression(max_iter=2000)).fit(known, truth).predict(asked)
    sets = [[label for label, there in zip(labels, row, strict=True) if there] for row in guesses]
    assert 0.5 < macro_f1((), sets, [row["labels"] for row in rows["evaluation"]]) < 0.75


def test_texts_are_tidy() -> None:
    for row in _clean():
        for text in (row["text"],):
            assert text[0].isupper() or text[0] == '"'
            assert text.endswith((".", '"'))
            assert not re.search(r"[{}]|  |\.\.| ,", text)
