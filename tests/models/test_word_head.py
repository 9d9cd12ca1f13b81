from __future__ import annotations

from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.models.word_head import _template, word_head

LM = transformers.AutoModelForMaskedLM
NAMES = ["bert", "roberta", "xlm-r", "distilbert", "electra", "albert", "deberta-v2", "deberta", "mpnet", "modernbert"]
IDS = torch.randint(5, 30, (2, 7), generator=torch.Generator().manual_seed(0))


def ref_of(families: Any, name: str, auto: Any = LM, place: str = "", **changes: Any) -> Ref:
    return resolve(str(families.folder(name, auto, place or f"{name}-words", **changes)), MODELS)


@pytest.mark.parametrize("name", NAMES)
def test_it_tells_what_the_whole_model_tells_to_the_bit(families: Any, name: str) -> None:
    ref = ref_of(families, name)
    model = LM.from_pretrained(ref.name, attn_implementation="eager").eval()
    inputs = {"input_ids": IDS, "attention_mask": torch.ones_like(IDS)}
    head = word_head(ref)
    assert head is not None
    assert head.tied
    head.tie(model.get_input_embeddings().weight)
    with torch.no_grad():
        states = model.base_model(**inputs)[0]
        assert torch.equal(head(states.flatten(0, 1)), model(**inputs).logits.flatten(0, 1))


@pytest.mark.parametrize("name", NAMES)
def test_a_body_alone_has_none(families: Any, name: str) -> None:
    assert word_head(ref_of(families, name, transformers.AutoModel, f"{name}-body")) is None


@pytest.mark.parametrize("name", ["minilm", "tiny"])
def test_the_models_that_ship_have_none(name: str) -> None:
    assert word_head(resolve(name, MODELS)) is None


def test_a_family_without_masked_words_has_none(families: Any) -> None:
    assert word_head(ref_of(families, "llama", transformers.AutoModel, "llama-body")) is None


def test_a_head_that_is_not_there_whole_is_none_but_a_bias_may_have_one_of_its_names(families: Any) -> None:
    ref = ref_of(families, "roberta", place="roberta-in-part")
    file = f"{ref.name}/model.safetensors"
    held = load_file(file)
    _template.cache_clear()
    names = {name for name in held if name.startswith("lm_head.")}
    for left_out, expected in (("lm_head.decoder.bias", True), ("lm_head.layer_norm.bias", False)):
        save_file({n: v for n, v in held.items() if n != left_out}, file, {"format": "pt"})
        assert left_out in names or left_out == "lm_head.decoder.bias"
        assert (word_head(ref) is not None) == expected, left_out
        _template.cache_clear()


def test_every_copy_is_its_own_and_learns_with_the_body_that_it_is_tied_to(families: Any) -> None:
    ref = ref_of(families, "bert")
    words = torch.nn.Parameter(torch.randn(len(families.tokenizer("bert")), 16))
    one, two = word_head(ref), word_head(ref)
    assert one is not None
    assert two is not None
    one.tie(words)
    one(torch.randn(3, 16)).sum().backward()
    assert words.grad is not None
    assert len(one(torch.randn(3, 16))[0]) == len(words)
    parameters = dict(one.named_parameters())
    assert all(p.grad is not None for p in parameters.values())
    assert not {id(p) for p in parameters.values()} & {id(p) for p in two.parameters()}
    assert not hasattr(one.masked_lm.get_submodule(one.body), "states"), "nothing of a pass is held"


def test_a_decoder_of_its_own_stays(families: Any) -> None:
    head = word_head(ref_of(families, "bert", place="bert-untied", tie_word_embeddings=False))
    assert head is not None
    assert not head.tied
    before = head(torch.ones(1, 16))
    head.tie(torch.nn.Parameter(torch.zeros(len(families.tokenizer("bert")), 16)))
    assert torch.equal(head(torch.ones(1, 16)), before)
