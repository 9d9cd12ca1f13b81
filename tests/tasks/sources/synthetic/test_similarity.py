from __future__ import annotations

import functools
import re
from collections import Counter
from typing import Any

from bench_lib.tasks.formats.correlations import pearson
from bench_lib.tasks.sources.synthetic import generate


@functools.cache
def _clean() -> list[dict[str, Any]]:
    rows = generate("stsb", noise=0)
    return [*rows["train"], *rows["evaluation"]]


def test_similarities_cover_the_scale_in_quarters() -> None:
    found = Counter(row["label"] for row in _clean())
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
    equal = [row for row in _clean() if row["label"] == 5]
    assert len(equal) > 300
    assert sum(row["sentence1"] == row["sentence2"] for row in equal) < 0.02 * len(equal)


def test_texts_are_tidy() -> None:
    for row in _clean():
        for text in (row["sentence1"], row["sentence2"]):
            assert text[0].isupper() or text[0] == '"'
            assert text.endswith((".", '"'))
            assert not re.search(r"[{}]|  |\.\.| ,", text)
