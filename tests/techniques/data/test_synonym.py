from __future__ import annotations

import pytest

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.tasks.formats import QUESTION_ANSWERING, TOKEN_CLASSIFICATION, SpanExample, TagExample, TextExample
from bench_lib.techniques.data.synonym import Synonym
from tests.tasks.formats.test_word_edits import NER
from tests.techniques.data.test_eda import corpus


def test_one_word_of_ten_is_replaced_by_hand():
    """Of `film` and `song`, the only words that the little vocabulary knows; `dull` is too far from nothing."""
    train = [TextExample("the film of the people", 1), TextExample("unheard words", 0)]
    made = Synonym(copies=20).augment(corpus(train))
    assert made[:2] == train
    assert {e.text for e in made[2:]} == {f"the {word} of the people" for word in ("movie", "song", "dull")}
    assert {e.label for e in made[2:]} == {1}
    assert len(made) == 22, "a text without a word to replace has no copy"


def test_a_share_of_the_words():
    text = " ".join(["film"] * 20)
    known = corpus([TextExample(text, 1)])
    (_, copy) = Synonym(share=0.25).augment(known)
    assert sum(word != "film" for word in copy.text.split()) == 5
    assert known.reported == {"synonym.copies": 1.0, "synonym.wordnet": 0.0}


def test_names_stay_and_answers_too():
    tagged = TagExample(("Film", "saw", "a", "film"), (1, 0, 0, 0))
    _, copy = Synonym().augment(corpus([tagged], TOKEN_CLASSIFICATION, NER))
    assert copy.words[:3] == ("Film", "saw", "a")
    assert copy.words[3] != "film"
    assert copy.tags == tagged.tags
    asked = SpanExample("q", "a film, the film song.", "What ?", ("film song",), (12,))
    _, copy = Synonym().augment(corpus([asked], QUESTION_ANSWERING))
    start = copy.starts[0]
    assert copy.context[start : start + 9] == "film song"
    assert copy.context[2:6] != "film"


@pytest.mark.parametrize("identity", [{"share": 0.0}, {"copies": 0}])
def test_without_strength_nothing_is_drawn_or_loaded(identity):
    known = corpus([TextExample("a film", 1)], vocabulary=None)
    assert Synonym(**identity).augment(known) is known.train
    assert known.reported == {}


def test_acceptability_is_declined():
    with pytest.raises(Unsupported, match="synonym declines this task"):
        Synonym().augment(corpus([TextExample("a film", 1)], judges_wording=True))


def test_an_unknown_thesaurus_is_refused():
    with pytest.raises(BadValue, match="synonym:thesaurus is 'auto'"):
        Synonym(thesaurus="auto")


def test_the_source_decides_what_is_trained_on(train):
    """In a run: neighbours in the model's own embeddings, or no run at all."""
    record = train("sst2", "synonym", train_examples=8, eval_examples=4).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.reported["synonym.wordnet"] == 0.0
    assert record.cost.examples == 8 + record.reported["synonym.copies"] > 12
