from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest
import seqeval.metrics
from seqeval.metrics.sequence_labeling import get_entities
from seqeval.scheme import IOB2

from bench_lib.tasks.sources.synthetic import generate

Rows = list[dict[str, Any]]
TAGS = {"O"} | {f"{place}-{kind}" for place in "BI" for kind in ("PER", "ORG", "LOC", "MISC")}


@pytest.fixture(scope="module")
def rows() -> dict[str, Rows]:
    return generate("conll2003")


@pytest.fixture(scope="module")
def clean() -> dict[str, Rows]:
    return generate("conll2003", noise=0)


def _entities(row: dict[str, Any]) -> list[tuple[str, str]]:
    return [(kind, " ".join(row["tokens"][first : last + 1])) for kind, first, last in get_entities(row["ner_tags"])]


def test_tags_are_strict_iob2(rows: dict[str, Rows]) -> None:
    for row in [*rows["train"], *rows["evaluation"]]:
        assert len(row["tokens"]) == len(row["ner_tags"])
        assert set(row["ner_tags"]) <= TAGS
        for before, tag in zip(["O", *row["ner_tags"]], row["ner_tags"], strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]


def test_words_are_whole_and_frames_are_filled(rows: dict[str, Rows]) -> None:
    slots = {"PER", "SUR", "LOC", "ORG", "FIRM", "CLUB", "NAT", "EVENT", "NUM", "SMALL", "GOAL", "DAY", "JOB", "GOOD"}
    for row in [*rows["train"], *rows["evaluation"]]:
        assert all(word and word == word.strip() and word.strip("{}0123456789") not in slots for word in row["tokens"])
        pairs = zip(row["tokens"], row["tokens"][1:], strict=False)
        assert not any(word == "a" and after[0] in "AEIO" for word, after in pairs)


def test_the_most_frequent_tag_of_each_word_is_not_enough(rows: dict[str, Rows]) -> None:
    seen: dict[str, Counter[str]] = defaultdict(Counter)
    for row in rows["train"]:
        for word, tag in zip(row["tokens"], row["ner_tags"], strict=True):
            seen[word][tag] += 1
    best = {word: tags.most_common(1)[0][0] for word, tags in seen.items()}
    true = [row["ner_tags"] for row in rows["evaluation"]]
    guessed = [[best.get(word, "O") for word in row["tokens"]] for row in rows["evaluation"]]
    assert 0.15 < seqeval.metrics.f1_score(true, guessed, mode="strict", scheme=IOB2) < 0.35


def test_most_entities_of_evaluation_are_new(clean: dict[str, Rows]) -> None:
    known = {text for row in clean["train"] for _, text in _entities(row)}
    met = [text in known for row in clean["evaluation"] for _, text in _entities(row)]
    assert 0.5 < 1 - sum(met) / len(met) < 0.75


def test_the_same_name_is_a_person_a_place_and_an_organisation(clean: dict[str, Rows]) -> None:
    kinds: dict[str, set[str]] = defaultdict(set)
    for row in clean["train"]:
        for kind, text in _entities(row):
            kinds[text].add(kind)
    assert sum(kinds[text] >= {"PER", "LOC", "ORG"} for text in kinds) > 50
    words = {word for row in clean["train"] for word in row["tokens"]}
    assert {"baker", "Baker"} <= words


def test_every_type_is_frequent(clean: dict[str, Rows]) -> None:
    for split in clean.values():
        counts = Counter(kind for row in split for kind, _ in _entities(row))
        assert set(counts) == {"PER", "ORG", "LOC", "MISC"}
        assert min(counts.values()) > 0.1 * sum(counts.values())


def test_noise_changes_types_and_keeps_boundaries(clean: dict[str, Rows], rows: dict[str, Rows]) -> None:
    for row, noisy in zip(clean["train"], rows["train"], strict=True):
        assert [text for _, text in _entities(row)] == [text for _, text in _entities(noisy)]
        assert [tag[0] for tag in row["ner_tags"]] == [tag[0] for tag in noisy["ner_tags"]]
