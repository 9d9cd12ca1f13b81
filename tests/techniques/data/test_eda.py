from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.harness.loop import Loop
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, SpanExample, TagExample, TextExample
from bench_lib.tasks.formats.word_edits import Word
from bench_lib.techniques.data.eda import EDA, OPERATIONS, _operations, deleted, inserted, swapped
from bench_lib.techniques.data.synonym import Synonym
from bench_lib.techniques.interface.training_set import Corpus
from tests.tasks.formats.test_word_edits import NER, examples, right
from tests.techniques.toolkit.test_thesaurus import vocabulary

collated = Loop._collated
seeds, shares = st.integers(0, 999), st.floats(0.01, 1)


def draws(seed=0):
    return np.random.default_rng(seed)


def words(n):
    return tuple(Word(f"w{i}") for i in range(n))


def texts(found):
    return [word.text for word in found]


def corpus(train, task_format=TEXT_CLASSIFICATION, labels=("0", "1"), **more):
    more = {"vocabulary": vocabulary, **more}
    return Corpus(tuple(train), (), task_format, labels, draws(), **more)


# ---- the operations --------------------------------------------------------------------------------------------------


@given(st.integers(2, 40), shares, seeds)
def test_two_words_are_exchanged_as_often_as_alpha_says(n, alpha, seed):
    new = texts(swapped(words(n), alpha, None, draws(seed)))
    assert Counter(new) == Counter(texts(words(n)))
    moved = sum(a != b for a, b in zip(new, texts(words(n)), strict=True))
    assert moved <= 2 * max(1, int(alpha * n))
    assert moved == 2 or int(alpha * n) > 1


def test_entities_and_answers_are_not_exchanged():
    held = (Word("a"), Word("b", block=0, entity="PER"), Word("c", block=1, protected=True), Word("d"))
    assert texts(swapped(held, 0.1, None, draws())) == ["d", "b", "c", "a"]
    assert swapped(held[1:], 0.9, None, draws()) == held[1:]


def test_as_many_synonyms_are_put_in_as_alpha_says_anywhere_but_in_an_answer():
    whole = (*words(8), Word("a", block=0, protected=True), Word("b", block=0, protected=True))
    places = Counter()
    for seed in range(300):
        new = texts(inserted(whole, 0.2, lambda word: (f"{word}s",) if word == "w3" else (), draws(seed)))
        assert "a b" in " ".join(new)
        assert [text for text in new if text != "w3s"] == texts(whole)
        places.update([new.index("w3s")] if "w3s" in new else ["nowhere"])
        assert new.count("w3s") <= 2
    assert {*range(9), 10} <= places.keys()
    assert 0 < places["nowhere"] < 100, "ten words are asked for a synonym, twice"


def test_a_name_is_asked_for_no_synonym_which_would_be_a_name_without_a_tag():
    names = (Word("in"), Word("Oslo", block=0, entity="LOC"))
    for seed in range(20):
        assert inserted(names, 1.0, lambda word: ("Bergen",) if word == "Oslo" else (), draws(seed)) == names
    answer = (Word("in"), Word("Oslo", block=0, protected=True))
    assert "Bergen" in {
        text for s in range(20) for text in texts(inserted(answer, 1.0, lambda _: ("Bergen",), draws(s)))
    }


def test_no_synonym_no_insertion():
    assert inserted(words(3), 0.5, lambda _: (), draws()) == words(3)
    assert inserted((), 0.5, lambda _: ("x",), draws()) == ()


@given(st.integers(1, 20), seeds)
def test_one_word_stays_of_all(n, seed):
    (left,) = deleted(words(n), 1.0, None, draws(seed))
    assert left in words(n)


def test_words_are_left_out_with_probability_alpha():
    left = deleted((*words(5000), Word("a", protected=True)), 0.1, None, draws())
    assert len(left) == pytest.approx(4500, abs=60)
    assert left[-1].text == "a"
    assert texts(deleted((Word("a", protected=True), *words(3)), 1.0, None, draws())) == ["a"]


# ---- the technique ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("copies", [1, 3, 4, 9])
def test_operations_are_drawn_as_the_authors_do(copies):
    """From as many of each as it takes, and one more: of 4 copies no operation makes more than two."""
    counts = [Counter(_operations(copies, draws(seed))) for seed in range(200)]
    assert {sum(count.values()) for count in counts} == {copies}
    assert max(max(count.values()) for count in counts) == min(copies, copies // 4 + 1)
    total = sum(counts, Counter())
    assert all(total[operation] == pytest.approx(50 * copies, rel=0.25) for operation in OPERATIONS)


def test_copies_join_the_examples_and_keep_their_labels():
    train = [TextExample("a film and a song , dull film .", 1), TextExample("song", 0, pair="film film")]
    known = corpus(train)
    made = EDA(alpha=0.1, copies=4).augment(known)
    assert made[:2] == train
    assert {(e.label, e.pair is None) for e in made} == {(1, True), (0, False)}
    reported = {"eda.copies": len(made) - 2, "eda.wordnet": 0.0, "eda.alpha": 0.1, "eda.copies_asked": 8}
    assert known.reported == reported
    assert 5 <= len(made) <= 10
    assert not set(train) & set(made[2:]), "a copy that says the same is none"
    assert EDA(alpha=0.1, copies=4).augment(corpus(train)) == made, "the generator alone decides"


@pytest.mark.parametrize(
    ("examples", "alpha", "copies"), [(1, 0.05, 16), (500, 0.05, 16), (501, 0.05, 8), (2000, 0.05, 8), (2001, 0.1, 4)]
)
def test_strength_goes_by_the_size_of_the_training_set_where_none_is_set(examples, alpha, copies):
    assert EDA()._strength(examples) == (alpha, copies)
    assert EDA(alpha=0.3)._strength(examples) == (0.3, copies)
    assert EDA(copies=2)._strength(examples) == (alpha, 2)
    known = corpus([TextExample("a film and a song", 0)] * examples)
    if examples <= 500:
        EDA().augment(known)
        assert (known.reported["eda.alpha"], known.reported["eda.copies_asked"]) == (alpha, copies * examples)


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ["sst2", "squad"])
def test_an_epoch_is_as_long_as_without_copies_unless_all_are_to_be_read(train, task):
    """Also in sequences: a long context has several, and so has each of its copies."""
    changes = {"train_examples": 20, "eval_examples": 4, "epochs": 3}
    stacks = ("adamw", "eda:copies=16", "eda:copies=16:same_steps=False")
    base, same, whole = (train(task, stack, **changes).record for stack in stacks)
    assert same.cost.steps == base.cost.steps
    assert same.reported == whole.reported
    assert whole.cost.steps > 10 * base.cost.steps
    assert same.cost.tokens < 2 * base.cost.tokens


def test_every_epoch_reads_another_part_of_the_copies(train, monkeypatch):
    seen = []
    monkeypatch.setattr(Loop, "_collated", lambda self, features: seen.append(features) or collated(self, features))
    train("sst2", "eda:copies=16", train_examples=24, eval_examples=4, epochs=2)
    read = [{id(feature) for batch in part for feature in batch} for part in (seen[:3], seen[3:])]
    assert [len(part) for part in read] == [24, 24], "each once"
    assert len(read[0] & read[1]) < 12


def test_what_a_teacher_adds_is_read_beside_it(train):
    """Pseudo-labelled examples make the epoch longer, as they do without copies."""
    stacks = ("self_training:threshold=0.0", "eda+self_training:threshold=0.0")
    base, run = (train("sst2", stack, train_examples=16, eval_examples=4).record for stack in stacks)
    assert run.reported["self_training.added"] > 0
    assert run.cost.steps > 2
    assert run.reported["self_training.steps"] == base.reported["self_training.steps"], "the teacher is trained alike"


@given(st.lists(examples, min_size=1, max_size=3), shares)
def test_targets_stay_right_whatever_the_example(drawn, share):
    for technique in (EDA(alpha=share, copies=4), Synonym(share=share)):
        made = technique.augment(corpus(drawn, labels=NER))
        assert made[: len(drawn)] == drawn
        assert all(right(example) for example in made)
        answers = {e.answers for e in drawn if isinstance(e, SpanExample)}
        assert {e.answers for e in made if isinstance(e, SpanExample)} == answers
        assert not any(isinstance(e, TagExample) and not e.words for e in made)


@pytest.mark.parametrize("identity", [{"alpha": 0.0}, {"copies": 0}])
def test_without_strength_nothing_is_drawn_or_loaded(identity):
    known = corpus([TextExample("a film", 1)], vocabulary=None)
    before = known.generator.bit_generator.state
    assert EDA(**identity).augment(known) is known.train
    assert known.generator.bit_generator.state == before
    assert known.reported == {}


def test_acceptability_is_declined():
    cola = TASKS.get("cola")
    with pytest.raises(Unsupported, match="eda declines this task"):
        EDA().augment(corpus([TextExample("a film", 1)], judges_wording=cola.judges_wording))


@pytest.mark.parametrize("thesaurus", ["auto", "WordNet"])
def test_an_unknown_thesaurus_is_refused(thesaurus):
    with pytest.raises(BadValue, match=f"eda:thesaurus is '{thesaurus}'"):
        EDA(thesaurus=thesaurus)
