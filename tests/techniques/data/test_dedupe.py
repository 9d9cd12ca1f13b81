from __future__ import annotations

import numpy as np
import pytest

from bench_lib.tasks.formats import TEXT_CLASSIFICATION, SpanExample, TagExample, TextExample
from bench_lib.techniques.data.dedupe import Dedupe
from bench_lib.techniques.interface.training_set import Corpus

A, B, C = (TextExample(text, 1) for text in "abc")
OTHER_LABEL = TextExample("a", 0)


def corpus_of(train, evaluation=()):
    return Corpus(tuple(train), tuple(evaluation), TEXT_CLASSIFICATION, ("0", "1"), np.random.default_rng(0))


def augment(technique, train, evaluation=()):
    corpus = corpus_of(train, evaluation)
    before = corpus.generator.bit_generator.state
    kept = technique.augment(corpus)
    assert corpus.generator.bit_generator.state == before, "nothing is drawn"
    return kept


def test_what_was_removed_is_reported():
    corpus = corpus_of([A, B, A, A, OTHER_LABEL], [B, C])
    Dedupe().augment(corpus)
    assert corpus.reported == {"dedupe.repeats": 2.0, "dedupe.leaks": 1.0}


@pytest.mark.parametrize(
    ("technique", "kept"),
    [
        (Dedupe(), [A, OTHER_LABEL]),
        (Dedupe(leaks=False), [A, B, OTHER_LABEL]),
        (Dedupe(repeats=False), [A, A, OTHER_LABEL]),
        (Dedupe(repeats=False, leaks=False), [A, B, A, OTHER_LABEL]),
    ],
)
def test_first_copies_stay_in_order_and_leaks_go(technique, kept):
    assert augment(technique, [A, B, A, OTHER_LABEL], [B, C]) == kept


def test_every_kind_of_example():
    tags = TagExample(("New", "York"), (5, 6))
    span = SpanExample("q1", "Ada works in Oslo.", "Where?", ("Oslo",), (13,))
    for example in (tags, span, TextExample("a", 0, pair="b")):
        assert augment(Dedupe(), [example, example]) == [example]
        assert augment(Dedupe(), [example], [example]) == []
    assert len(augment(Dedupe(), [tags, TagExample(("New", "York"), (0, 5))])) == 2


def test_a_text_leaks_whatever_its_label_and_repeats_with_the_same_one_only():
    assert augment(Dedupe(), [A, OTHER_LABEL, B], [TextExample("b", 0)]) == [A, OTHER_LABEL]


def test_a_question_is_the_same_under_another_number_and_leaks_whatever_its_answers():
    def asked(number, *answers):
        starts = tuple("Ada works in Oslo.".index(answer) for answer in answers)
        return SpanExample(number, "Ada works in Oslo.", "Where?", answers, starts)

    assert augment(Dedupe(), [asked("1", "Oslo"), asked("2", "Oslo"), asked("3", "in Oslo")]) == [
        asked("1", "Oslo"),
        asked("3", "in Oslo"),
    ]
    assert augment(Dedupe(), [asked("1", "Oslo")], [asked("2", "Oslo", "in Oslo")]) == []


def test_a_run_trains_on_what_is_left(train):
    whole, left = (train("sst2", stack, eval_examples=4).record for stack in ("adamw", "dedupe"))
    assert 0 < left.cost.examples < whole.cost.examples == 32
    assert sum(left.reported.values()) > 0 == len(whole.reported)


def test_nothing_left_is_said_and_not_trained(train, monkeypatch):
    monkeypatch.setattr(Dedupe, "augment", lambda *_: [])
    record = train("sst2", "dedupe", eval_examples=3).record
    assert (record.status, record.reason) == ("unsupported", "dedupe leaves none of 32 training examples")
    assert record.cost.steps == 0
