from __future__ import annotations

import numpy as np
import pytest

import bench_lib.harness.augment
from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.models.translation import load_translator
from bench_lib.tasks.formats import (
    QUESTION_ANSWERING,
    TEXT_CLASSIFICATION,
    TOKEN_CLASSIFICATION,
    SpanExample,
    TextExample,
)
from bench_lib.techniques.data.back_translation import BackTranslation
from bench_lib.techniques.interface.training_set import Corpus

TEXTS = [TextExample("a film", 1), TextExample("a film", 0, pair="in Oslo"), TextExample("", 0), TextExample("same", 1)]
ASKED = SpanExample("q", "Ada works in Oslo.", "Where?", ("Oslo",), (13,))


class Dictionary:
    """Translators by name, which note what they are asked: there a word is turned round, back it is in capitals."""

    def __init__(self):
        self.asked = []

    def __call__(self, name):
        def translate(texts):
            self.asked.append((name.partition("@")[0], list(texts)))
            turned = [text[::-1] if "en-de" in name else text[::-1].upper() for text in texts]
            return [{"SAME": "same", "SAME  ": "same", "GONE": " "}.get(text, text) for text in turned]

        return translate


def corpus(train, task_format=TEXT_CLASSIFICATION, translator=None, **more):
    labels = ("0", "1")
    return Corpus(tuple(train), (), task_format, labels, np.random.default_rng(0), translator=translator, **more)


def test_texts_and_pairs_go_there_and_back():
    known = corpus(TEXTS, translator=(dictionary := Dictionary()))
    made = BackTranslation().augment(known)
    assert made == [*TEXTS, TextExample("A FILM", 1), TextExample("A FILM", 0, pair="IN OSLO")]
    assert known.reported == {"back_translation.copies": 2.0}
    there, back = dictionary.asked
    assert there == ("Helsinki-NLP/opus-mt-en-de", ["a film", "in Oslo", "same"]), "each text once, and no empty one"
    assert back == ("Helsinki-NLP/opus-mt-de-en", ["mlif a", "olsO ni", "emas"])


def test_a_question_is_reworded_and_its_context_is_not():
    made = BackTranslation().augment(corpus([ASKED], QUESTION_ANSWERING, Dictionary()))
    assert made == [ASKED, SpanExample("q", "Ada works in Oslo.", "WHERE?", ("Oslo",), (13,))]


def test_words_with_tags_are_declined():
    assert "which tag" in BackTranslation().declines(TOKEN_CLASSIFICATION)
    assert BackTranslation().declines(QUESTION_ANSWERING) is None is BackTranslation().declines(TEXT_CLASSIFICATION)


def test_a_text_of_which_nothing_came_back_has_no_copy():
    assert BackTranslation().augment(corpus([TextExample("gone", 1)], translator=Dictionary())) == [
        TextExample("gone", 1)
    ]


def test_white_space_makes_no_copy():
    """Sentences of SST-2 end in a space, which no translation brings back."""
    assert BackTranslation().augment(corpus([TextExample("same  ", 1)], translator=Dictionary())) == [
        TextExample("same  ", 1)
    ]


def test_a_share_is_drawn_by_the_generator():
    train = [TextExample(f"text {i}", i % 2) for i in range(20)]
    made = BackTranslation(share=0.25).augment(corpus(train, translator=Dictionary()))
    assert len(made) == 25
    assert len({example.text for example in made}) == 25
    assert made == BackTranslation(share=0.25).augment(corpus(train, translator=Dictionary()))
    other = Corpus(tuple(train), (), TEXT_CLASSIFICATION, ("0", "1"), np.random.default_rng(1), translator=Dictionary())
    assert made != BackTranslation(share=0.25).augment(other)


def test_without_strength_nothing_is_drawn_or_loaded():
    known = corpus(TEXTS)
    assert BackTranslation(share=0.0).augment(known) is known.train
    assert known.reported == {}


def test_what_cannot_be_done_is_declined():
    with pytest.raises(Unsupported, match="judge the wording"):
        BackTranslation().augment(corpus(TEXTS, judges_wording=True, translator=Dictionary()))
    with pytest.raises(Unsupported, match="nothing to translate with"):
        BackTranslation().augment(corpus(TEXTS))


@pytest.mark.parametrize("wrong", [{"there": "owner/model"}, {"back": "folder"}])
def test_bad_settings(wrong):
    (field,) = wrong
    with pytest.raises(BadValue, match=f"back_translation:{field} is"):
        BackTranslation(**wrong)


def test_a_run_with_two_tiny_models(train, tiny_marian, monkeypatch, tmp_path):
    """From folders to a record, twice: the second time from the disk, with the models out of reach."""
    monkeypatch.setattr(bench_lib.harness.augment, "load_translator", load_translator)
    monkeypatch.setenv("STABBENCH_CACHE", str(tmp_path / "cache"))
    there, back = tiny_marian("en-de", 0), tiny_marian("de-en", 1)
    stack = f"back_translation:there={there}:back={back}"
    first = train("sst2", stack, train_examples=4, eval_examples=4).record
    assert first.status in ("converged", "collapsed"), first.reason
    assert first.cost.examples == 4 + first.reported["back_translation.copies"] > 4
    for name in (there, back):
        (tmp_path / name.partition("@")[0] / "config.json").unlink()
    bench_lib.harness.augment.augmented.cache_clear()
    again = train("sst2", stack, train_examples=4, eval_examples=4).record
    assert again.result() == first.result()
    other = train("sst2", stack, train_examples=6, eval_examples=4).record
    assert other.status == "unsupported"
    assert "holds" in other.reason
