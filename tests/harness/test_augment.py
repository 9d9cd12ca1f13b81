"""What the harness hands to the techniques that change the training examples, and what it makes of theirs."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest

from bench_lib.core.errors import BadData, Unavailable, Unsupported
from bench_lib.harness.augment import Draw, augmented
from bench_lib.harness.datasets import DataKey, Subset, train_examples, train_features
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TOKEN_CLASSIFICATION, SpanExample
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.sources.synthetic import CORPORA
from bench_lib.techniques.data.eda import EDA
from bench_lib.techniques.data.synonym import Synonym
from tests.tasks.formats.test_word_edits import right

ALL = sorted(name for name in CORPORA if not TASKS.get(name).format.writes_text)  # whose inputs are not edited


def key_of(task: str, max_length: int = 64, stride: int = 16) -> DataKey:
    return DataKey(load_data(TASKS.get(task), "embedded"), resolve("tiny", MODELS), max_length, stride)


def draw_of(size: int | None = 40, seed: int = 0) -> Draw:
    return Draw(Subset(size, 0), 8, seed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("task", ALL)
@pytest.mark.parametrize("technique", [EDA(), Synonym(copies=2), EDA(alpha=0.9, copies=2)])
def test_targets_stay_right_over_the_embedded_tasks(task, technique):
    key, draw = key_of(task), draw_of(100)
    train = train_examples(key.data, draw.subset)
    made = augmented(key, draw, (technique,))
    assert made.examples[: len(train)] == train
    assert len(made.examples) > 1.5 * len(train)
    assert all(right(example) for example in made.examples)
    assert made.reported[f"{technique.name}.copies"] >= len(made.examples) - len(train)
    if key.format is QUESTION_ANSWERING:
        assert {e.answers for e in made.examples} == {e.answers for e in train}


@dataclass(frozen=True)
class Counts:
    """Notes what it was given; equal to any other of its kind, as techniques of one spec are."""

    name: str = "counts"

    def augment(self, corpus):
        SEEN.append(corpus)
        corpus.report(self.name, "drawn", corpus.generator.random())
        return corpus.train


SEEN: list = []


@pytest.fixture(autouse=True)
def _fresh():
    augmented.cache_clear()
    SEEN.clear()
    yield
    augmented.cache_clear()


def test_it_happens_once_for_each_seed_and_is_kept():
    made = [augmented(key_of("sst2"), draw_of(seed=seed), (Counts(),)) for seed in (0, 1, 0, 1)]
    assert len(SEEN) == 2
    assert made[0] is made[2]
    assert made[0].reported["counts.drawn"] != made[1].reported["counts.drawn"]


def test_each_of_a_stack_sees_what_the_one_before_made_and_draws_for_itself():
    made = augmented(key_of("sst2"), draw_of(), (EDA(), Counts(), Counts("other")))
    assert len(SEEN[0].train) > 40
    assert SEEN[0].train == SEEN[1].train
    assert made.reported.keys() == {
        *("eda.copies", "eda.copies_asked", "eda.alpha", "eda.wordnet"),
        *("counts.drawn", "other.drawn"),
    }
    assert made.reported["counts.drawn"] != made.reported["other.drawn"]
    alone = augmented(key_of("sst2"), draw_of(), (Counts(),))
    assert alone.reported["counts.drawn"] == made.reported["counts.drawn"], "whatever stands beside it"


def test_an_epoch_is_as_long_as_the_first_that_keeps_the_steps_found_the_set():
    """In sequences, of which a long context has several."""
    key, draw = key_of("squad", max_length=48, stride=12), draw_of(20)
    plain = len(train_features(key, draw.subset))
    assert plain > 20
    for stack in ((EDA(),), (EDA(copies=1), Keeps()), (Keeps(), EDA(copies=1))):
        augmented.cache_clear()
        made = augmented(key, draw, stack)
        assert made.epoch_size == plain < len(made.features)
    assert augmented(key, draw, (Synonym(), EDA(same_steps=False))).epoch_size is None
    assert augmented(key, draw, (Synonym(), EDA())).epoch_size > plain


def test_what_a_technique_may_look_at():
    augmented(key_of("conll2003"), draw_of(), (Counts(),))
    (corpus,) = SEEN
    assert (corpus.format, corpus.labels, len(corpus.evaluation)) == (
        TOKEN_CLASSIFICATION,
        TASKS.get("conll2003").labels,
        8,
    )
    assert not corpus.judges_wording
    words = corpus.vocabulary()
    assert words.embeddings.shape == (len(words.pieces), 32)


@dataclass(frozen=True)
class Keeps:
    """Adds nothing, and keeps the steps."""

    name: str = "keeps"

    def augment(self, corpus):
        corpus.keep_steps()
        return corpus.train


@dataclass(frozen=True)
class Asks:
    """Adds a question that is too long, one that is not, and one with another context."""

    name: str = "asks"

    def augment(self, corpus):
        first = corpus.train[0]
        long, short = replace(first, question="why " * 60), replace(first, question="Why?")
        moved = replace(first, context=f"So. {first.context}", starts=(first.starts[0] + 4,))
        return [*corpus.train, long, short, moved]


def test_a_new_question_without_room_for_its_context_is_left_out():
    made = augmented(key_of("squad"), draw_of(), (Asks(),))
    assert len(made.examples) == 42
    assert {e.question for e in made.examples if isinstance(e, SpanExample)} >= {"Why?"}
    assert not any(e.question.startswith("why ") for e in made.examples)


def test_a_question_of_the_data_itself_without_room_is_an_error():
    with pytest.raises(Unsupported, match="leaves no room"):
        augmented(key_of("squad", max_length=18, stride=16), draw_of(), (Counts(),))


@dataclass(frozen=True)
class Needs:
    """Wants what there is not."""

    error: type
    name: str = "needs"

    def augment(self, _corpus):
        raise self.error("no model far and wide")


@pytest.mark.parametrize("error", [Unavailable, BadData])
def test_what_a_technique_cannot_have_ends_its_run_and_no_other(error):
    with pytest.raises(Unsupported, match="no model far and wide"):
        augmented(key_of("sst2"), draw_of(), (Needs(error),))
