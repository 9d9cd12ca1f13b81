"""Noise on made-up examples: whatever happens to the words, tags and answers stay right."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Example, SpanExample, TagExample, TextExample
from bench_lib.tasks.transforms.input_noise import perturbed, typo

NER = TASKS.get("conll2003").labels
shares = st.floats(0, 1)
seeds = st.integers(0, 999)
word = st.text(st.sampled_from("abkQz9.,é-"), min_size=1, max_size=6)
spaces = st.sampled_from([" ", " ", "  ", "\n", " \t"])


def noisy(example: Example, share: float, seed: int = 0) -> Example:
    return perturbed(example, share, NER, np.random.default_rng(seed))


@st.composite
def questions(draw: st.DrawFn) -> SpanExample:
    """A context of words in any white space, and answers anywhere in it, inside words as well."""
    parts = draw(st.lists(st.tuples(word, spaces), min_size=1, max_size=10))
    context = draw(st.sampled_from(["", " ", "\n "])) + "".join(w + s for w, s in parts)
    context = context.rstrip() if draw(st.booleans()) else context
    texts, starts = [], []
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(context) - 1))
        end = draw(st.integers(start + 1, min(len(context), start + 12)))
        if context[start:end].strip():
            texts.append(context[start:end])
            starts.append(start)
    if not texts:
        first = len(context) - len(context.lstrip())
        texts, starts = [context[first]], [first]
    return SpanExample("q", context, "what is it ?", tuple(texts), tuple(starts))


@st.composite
def sentences(draw: st.DrawFn) -> TagExample:
    kinds = st.sampled_from(["O", "O", "PER", "LOC"])
    parts = draw(st.lists(st.tuples(kinds, st.integers(1, 3)), min_size=1, max_size=6))
    names = [
        name
        for kind, length in parts
        for name in (["O"] * length if kind == "O" else [f"B-{kind}", *[f"I-{kind}"] * (length - 1)])
    ]
    words = tuple(f"{name[0]}word{i}" for i, name in enumerate(names))
    return TagExample(words, tuple(map(NER.index, names)))


# ---- words -----------------------------------------------------------------------------------------------------------


@given(word=word, seed=seeds)
def test_a_typo_is_one_slip_and_leaves_a_word(word: str, seed: int) -> None:
    found = typo(word, np.random.default_rng(seed))
    assert found != word
    assert found
    assert not any(letter.isspace() for letter in found)
    assert abs(len(found) - len(word)) <= 1
    if len(found) == len(word):
        changed = [i for i, (a, b) in enumerate(zip(word, found, strict=True)) if a != b]
        assert len(changed) == 1 or (len(changed) == 2 and Counter(found) == Counter(word))


def test_typos_of_a_letter_are_its_double_and_its_neighbour() -> None:
    assert {typo("A", np.random.default_rng(seed)) for seed in range(30)} == {"AA", "S"}
    assert {typo("p", np.random.default_rng(seed)) for seed in range(30)} == {"pp", "o"}
    assert {typo("7", np.random.default_rng(seed)) for seed in range(30)} == {"77"}
    assert {typo("no", np.random.default_rng(seed)) for seed in range(99)} == {
        *("nno", "o", "on", "mo"),  # at the first letter
        *("noo", "np"),  # at the second
    }


@given(n=st.integers(1, 12), share=shares, seed=seeds)
def test_words_are_changed_left_out_or_swapped_and_one_stays(n: int, share: float, seed: int) -> None:
    words = [chr(ord("a") + i) * 5 for i in range(n)]
    found = noisy(TextExample(" ".join(words), 1), share, seed)
    assert isinstance(found, TextExample)
    places = [ord(Counter(text.lower()).most_common(1)[0][0]) - ord("a") for text in found.text.split()]
    assert 1 <= len(places) == len(set(places)) <= n
    assert found.label == 1
    # Of what is left, neighbours alone are in each other's place.
    assert all(later > earlier or later == earlier - 1 for earlier, later in pairwise(places))


def test_the_share_and_the_three_kinds_are_as_asked_for() -> None:
    words = [np.random.default_rng(i).bytes(6).hex() for i in range(6000)]  # far from one another
    known = {text: i for i, text in enumerate(words)}
    found = noisy(TextExample(" ".join(words), 0), 0.1)
    assert isinstance(found, TextExample)
    left = found.text.split()
    gone = 6000 - len(left)
    mistyped = len(set(left) - known.keys())
    places = [known[text] for text in left if text in known]
    swapped = sum(later < earlier for earlier, later in pairwise(places))
    assert [gone / 600, mistyped / 600, swapped / 600] == pytest.approx([1 / 3] * 3, abs=0.05)


# ---- examples --------------------------------------------------------------------------------------------------------


@given(sentences(), shares, seeds)
def test_tags_stay_with_their_words_and_strict_iob2(before: TagExample, share: float, seed: int) -> None:
    after = noisy(before, share, seed)
    assert isinstance(after, TagExample)
    assert len(after.words) == len(after.tags)
    names = ["O", *(NER[tag] for tag in after.tags)]
    assert all(a[2:] == b[2:] for a, b in pairwise(names) if b.startswith("I-"))
    assert [tag for tag in after.tags if tag] == [tag for tag in before.tags if tag]
    assert all(w.strip() for w in after.words)
    # The first letter says of most words what tag they had; a typo may change it.
    same = [(w, NER[t][0]) for w, t in zip(after.words, after.tags, strict=True) if w in before.words]
    assert all(w[0] == letter for w, letter in same)


@given(questions(), shares, seeds)
def test_every_answer_stands_where_it_says(before: SpanExample, share: float, seed: int) -> None:
    after = noisy(before, share, seed)
    assert isinstance(after, SpanExample)
    assert after.answers == before.answers
    for text, start in zip(after.answers, after.starts, strict=True):
        assert after.context[start : start + len(text)] == text
    assert (after.id, noisy(before, share, seed)) == (before.id, after)


@given(
    st.one_of(questions(), sentences(), st.builds(TextExample, st.text(max_size=9), st.just(0), st.text(max_size=9)))
)
def test_without_a_share_an_example_is_what_it_was(before: Example) -> None:
    assert noisy(before, 0.0) == before


def test_contexts_change_around_their_answers() -> None:
    row = SpanExample("a", "Anna sold the old red boat, to her uncle.", "What did Anna sell?", ("red boat",), (18,))
    found = [noisy(row, 0.5, seed) for seed in range(50)]
    contexts = {e.context for e in found if isinstance(e, SpanExample)}
    assert len(contexts) > 40
    assert all("red boat," in context for context in contexts)
    assert len({e.question for e in found if isinstance(e, SpanExample)}) > 20


def test_both_texts_of_a_pair_change_and_the_label_does_not() -> None:
    row = TextExample("one two three four five", 1, "six seven eight nine ten")
    found = [noisy(row, 0.6, seed) for seed in range(20)]
    assert {e.label for e in found if isinstance(e, TextExample)} == {1}
    assert len({e.text for e in found if isinstance(e, TextExample)}) > 10
    assert len({e.pair for e in found if isinstance(e, TextExample)}) > 10
    assert noisy(TextExample("", 0), 1.0) == TextExample("", 0)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_is_from_0_to_1(share: float) -> None:
    with pytest.raises(BadValue, match="share of words to perturb is"):
        noisy(TextExample("a b", 0), share)
