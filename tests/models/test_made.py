from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from bench_lib.instruments.cache import VARIABLE
from bench_lib.models import MODELS
from bench_lib.models.load import load_template, load_tokenizer, read_template
from bench_lib.models.made import END, digest_of, made_files
from bench_lib.models.packaged import made
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, TEXT_GENERATION


def test_the_same_files_are_made_again_and_are_the_fingerprint() -> None:
    again = made_files.__wrapped__()
    assert again == made_files()
    assert resolve("tiny-llama", MODELS).fingerprint == f"random:tiny-llama@{digest_of(again, 20)}"
    assert digest_of({**again, "config.json": "{}"}, 20) != digest_of(again, 20)


def test_the_folder_is_made_once_in_the_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "cache"))
    folder = made("tiny-llama")
    assert folder.parent == tmp_path / "cache"
    assert {path.name: path.read_text() for path in folder.iterdir()} == made_files()
    (folder / "config.json").write_text(json.dumps({"kept": True}))
    assert made("tiny-llama") == folder
    assert json.loads((folder / "config.json").read_text()) == {"kept": True}


@pytest.mark.parametrize("text", ["A pub by the river, für 5 €: 你好!", " two  blanks\nand a line", "name[The Mill]"])
def test_every_text_comes_back_from_its_tokens(text: str) -> None:
    tokenizer = load_tokenizer(resolve("tiny-llama", MODELS))
    ids = tokenizer(text, add_special_tokens=False)["input_ids"]
    assert tokenizer.decode(ids) == text
    assert len(ids) <= len(text.encode())


def test_it_has_a_chat_template() -> None:
    tokenizer = AutoTokenizer.from_pretrained(made("tiny-llama"))
    said = [{"role": "user", "content": "Hello"}]
    whole = tokenizer.apply_chat_template(said, tokenize=False, add_generation_prompt=True)
    assert whole == f"<|user|>Hello{END}<|reply|>"


def test_its_weights_are_the_same_each_time_and_its_head_is_that_of_its_words() -> None:
    ref = resolve("tiny-llama", MODELS)
    one, other = (read_template(ref, TEXT_GENERATION, 0) for _ in range(2))
    assert one.fresh == one.missing == frozenset()
    assert one.new_parts() == "none"
    assert one.model.lm_head.weight is one.model.get_input_embeddings().weight
    for name, weight in one.pretrained().items():
        assert torch.equal(weight, other.pretrained()[name]), name
    assert load_template(ref, TEXT_CLASSIFICATION, 2).fresh == {"score.weight"}
