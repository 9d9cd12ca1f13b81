from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers.models.marian import MarianTokenizer
from transformers.utils import logging as hf_logging

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.models import translation
from bench_lib.models.translation import Marian, Translator, load_translator

TEXTS = ["Where does Ada Moore work? The film is great!", "the garden", "", "  Someone left.  "]
SENTENCES = ["Where does Ada Moore work?", "The film is great!", "the garden", "Someone left."]


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("STABBENCH_CACHE", str(tmp_path / "translations of this test"))


@pytest.fixture
def marian(tiny_marian) -> Marian:
    return Marian.load(*tiny_marian("mt", 0).rsplit("@", 1))


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The sentences of each call of a model."""
    calls: list[list[str]] = []
    real = Marian.translate

    def noted(self, sentences):
        calls.append(list(sentences))
        return real(self, sentences)

    monkeypatch.setattr(Marian, "translate", noted)
    return calls


def greedy(marian: Marian, sentence: str) -> str:
    """The likeliest token at each step, alone and without a cache of keys, until the end or the sentence's limit."""
    ids = marian.tokenizer(sentence, return_tensors="pt")
    banned, end = marian.model.config.pad_token_id, marian.model.config.eos_token_id
    said = [marian.model.config.decoder_start_token_id]
    for _ in range(2 * ids["input_ids"].shape[1] + 16):
        with torch.no_grad():
            logits = marian.model(**ids, decoder_input_ids=torch.tensor([said]), use_cache=False).logits[0, -1]
        logits[banned] = -torch.inf
        said.append(int(logits.argmax()))
        if said[-1] == end:
            break
    return marian.tokenizer.decode(said, skip_special_tokens=True).strip()


def test_each_sentence_is_translated_greedily_whatever_it_is_batched_with(marian):
    found = marian.translate(SENTENCES)
    assert found == {sentence: greedy(marian, sentence) for sentence in SENTENCES}
    assert len(set(found.values())) == 4
    assert all(marian.translate([sentence]) == {sentence: found[sentence]} for sentence in SENTENCES)


def test_batches_are_of_similar_length(marian, monkeypatch):
    sizes = []
    real = Marian._generated
    monkeypatch.setattr(translation, "BATCH", 2)
    monkeypatch.setattr(Marian, "_generated", lambda self, rows: sizes.append([*map(len, rows)]) or real(self, rows))
    whole = marian.translate(SENTENCES)
    assert [len(rows) for rows in sizes] == [2, 2]
    assert max(sizes[0]) <= min(sizes[1])
    assert whole.keys() == set(SENTENCES)


def test_what_is_too_long_stays_as_it_is(marian, monkeypatch):
    monkeypatch.setattr(translation, "LONGEST", 20)
    found = marian.translate(["the garden", "a" * 60])
    assert found["a" * 60] == "a" * 60
    assert found["the garden"] != "the garden"


def test_texts_are_translated_sentence_by_sentence(tiny_marian, marian):
    found = load_translator(tiny_marian("mt", 0))(TEXTS)
    said = marian.translate(SENTENCES)
    first = " ".join(said[sentence] for sentence in SENTENCES[:2])
    assert found == [first, said["the garden"], "", said["Someone left."]]


def test_nothing_is_translated_twice_or_by_another_models_translations(tiny_marian, counted):
    name, other = tiny_marian("mt", 0), tiny_marian("other", 1)
    first = load_translator(name)(TEXTS)
    assert load_translator(name)(TEXTS) == first
    assert load_translator(name)([*TEXTS[1:], "the film"])[:3] == first[1:]
    assert load_translator(other)(TEXTS) != first
    assert counted == [sorted(SENTENCES), ["the film"], sorted(SENTENCES)]


def test_what_is_known_needs_no_model(tiny_marian, monkeypatch):
    name = tiny_marian("mt", 0)
    first = load_translator(name)(TEXTS)
    monkeypatch.setattr(Marian, "load", None)
    assert load_translator(name)(TEXTS) == first


@pytest.mark.parametrize(
    "spoilt",
    [
        lambda line: line[: len(line) // 2],
        lambda line: line.replace(b"garden", b"gardon"),
        lambda line: json.dumps([*json.loads(line)[:2], "0" * 12]).encode(),
        lambda _line: b"[1, 2, 3]",
        lambda _line: b"\xff\xfe{}",
        lambda _line: b"7",
    ],
)
def test_a_spoilt_entry_is_made_again(tiny_marian, counted, spoilt):
    translator = load_translator(tiny_marian("mt", 0))
    first = translator(TEXTS)
    (file,) = translator.memory.iterdir()
    lines = file.read_bytes().splitlines()
    (at,) = [i for i, line in enumerate(lines) if b"the garden" in line]
    file.write_bytes(b"\n".join([*lines[:at], spoilt(lines[at]), *lines[at + 1 :]]))
    assert translator(TEXTS) == first
    assert counted[1:] == [["the garden"]]


def test_what_was_done_is_kept_when_the_rest_fails(tiny_marian, counted, monkeypatch):
    translator = load_translator(tiny_marian("mt", 0))
    monkeypatch.setattr(translation, "SAVED", 2)
    real = Marian._generated

    def failing(self, rows):
        if len(counted) == 2:
            raise MemoryError
        return real(self, rows)

    monkeypatch.setattr(Marian, "_generated", failing)
    with pytest.raises(MemoryError):
        translator(TEXTS)
    assert len(translator._remembered()) == 2
    assert not [path for path in translator.memory.iterdir() if path.suffix != ".jsonl"]


def test_nothing_of_the_process_is_changed(tiny_marian, monkeypatch):
    monkeypatch.delenv("DISABLE_SAFETENSORS_CONVERSION", raising=False)
    level, state = hf_logging.get_verbosity(), torch.get_rng_state()
    load_translator(tiny_marian("mt", 0))(TEXTS)
    assert torch.equal(torch.get_rng_state(), state)
    assert hf_logging.get_verbosity() == level
    assert "DISABLE_SAFETENSORS_CONVERSION" not in translation.os.environ


# ---- names -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["owner/model", "owner/model@", "owner/model@main", "@" + "0" * 40])
def test_a_name_says_which_version_it_is(name):
    with pytest.raises(BadData, match="does not say which version it is; name it"):
        load_translator(name)


def test_a_folder_is_told_its_digest(tiny_marian):
    name = tiny_marian("mt", 0)
    for short in (name.partition("@")[0], name.partition("@")[0] + "@"):
        with pytest.raises(BadData, match=f"name it {name}$"):
            load_translator(short)


def test_another_model_in_the_folder_is_not_the_one(tiny_marian):
    name = tiny_marian("mt", 0)
    (Path(name.partition("@")[0]) / "vocab.json").write_text("{}")
    with pytest.raises(BadData, match="is not the one that was asked for"):
        load_translator(name)(["the garden"])


def test_a_model_out_of_reach_is_unavailable():
    with pytest.raises(Unavailable, match=r"'owner/model' could not be loaded .*FOLDER@DIGEST"):
        load_translator(f"owner/model@{'0' * 40}")(["the garden"])


def test_a_package_that_is_missing_is_said(tiny_marian, monkeypatch):
    def missing(*_args, **_options):
        raise ImportError("MarianTokenizer requires the SentencePiece library")

    monkeypatch.setattr(MarianTokenizer, "from_pretrained", missing)
    with pytest.raises(Unavailable, match="requires the SentencePiece library"):
        load_translator(tiny_marian("mt", 0))(["the garden"])


def test_the_same_model_elsewhere_has_the_same_translations():
    one, other = (load_translator(f"{place}@{'a' * 40}") for place in ("owner/model", "mirror/model"))
    assert isinstance(one, Translator)
    assert one.memory == other.memory != load_translator(f"owner/model@{'b' * 40}").memory
