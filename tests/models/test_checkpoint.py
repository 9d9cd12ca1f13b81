from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.core.spec import Ref
from bench_lib.models import MODELS
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.tasks.formats import FORMATS, QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, Format

FAMILIES = ["bert", "roberta", "xlm-r", "distilbert", "electra", "albert", "deberta-v2", "deberta", "mpnet"]
FAMILIES += ["modernbert", "nomic"]
PRE_TRAINING = dict.fromkeys(("modernbert", "nomic"), transformers.AutoModelForMaskedLM)
Weights = dict[str, Tensor]


@pytest.fixture
def broken(families: Any, tmp_path: Path) -> Callable[..., Ref]:
    """A folder like BERT's with other weights, and other settings."""

    def make(change: Callable[[Weights], Weights] = dict, family: str = "bert", **settings: Any) -> Ref:
        folder = tmp_path / "own"
        shutil.copytree(families.folder(family), folder)
        weights = change(load_file(folder / "model.safetensors"))
        save_file(
            {name: tensor.clone() for name, tensor in weights.items()}, folder / "model.safetensors", {"format": "pt"}
        )
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps({**config, **settings}))
        return resolve(str(folder), MODELS)

    return make


def renamed(weights: Weights) -> Weights:
    return {name.replace("encoder.layer", "encoder.block"): tensor for name, tensor in weights.items()}


def halved(weights: Weights) -> Weights:
    return {name: tensor for name, tensor in weights.items() if ".layer.1." not in name}


def spoilt(weights: Weights) -> Weights:
    name = "encoder.layer.0.output.dense.weight"
    return {**weights, name: torch.full_like(weights[name], torch.nan)}


@pytest.mark.parametrize("task_format", [each for each in FORMATS if not each.writes_text], ids=str)
@pytest.mark.parametrize(
    ("change", "settings", "expected"),
    [
        (
            renamed,
            {},
            r"without bert\.encoder\.layer\.0\.attention\..* and 29 more; it has other names, such as .*encoder\.block",
        ),
        (halved, {}, r"without bert\.encoder\.layer\.1\..* and 13 more; config\.json describes more than is there"),
        (
            dict,
            {"num_hidden_layers": 3},
            r"without bert\.encoder\.layer\.2\..*describes more than is there, such as more lay",
        ),
        (
            dict,
            {"intermediate_size": 48},
            r"differ in .*intermediate\.dense\..*: \(24(, 16|,)\) there, \(48(, 16|,)\) here",
        ),
        (dict, {"num_hidden_layers": 1}, r"holds more than config\.json describes, .*encoder\.layer\.1\..*and 13 more"),
        (spoilt, {}, r"not finite in bert\.encoder\.layer\.0\.output\.dense\.weight$"),
    ],
)
def test_a_body_that_is_not_loaded_whole_is_refused(
    broken: Callable[..., Ref],
    task_format: Format,
    change: Callable[[Weights], Weights],
    settings: dict[str, int],
    expected: str,
) -> None:
    with pytest.raises(BadData, match=expected) as caught:
        load_template(broken(change, **settings), task_format, 3)
    assert "own" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_pooler_that_is_not_there_is_drawn_with_the_head(broken: Callable[..., Ref]) -> None:
    ref = broken(lambda weights: {name: tensor for name, tensor in weights.items() if "pooler" not in name})
    template = load_template(ref, TEXT_CLASSIFICATION, 2)
    assert template.missing == template.fresh
    assert {name.rpartition(".")[0] for name in template.fresh} == {"classifier", "bert.pooler.dense"}
    assert template.new_parts() == "classifier, pooler"
    assert load_template(ref, TOKEN_CLASSIFICATION, 2).new_parts() == "classifier"


@pytest.mark.parametrize("name", FAMILIES)
def test_a_checkpoint_of_pre_training_loads_whole_and_its_old_head_counts_for_nothing(families: Any, name: str) -> None:
    auto = PRE_TRAINING.get(name, transformers.AutoModelForPreTraining)
    folder = families.folder(name, auto, f"{name}-pre-training")
    held = families.model(name, auto).state_dict()
    for task_format in (TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION):
        template = load_template(resolve(str(folder), MODELS), task_format, 3)
        body = f"{template.model.base_model_prefix}."
        assert all(key.startswith(body) for key in template.pretrained())
        missing = template.pretrained().keys() - held.keys()
        assert not missing, missing
        assert all(torch.equal(tensor, held[key]) for key, tensor in template.pretrained().items())
        outside = {n for n, _ in template.model.named_parameters() if not n.startswith(body)}
        assert outside <= template.fresh


def test_answer_spans_of_a_decoder_start_from_its_language_model(families: Any) -> None:
    """Its class calls the body `transformer`, where the checkpoint says `model`."""
    folder = families.folder("llama", transformers.AutoModelForCausalLM, "llama-lm")
    template, held = (
        load_template(resolve(str(folder), MODELS), QUESTION_ANSWERING, 0),
        load_file(folder / "model.safetensors"),
    )
    assert template.fresh == {"qa_outputs.weight", "qa_outputs.bias"}
    found = template.pretrained()
    assert len(found) == len([name for name in held if name.startswith("model.")])
    for name, tensor in found.items():
        assert torch.equal(tensor, held[name.replace("transformer.", "model.", 1)]), name


@pytest.mark.parametrize(
    ("make", "task_format"), [("BartConfig", TOKEN_CLASSIFICATION), ("OPTConfig", TOKEN_CLASSIFICATION)]
)
def test_a_model_without_a_head_of_the_kind_is_told_before_its_weights_are_read(
    tmp_path: Path, make: str, task_format: Format
) -> None:
    config = getattr(transformers, make)()
    config.save_pretrained(tmp_path)
    with pytest.raises(Unsupported, match=rf"\({config.model_type}\) has no head for tokens tasks"):
        load_template(Ref(str(tmp_path), "sha256:0"), task_format, 9)


def test_a_tokenizer_without_padding_is_refused(families: Any, tmp_path: Path) -> None:
    from bench_lib.models.load import load_tokenizer

    shutil.copytree(families.folder("modernbert"), tmp_path / "own")
    for name in ("tokenizer_config.json", "special_tokens_map.json"):
        path = tmp_path / "own" / name
        if path.exists():
            held = json.loads(path.read_text())
            held.pop("pad_token", None)
            path.write_text(json.dumps(held))
    with pytest.raises(BadData, match="has no padding token; name one as pad_token"):
        load_tokenizer(Ref(str(tmp_path / "own"), "sha256:0"))
