"""Labels that are wrong on purpose, on made-up examples of every kind."""

from __future__ import annotations

import dataclasses
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example, SpanExample, TagExample, TextExample
from bench_lib.tasks.formats.squad_metrics import exact_match
from bench_lib.tasks.formats.token_classification import mentions
from bench_lib.tasks.transforms.label_noise import mislabelled

NER = TASKS.get("conll2003").labels
THREE = ("a", "b", "c")
shares = st.floats(0, 1)
seeds = st.integers(0, 99)
WORDS = st.lists(st.sampled_from(["one", "two.", "three", "the", "four,", "five", "'six'"]), min_size=2, max_size=12)


def wrong(examples: list[Example], share: float, labels: tuple[str, ...], seed: int = 0) -> list[Example]:
    return list(mislabelled(examples, share, labels, np.random.default_rng(seed)))


def different(before: list[Example], after: list[Example]) -> set[int]:
    return {i for i, (one, other) in enumerate(zip(before, after, strict=True)) if one != other}


@st.composite
def sentences(draw: st.DrawFn) -> TagExample:
    parts = draw(
        st.lists(st.tuples(st.sampled_from(["O", "PER", "ORG", "LOC", "MISC"]), st.integers(1, 3)), max_size=5)
    )
    names = [
        name
        for kind, length in parts
        for name in (["O"] * length if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * (length - 1)])
    ]
    return TagExample(("w",) * len(names), tuple(map(NER.index, names)))


@st.composite
def questions(draw: st.DrawFn) -> SpanExample:
    words = draw(WORDS)
    first = draw(st.integers(0, len(words) - 1))
    last = draw(st.integers(first, min(len(words) - 1, first + 2)))
    start = len(" ".join([*words[:first], ""])) if first else 0
    # There is always room for another answer.
    return SpanExample("q", " ".join([*words, "elsewhere"]), "which?", (" ".join(words[first : last + 1]),), (start,))


# ---- texts -----------------------------------------------------------------------------------------------------------


@given(labels=st.lists(st.integers(0, 2), min_size=1, max_size=30), share=shares, seed=seeds)
def test_exactly_the_share_of_texts_get_another_class(labels: list[int], share: float, seed: int) -> None:
    texts: list[Example] = [TextExample(str(i), label) for i, label in enumerate(labels)]
    found = wrong(texts, share, THREE, seed)
    assert len(different(texts, found)) == round(share * len(texts))
    assert all(isinstance(e, TextExample) and 0 <= e.label < 3 for e in found)
    assert [dataclasses.replace(e, label=0) for e in found] == [dataclasses.replace(e, label=0) for e in texts]


@given(st.lists(shares, min_size=2, max_size=2), seeds)
def test_what_is_wrong_at_a_smaller_share_is_wrong_alike_at_a_larger(two: list[float], seed: int) -> None:
    texts: list[Example] = [TextExample(str(i), i % 3) for i in range(20)]
    small, large = (wrong(texts, share, THREE, seed) for share in sorted(two))
    assert all(small[i] == large[i] for i in different(texts, small))


def test_every_other_class_is_as_likely() -> None:
    found = wrong([TextExample("x", 1)] * 3000, 1.0, THREE)
    assert [sum(e.label == label for e in found) / 3000 for label in range(3)] == pytest.approx([0.5, 0, 0.5], abs=0.03)


def test_the_seed_decides() -> None:
    texts: list[Example] = [TextExample(str(i), i % 3) for i in range(50)]
    assert wrong(texts, 0.2, THREE, 1) == wrong(texts, 0.2, THREE, 1) != wrong(texts, 0.2, THREE, 2)


# ---- entities --------------------------------------------------------------------------------------------------------


@given(rows=st.lists(sentences(), max_size=8), share=shares, seed=seeds)
def test_entities_change_their_type_whole_and_stay_strict_iob2(rows: list[TagExample], share: float, seed: int) -> None:
    found = wrong(list(rows), share, NER, seed)
    changed = total = 0
    for before, after in zip(rows, found, strict=True):
        assert isinstance(after, TagExample)
        assert after.words == before.words
        assert mentions(after.tags, NER) == mentions(before.tags, NER)
        names = ["O", *(NER[tag] for tag in after.tags)]
        assert all(a[2:] == b[2:] for a, b in pairwise(names) if b.startswith("I-"))
        assert [NER[t][0] for t in after.tags] == [NER[t][0] for t in before.tags]
        places = mentions(before.tags, NER)
        total += len(places)
        changed += sum(before.tags[start] != after.tags[start] for start, _ in places)
    assert changed == round(share * total)


# ---- answers ---------------------------------------------------------------------------------------------------------


@given(rows=st.lists(questions(), min_size=1, max_size=6), share=shares, seed=seeds)
def test_a_wrong_answer_stands_in_its_context_away_from_the_right_one(
    rows: list[SpanExample], share: float, seed: int
) -> None:
    found = wrong(list(rows), share, (), seed)
    moved = different(list(rows), found)
    assert len(moved) == round(share * len(rows))
    for i in moved:
        before, after = rows[i], found[i]
        assert isinstance(after, SpanExample)
        (text,), (start,) = after.answers, after.starts
        assert after.context[start : start + len(text)] == text
        assert (after.context, after.question, after.id) == (before.context, before.question, before.id)
        assert not exact_match(text, before.answers)
        right = before.starts[0], before.starts[0] + len(before.answers[0])
        assert start + len(text) <= right[0] or start >= right[1]
        assert 1 <= len(text.split()) <= len(before.answers[0].split())


def test_a_wrong_answer_is_as_long_as_the_right_one_where_there_is_room() -> None:
    row = SpanExample("a", "Anna sold the red boat to her uncle.", "What?", ("the red boat",), (10,))
    found = {e.answers[0] for seed in range(20) for e in wrong([row], 1.0, (), seed) if isinstance(e, SpanExample)}
    assert found == {"to her uncle."}
    short = SpanExample("b", "Anna sold the red boat", "What?", ("sold the red",), (5,))
    found = {e.answers[0] for seed in range(20) for e in wrong([short], 1.0, (), seed) if isinstance(e, SpanExample)}
    assert found == {"Anna", "boat"}


def test_every_right_answer_is_kept_clear_of() -> None:
    row = SpanExample("a", "in Oslo or in Rome", "Where?", ("Oslo", "Rome"), (3, 14))
    found = {e.answers[0] for seed in range(30) for e in wrong([row], 1.0, (), seed) if isinstance(e, SpanExample)}
    assert found == {"in", "or"}


# ---- what cannot be --------------------------------------------------------------------------------------------------


def test_a_context_that_is_all_answer_cannot_have_a_wrong_one() -> None:
    whole = SpanExample("a", "Oslo", "Where?", ("Oslo",), (0,))
    other = SpanExample("b", "in Oslo", "Where?", ("Oslo",), (3,))
    assert wrong([whole, other], 0.5, ()) == [whole, dataclasses.replace(other, answers=("in",), starts=(0,))]
    with pytest.raises(Unsupported, match="2 answers are to be corrupted, and 1 contexts have room"):
        wrong([whole, other], 1.0, ())


@pytest.mark.parametrize(
    ("row", "labels"), [(TextExample("x", 0), ("only",)), (TagExample(("x",), (1,)), ("O", "B-PER", "I-PER"))]
)
def test_one_class_alone_has_no_other(row: Example, labels: tuple[str, ...]) -> None:
    with pytest.raises(Unsupported, match="no label can be corrupted with 1 class"):
        wrong([row], 0.5, labels)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(share: float) -> None:
    with pytest.raises(BadValue, match=r"label noise is .*; allowed: a share of the labels, 0 to 1"):
        wrong([TextExample("x", 0)], share, THREE)


def test_nothing_is_changed_without_noise_or_examples() -> None:
    rows: list[Example] = [TextExample("x", 0)]
    assert wrong(rows, 0.0, ("only",)) == rows
    assert wrong([], 0.5, THREE) == []
