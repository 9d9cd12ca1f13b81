from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example, SpanExample, TagExample, TextExample
from bench_lib.tasks.sources.load import read_split
from bench_lib.validation.duplicates import Counts, Overlap, balance, count, index, overlap

FOLDER = Path(__file__).parents[2].parent / "shared" / "data"
LABELS = ("neg", "pos")
TYPES = ("O", "B-PER", "I-PER", "B-LOC", "I-LOC")

texts = st.lists(st.builds(TextExample, st.sampled_from(["a b", "A b", "a  b", "c", " "]), st.integers(0, 1)))


def counted(examples: list[Example], labels: tuple[str, ...] = LABELS) -> Counts:
    return count(examples, index(examples), labels)


def met(first: list[Example], second: list[Example]) -> Overlap:
    return overlap(("train", index(first)), ("test", index(second)))


def span(answers: tuple[str, ...], question: str = "Who?", name: str = "q") -> SpanExample:
    return SpanExample(name, "Ada met Ben.", question, answers, (0,) * len(answers))


def test_a_split_is_counted() -> None:
    rows = [("good", 1), ("good", 1), ("good", 0), ("Good ", 1), ("bad", 0), ("", 0), (" \n", 1), ("bad", 0)]
    found = counted([TextExample(text, label) for text, label in rows])
    # By hand: good stands 3 times and bad twice; "Good " is like good, and the blank text like the empty one.
    assert found == Counts(8, repeats=3, alike=5, conflicting=1, empty=2, labels={"neg": 0.5, "pos": 0.5})


def test_of_examples_without_answers_the_texts_alone_are_counted() -> None:
    rows = [TextExample("good", 0), TextExample("good", 1), TextExample("bad", 0)]
    asked = index(rows, answered=False)
    assert count(rows, asked, LABELS) == Counts(3, repeats=1, alike=1, conflicting=None, empty=0, labels={})
    known = index([TextExample("good", 1)])
    for first, second in ((known, asked), (asked, known)):
        found = overlap(("train", first), ("test", second))
        assert (found.shared, found.conflicting) == (1, None)


def test_the_pair_is_part_of_what_is_compared_and_may_be_empty() -> None:
    found = counted(
        [TextExample("a", 0, "b"), TextExample("a", 0, "c"), TextExample("a", 1, "b"), TextExample("a", 0, "")]
    )
    assert (found.repeats, found.alike, found.conflicting, found.empty) == (1, 1, 1, 1)
    assert TextExample("a b", 0).inputs != TextExample("a", 0, "b").inputs


def test_words_are_compared_as_they_are_split_and_their_types_are_counted() -> None:
    one, other = TagExample(("New", "York"), (3, 4)), TagExample(("New York",), (3,))
    found = counted([one, other, TagExample(("new", "york"), (0, 0)), TagExample(("New", "York"), (3, 0))], TYPES)
    assert (found.repeats, found.alike, found.conflicting) == (1, 2, 1)
    assert found.labels == pytest.approx({"O": 3 / 7, "PER": 0.0, "LOC": 4 / 7})


def test_answers_conflict_where_none_is_common_to_all() -> None:
    agreed = [span(("Ada",)), span(("Ben", "Ada"), name="r")]
    assert counted(agreed, ()) == Counts(2, repeats=1, alike=1, conflicting=0, empty=0, labels={})
    assert counted([*agreed, span(("Ben",))], ()).conflicting == 1
    assert counted([span(("Ada",)), span(("Ada",), "Whom?"), span(("Ada",), " ")], ()).empty == 1


def test_leaks_are_counted_as_texts_and_as_examples_of_either_split() -> None:
    train = [TextExample(text, 0) for text in ("a", "a", "a", "b", "C", "d")]
    test = [TextExample(text, label) for text, label in (("a", 0), ("b", 1), ("b", 0), ("c", 0), ("e", 0))]
    assert met(train, test) == Overlap("train", "test", 2, 4, 3, alike=3, conflicting=1)


def test_splits_of_one_text_may_conflict_with_each_other_alone() -> None:
    assert met([TextExample("a", 0)], [TextExample("a", 1)]).conflicting == 1
    assert met([TextExample("a", 0)], [TextExample("a", 0)]).conflicting == 0


def test_without_an_example_there_is_no_share() -> None:
    assert counted([]) == Counts(0, 0, 0, 0, 0, {})
    assert balance([span(("Ada",))], ()) == {}


@given(texts)
def test_repeats_are_what_is_left_of_the_distinct(examples: list[Example]) -> None:
    found = counted(examples)
    assert found.repeats == sum(n - 1 for n in Counter(e.text for e in examples).values())
    assert found.repeats <= found.alike < max(len(examples), 1)
    assert found.conflicting == len({e.text for e in examples if TextExample(e.text, 1 - e.label) in examples})
    assert sum(found.labels.values()) == pytest.approx(1.0 if examples else 0.0)


@given(texts, texts)
def test_an_overlap_turned_around_is_the_same(one: list[Example], other: list[Example]) -> None:
    there, back = met(one, other), met(other, one)
    assert (there.shared, there.alike, there.conflicting) == (back.shared, back.alike, back.conflicting)
    assert (there.first_examples, there.second_examples) == (back.second_examples, back.first_examples)
    seen = {e.text for e in other}
    assert there.first_examples == sum(e.text in seen for e in one)
    assert there.conflicting <= there.shared <= min(there.first_examples, there.second_examples)


@pytest.mark.skipif(not FOLDER.is_dir(), reason=f"the real data sets are not at {FOLDER}")
@pytest.mark.parametrize(
    ("name", "splits", "repeats", "shared", "of_first"),
    [("imdb", ("train", "test"), (96, 199), 123, 123), ("conll2003", ("train", "test"), (1350, 269), 78, 308)],
)
def test_the_published_counts_come_out(
    name: str, splits: tuple[str, str], repeats: tuple[int, int], shared: int, of_first: int
) -> None:
    task = TASKS.get(name)
    examples = [read_split(task, str(FOLDER), split) for split in splits]
    known = [index(one) for one in examples]
    assert tuple(count(e, k, task.labels).repeats for e, k in zip(examples, known, strict=True)) == repeats
    found = overlap(*zip(splits, known, strict=True))
    assert (found.shared, found.first_examples) == (shared, of_first)
