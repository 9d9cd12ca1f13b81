from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench_lib.core.errors import BadValue, Unavailable, Unsupported
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TextExample
from bench_lib.tasks.formats.word_edits import Word
from bench_lib.techniques.interface.training_set import Corpus, Vocabulary
from bench_lib.techniques.toolkit import thesaurus as module
from bench_lib.techniques.toolkit.thesaurus import (
    check_source,
    core,
    count,
    neighbours,
    thesaurus,
    whole_words,
    with_synonyms,
)

# Directions in degrees: film is nearest to movie, then to song; the longest vector is of no consequence.
DEGREES = {
    "film": 0,
    "movie": 10,
    "song": 30,
    "dull": 90,
    "Film": 1,
    "Paris": 5,
    "##film": 0,
    "[CLS]": 0,
    "f": 0,
    "9": 1,
}
LENGTHS = {"movie": 0.1, "song": 50.0}


def vocabulary(degrees=DEGREES):
    angles = np.deg2rad(list(degrees.values()))
    lengths = np.array([LENGTHS.get(word, 1.0) for word in degrees])[:, None]
    rows = np.stack([np.cos(angles), np.sin(angles)], 1) * lengths
    return Vocabulary({word: i for i, word in enumerate(degrees)}, rows.astype(np.float32))


def corpus(*texts):
    train = tuple(TextExample(text, 0) for text in texts)
    return Corpus(train, (), TEXT_CLASSIFICATION, ("0", "1"), np.random.default_rng(0), vocabulary=vocabulary)


def test_neighbours_by_hand():
    found = neighbours(vocabulary(), ["film", "song", "FILM", "Film", "unheard", "##film"])
    assert found["film"] == ("movie", "song", "dull")
    assert found["song"] == ("movie", "film", "dull")  # 20, 30 and 60 degrees away
    assert found["FILM"] == found["film"]  # in lower case, as no piece is in upper
    assert found["Film"] == ("Paris",)
    assert found.keys() == {"film", "song", "FILM", "Film"}


def test_a_few_neighbours_in_small_tables(monkeypatch):
    usual = neighbours(vocabulary(), ["film", "song", "dull"])
    monkeypatch.setattr(module, "CHUNK", 1)
    assert neighbours(vocabulary(), ["film", "song", "dull"]) == usual
    monkeypatch.setattr(module, "NEIGHBOURS", 1)
    assert neighbours(vocabulary(), ["film", "dull"]) == {"film": ("movie",), "dull": ("song",)}


def test_equal_neighbours_come_in_order_of_the_alphabet():
    assert neighbours(vocabulary({"one": 0, "zoo": 5, "bee": 5, "ant": 5}), ["one"]) == {"one": ("ant", "bee", "zoo")}


@pytest.mark.parametrize("mark", ["\u0120", "\u2581"])
def test_words_of_other_tokenizers(mark):
    pieces = [f"{mark}film", f"{mark}a", f"{mark}.", "ing", "<s>", f"{mark}warm"]
    assert whole_words({piece: i for i, piece in enumerate(pieces)}) == {"film": 0, "warm": 5}


def test_bytes_that_are_no_letters_are_no_words():
    """What GPT-2's vocabulary writes for a blank and a dash is made of letters, which stand for bytes."""
    pieces = {"\u0120film": 0, "\u0120warm": 1, "\u0120\u00e2\u0122\u0135": 2}
    assert whole_words(pieces) == {"film": 0, "warm": 1}
    assert whole_words({"\u2581caf\u00e9": 0, "\u2581film": 1}) == {"caf\u00e9": 0, "film": 1}


def test_a_synonym_has_the_shape_of_the_word():
    synonyms = thesaurus("embeddings", corpus("a film, (Film) FILM! the film-maker's 9"), "x")
    assert synonyms("film,")[:1] == ("movie,",)
    assert synonyms("(film)")[:1] == ("(movie)",)
    assert synonyms("FILM!")[:1] == ("MOVIE!",)
    assert synonyms("(Film)") == ("(Paris)",)
    assert [synonyms(word) for word in ("the", "film-maker's", "9", "...", "")] == [()] * 5


def test_function_words_have_none():
    known = corpus("film the song")
    assert module._words(known) == ["film", "song"]
    assert "the" in module.FUNCTION_WORDS


@pytest.mark.parametrize(
    ("word", "letters"), [("film.", "film"), ("(it's)", "it's"), ("--", ""), ("", ""), ("U.S.", "")]
)
def test_the_word_without_its_punctuation(word, letters):
    assert core(word) == letters


@given(st.integers(0, 30), st.floats(0, 1), st.integers(0, 99))
def test_as_many_are_replaced_as_the_share_says(n, share, seed):
    words = (*(Word(f"w{i}") for i in range(n)), Word("name", block=0, entity="PER"), Word("held", protected=True))
    new = with_synonyms(words, share, lambda word: (f"{word}a", f"{word}b"), np.random.default_rng(seed))
    changed = [a.text for a, b in zip(words, new, strict=True) if a != b]
    assert len(changed) == min(n, count(words, share)) == min(n, max(1, int(share * (n + 2))))
    assert not {"name", "held"} & set(changed)
    assert all(b.text in (a.text, f"{a.text}a", f"{a.text}b") for a, b in zip(words, new, strict=True))


def test_each_synonym_comes_up():
    new = {
        with_synonyms((Word("w"),), 0.1, lambda _: ("a", "b", "c"), np.random.default_rng(seed))[0].text
        for seed in range(30)
    }
    assert new == {"a", "b", "c"}


def test_the_source_is_in_the_record_and_there_is_no_other_in_its_place():
    known = corpus("a film")
    thesaurus("embeddings", known, "eda")
    assert known.reported == {"eda.wordnet": 0.0}
    with pytest.raises(BadValue, match="synonym:thesaurus is 'auto'; allowed: embeddings or wordnet"):
        check_source("auto", "synonym:thesaurus")
    with pytest.raises(Unsupported, match="no model to ask"):
        thesaurus("embeddings", Corpus((), (), TEXT_CLASSIFICATION, (), np.random.default_rng(0)), "eda")


# ---- WordNet ---------------------------------------------------------------------------------------------------------

SENSES = {"film": [["film", "Movie", "motion_picture", "pic"], ["film", "Film"]], "lonely": [["lonely"]]}


@pytest.fixture
def wordnet(monkeypatch):
    """A module in the place of NLTK's, whose data fail to load when `missing` is set."""
    nltk = ModuleType("nltk.corpus")
    nltk.missing = None

    def ensure_loaded():
        if nltk.missing:
            raise nltk.missing

    def synsets(word):
        senses = [[SimpleNamespace(name=lambda n=name: n) for name in names] for names in SENSES.get(word.lower(), [])]
        return [SimpleNamespace(lemmas=lambda found=lemmas: found) for lemmas in senses]

    nltk.wordnet = SimpleNamespace(ensure_loaded=ensure_loaded, synsets=synsets)
    monkeypatch.setitem(sys.modules, "nltk", ModuleType("nltk"))
    monkeypatch.setitem(sys.modules, "nltk.corpus", nltk)
    return nltk


def test_lemmas_of_all_senses_that_are_one_word(wordnet):
    known = corpus("a film")
    synonyms = thesaurus("wordnet", known, "eda")
    assert synonyms("film.") == ("movie.", "pic.")
    assert synonyms("Film") == ("Movie", "Pic")
    assert synonyms("lonely") == synonyms("unheard") == synonyms("the") == ()
    assert known.reported == {"eda.wordnet": 1.0}


@pytest.mark.parametrize("error", [LookupError("no wordnet"), OSError("half a wordnet")])
def test_wordnet_without_its_data_is_no_other_source(wordnet, error):
    wordnet.missing = error
    with pytest.raises(Unsupported, match=r"need its data .*nltk.downloader wordnet; thesaurus=embeddings"):
        thesaurus("wordnet", corpus("a film"), "eda")


def test_wordnet_without_nltk_is_no_other_source(monkeypatch):
    monkeypatch.setitem(sys.modules, "nltk", None)
    monkeypatch.delitem(sys.modules, "nltk.corpus", raising=False)
    known = corpus("a film")
    with pytest.raises(
        Unavailable, match=r"nltk is not installed: pip install .stabbench\[wordnet\].; thesaurus=embeddings"
    ):
        thesaurus("wordnet", known, "eda")
    assert known.reported == {}


def test_a_tiny_wordnet_read_by_nltk_itself(tmp_path, monkeypatch):
    nltk = pytest.importorskip("nltk")
    folder = tmp_path / "corpora" / "wordnet"
    folder.mkdir(parents=True)
    synset = "00000000 03 n 03 film 0 movie 0 motion_picture 0 000 | a gloss  \n"
    for name in ("data", "index"):
        for part in ("noun", "verb", "adj", "adv"):
            (folder / f"{name}.{part}").touch()
            (folder / f"{part}.exc").touch()
    (folder / "data.noun").write_text(synset)
    (folder / "index.noun").write_text("film n 1 0 1 0 00000000  \nmovie n 1 0 1 0 00000000  \n")
    (folder / "lexnames").write_text("00\tadj.all\t3\n01\tadj.pert\t3\n02\tadv.all\t4\n03\tnoun.Tops\t1\n")
    (folder / "index.sense").touch()
    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])
    assert thesaurus("wordnet", corpus("a film"), "eda")("film") == ("movie",)
