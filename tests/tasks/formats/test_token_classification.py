from __future__ import annotations

from bench_lib.tasks import TASKS
from bench_lib.tasks.formats.token_classification import entity_types, mentions

NER = TASKS.get("conll2003").labels


def test_where_entities_begin_and_end() -> None:
    names = ["B-PER", "I-PER", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC", "B-ORG"]
    assert mentions([NER.index(name) for name in names], NER) == [(0, 2), (2, 3), (4, 7), (7, 8)]
    assert mentions([0, 0], NER) == []


def test_types_are_told_apart_by_their_tags() -> None:
    assert entity_types(NER) == ("PER", "ORG", "LOC", "MISC")
    assert entity_types(("O",)) == ()
