from __future__ import annotations

import copy
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from bench_lib.core.errors import BadData, Unavailable
from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.load import TINY, Template, copied, forget_templates, instantiate, load_template, load_tokenizer
from bench_lib.models.source import WAYS_OUT, resolve
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, Format

HEAD = {"classifier.weight", "classifier.bias"}


@pytest.fixture(scope="session")
def minilm() -> Ref:
    return resolve("minilm", MODELS)


def drawn(template: Template, seed: int) -> PreTrainedModel:
    return instantiate(template, torch.Generator().manual_seed(seed))


def state(model: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in model.named_parameters()}


def test_minilm_loads_offline_with_a_new_head_on_its_own_weights(minilm: Ref) -> None:
    template = load_template(minilm, TEXT_CLASSIFICATION, 2)
    assert template.fresh == HEAD
    model = template.model
    assert model.config.num_hidden_layers == 6
    assert sum(p.numel() for p in model.parameters()) == pytest.approx(22.7e6, rel=0.01)
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.config._attn_implementation == "eager"
    # Trained weights are no draw of N(0, 0.02): the embeddings of words are far wider.
    assert template.pretrained()["bert.embeddings.word_embeddings.weight"].std() > 0.03


def test_minilm_loads_for_every_kind(minilm: Ref) -> None:
    assert load_template(minilm, TOKEN_CLASSIFICATION, 9).model.classifier.out_features == 9
    template = load_template(minilm, QUESTION_ANSWERING, 0)
    assert template.model.qa_outputs.out_features == 2
    assert template.fresh == {"qa_outputs.weight", "qa_outputs.bias"}


@pytest.mark.parametrize(
    ("task_format", "labels", "head"),
    [(TEXT_CLASSIFICATION, 2, 2), (TOKEN_CLASSIFICATION, 9, 9), (QUESTION_ANSWERING, 0, 2)],
)
def test_tiny_loads_for_every_kind(tiny: Ref, task_format: Format, labels: int, head: int) -> None:
    template = load_template(tiny, task_format, labels)
    assert template.model.config.num_hidden_layers == TINY["num_hidden_layers"]
    assert {len(p) for n, p in state(template.model).items() if n in template.fresh} == {head}
    assert sum(p.numel() for p in template.model.parameters()) < 2e6


def test_the_same_seed_draws_the_same_head_and_another_another(tiny: Ref) -> None:
    template = load_template(tiny, TEXT_CLASSIFICATION, 2)
    one, same, other = (state(drawn(template, seed)) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"classifier.weight"}


def test_a_head_is_drawn_as_bert_draws_it(tiny: Ref) -> None:
    model = drawn(load_template(tiny, TOKEN_CLASSIFICATION, 500), 0)
    assert model.classifier.weight.std().item() == pytest.approx(model.config.initializer_range, rel=0.05)
    assert abs(model.classifier.weight.mean().item()) < 0.001
    assert not model.classifier.bias.any()


def test_a_head_starts_from_its_prior_where_it_has_a_bias(tiny: Ref, families: Any) -> None:
    prior = [0.5, -1.0, 2.0]
    template = load_template(tiny, TEXT_CLASSIFICATION, 3)
    plain, begun = (instantiate(template, torch.Generator().manual_seed(0), prior=p) for p in (None, prior))
    assert begun.classifier.bias.tolist() == prior
    assert plain.classifier.bias.tolist() == [0.0] * 3
    changed = [name for name, p in begun.named_parameters() if not torch.equal(p, dict(plain.named_parameters())[name])]
    assert changed == ["classifier.bias"]
    decoder = load_template(resolve(str(families.folder("llama")), MODELS), TEXT_CLASSIFICATION, 3)
    assert instantiate(decoder, torch.Generator().manual_seed(0), prior=prior).score.bias is None


def test_a_prior_is_not_for_a_head_that_is_kept(classifier: Ref) -> None:
    template = load_template(classifier, TEXT_CLASSIFICATION, 3)
    kept = instantiate(template, torch.Generator().manual_seed(0), keep_head=True, prior=[7.0, 8.0, 9.0])
    assert kept.classifier.bias.tolist() != [7.0, 8.0, 9.0]


def test_drawing_reads_no_global_generator(tiny: Ref) -> None:
    template = load_template(tiny, TEXT_CLASSIFICATION, 2)
    torch.manual_seed(1)
    one = drawn(template, 3)
    torch.manual_seed(2)
    before = torch.get_rng_state()
    assert torch.equal(drawn(template, 3).classifier.weight, one.classifier.weight)
    assert torch.equal(torch.get_rng_state(), before)


def test_copies_share_nothing_with_the_template(tiny: Ref) -> None:
    template = load_template(tiny, TEXT_CLASSIFICATION, 2)
    before = {name: p.clone() for name, p in state(template.model).items()}
    with torch.no_grad():
        for parameter in drawn(template, 0).parameters():
            parameter.add_(1.0)
    assert all(torch.equal(before[name], p) for name, p in state(template.model).items())


def test_a_copy_is_what_deepcopy_makes(tiny: Ref) -> None:
    model = copy.deepcopy(load_template(tiny, TEXT_CLASSIFICATION, 2).model)
    model.tied, model.notes = model.classifier, {"layer": model.classifier, "sizes": [1, 2]}
    model.classifier.register_forward_hook(lambda module, inputs, output: output + 1)
    model.register_buffer("table", torch.arange(3))
    model.eval()
    mine = copied(model)
    ours, theirs = state(mine), state(copy.deepcopy(model))
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    assert not {p.data_ptr() for p in mine.parameters()} & {p.data_ptr() for p in model.parameters()}
    assert mine.tied is mine.classifier is mine.notes["layer"] is not model.classifier
    assert [*mine.classifier._forward_hooks.values()] == [*model.classifier._forward_hooks.values()]
    assert mine.classifier._forward_hooks is not model.classifier._forward_hooks
    assert mine.notes["sizes"] == [1, 2]
    assert mine.notes["sizes"] is not model.notes["sizes"]
    assert not any(module.training for module in mine.modules())
    ids = torch.tensor([[2, 5, 6, 3]])
    assert torch.equal(mine(ids).logits, model(ids).logits)


def test_tiny_is_the_same_model_in_every_process(tiny: Ref) -> None:
    forget_templates()
    torch.manual_seed(1)
    one = load_template(tiny, TEXT_CLASSIFICATION, 2).pretrained()
    forget_templates()
    torch.manual_seed(2)
    other = load_template(tiny, TEXT_CLASSIFICATION, 2).pretrained()
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("name", ["tiny", "minilm"])
def test_what_was_pretrained_holds_the_body_and_no_head(name: str) -> None:
    template = load_template(resolve(name, MODELS), TEXT_CLASSIFICATION, 2)
    held = template.pretrained()
    assert held.keys() == state(template.model).keys() - HEAD
    assert all(key.startswith("bert.") for key in held)
    assert not any(value.requires_grad for value in held.values())
    model = drawn(template, 0)
    assert all(torch.equal(state(model)[key], value) for key, value in held.items())


def test_a_folder_loads_with_the_weights_it_holds(folder: Callable[[str], Path], tiny: Ref) -> None:
    ref = resolve(str(folder("own")), MODELS)
    template, origin = (load_template(r, TOKEN_CLASSIFICATION, 9) for r in (ref, tiny))
    assert template.fresh == HEAD
    assert all(torch.equal(origin.pretrained()[name], value) for name, value in template.pretrained().items())
    assert load_tokenizer(ref)("some words")["input_ids"] == load_tokenizer(tiny)("some words")["input_ids"]


@pytest.fixture
def classifier(tmp_path: Path, tiny: Ref) -> Ref:
    """A folder of a model that was fine-tuned before, on a task of three labels."""
    saved = drawn(load_template(tiny, TEXT_CLASSIFICATION, 3), 5)
    saved.save_pretrained(tmp_path / "classifier")
    load_tokenizer(tiny).save_pretrained(tmp_path / "classifier")
    return resolve(str(tmp_path / "classifier"), MODELS)


@pytest.mark.parametrize("labels", [2, 3])
def test_a_head_that_was_fine_tuned_before_is_drawn_anew_whether_it_fits_or_not(classifier: Ref, labels: int) -> None:
    template = load_template(classifier, TEXT_CLASSIFICATION, labels)
    assert template.fresh == HEAD
    assert template.missing == (HEAD if labels == 2 else frozenset())
    assert template.pretrained().keys() == state(template.model).keys() - HEAD
    one, other = (state(drawn(template, seed)) for seed in (0, 1))
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"classifier.weight"}
    assert template.new_parts() == "classifier"


def test_a_head_for_spans_has_a_start_and_an_end_whatever_head_the_checkpoint_had(classifier: Ref) -> None:
    template = load_template(classifier, QUESTION_ANSWERING, 0)
    assert dict(template.model.named_parameters())["qa_outputs.weight"].shape[0] == 2


def test_a_head_is_kept_where_that_is_asked_for(classifier: Ref) -> None:
    template = load_template(classifier, TEXT_CLASSIFICATION, 3)
    one, other = (instantiate(template, torch.Generator().manual_seed(seed), keep_head=True) for seed in (0, 1))
    assert all(torch.equal(value, state(other)[name]) for name, value in state(one).items())
    assert torch.equal(one.classifier.weight, template.model.classifier.weight)
    assert template.new_parts(keep_head=True) == "none (head kept)"


def test_a_head_that_is_not_there_cannot_be_kept(classifier: Ref, minilm: Ref) -> None:
    for ref in (classifier, minilm):
        with pytest.raises(
            BadData, match=r"keep_head is True; allowed: False.*lacks classifier.bias, classifier.weight"
        ):
            instantiate(load_template(ref, TEXT_CLASSIFICATION, 2), torch.Generator(), keep_head=True)


def test_an_empty_tokenizer_is_refused(folder: Callable[[str], Path]) -> None:
    # Without a tokenizer's files, transformers makes one up in which every word is the unknown one.
    place = folder("own")
    for path in place.iterdir():
        if path.name not in ("config.json", "model.safetensors"):
            path.unlink()
    with pytest.raises(BadData, match="own' comes without a tokenizer"):
        load_tokenizer(Ref(str(place), "sha256:0"))


@pytest.mark.parametrize("name", ["bert-base-uncased", "roberta-base"])
def test_a_hub_model_that_cannot_be_reached_names_the_ways_out(name: str) -> None:
    ref = resolve(name, MODELS)
    start = time.perf_counter()
    for load in (lambda: load_template(ref, TEXT_CLASSIFICATION, 2), lambda: load_tokenizer(ref)):
        with pytest.raises(Unavailable, match=f"model '{name}' could not be loaded") as caught:
            load()
        assert WAYS_OUT in str(caught.value)
        assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 20


def test_loading_says_nothing_and_leaves_logging_as_it_was(minilm: Ref, capfd: pytest.CaptureFixture[str]) -> None:
    level = logging.getLogger("transformers").level
    forget_templates()
    load_template(minilm, TEXT_CLASSIFICATION, 2)
    assert logging.getLogger("transformers").level == level
    assert capfd.readouterr() == ("", "")


def test_the_tokenizer_is_fast_and_loaded_once(minilm: Ref) -> None:
    tokenizer = load_tokenizer(minilm)
    assert tokenizer.is_fast
    assert load_tokenizer(resolve("minilm", MODELS)) is tokenizer


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("bert", 1),
        ("albert", 1),
        ("roberta", 2),
        ("electra", 2),
        ("distilbert", 2),
        ("deberta-v2", 2),
        ("modernbert", 2),
    ],
)
def test_the_layers_of_a_head_are_counted(families: Any, name: str, layers: int) -> None:
    ref = resolve(str(families.folder(name)), MODELS)
    assert load_template(ref, TEXT_CLASSIFICATION, 2).head_layers == layers
