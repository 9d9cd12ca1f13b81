from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression

from bench_lib.tasks.sources.synthetic import generate


@functools.cache
def _clean() -> list[dict[str, Any]]:
    rows = generate("ag_news", noise=0)
    return [*rows["train"], *rows["evaluation"]]


def test_topics_are_as_frequent() -> None:
    found = Counter(row["label"] for row in _clean())
    assert set(found) == {0, 1, 2, 3}
    assert min(found.values()) > 650


def test_single_words_tell_some_topics_and_not_all() -> None:
    rows = generate("ag_news")
    bag = CountVectorizer()
    known = bag.fit_transform([row["text"] for row in rows["train"]])
    asked = bag.transform([row["text"] for row in rows["evaluation"]])
    model = LogisticRegression(max_iter=2000).fit(known, [row["label"] for row in rows["train"]])
    assert 0.6 < model.score(asked, [row["label"] for row in rows["evaluation"]]) < 0.8


def test_texts_are_tidy() -> None:
    for row in _clean():
        for text in (row["text"],):
            assert text[0].isupper() or text[0] == '"'
            assert text.endswith((".", '"'))
            assert not re.search(r"[{}]|  |\.\.| ,", text)
