"""T5 and BART, tiny and random: where their two stacks lie, what is read of a text, what techniques do with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
import torch
import transformers
from torch import Tensor

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.core.spec import Ref
from bench_lib.harness.batches import collate
from bench_lib.harness.drift import drift
from bench_lib.harness.fitness import model_problems
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of
from bench_lib.models.interventions import embedding_changed
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.models.stacks import check_ends, mark_ends
from bench_lib.models.word_head import word_head
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.tasks.sources.load import load_data
from tests.families import TWO_STACKS

SMALL = {"train_examples": 6, "eval_examples": 4, "batch_size": 3, "evaluations": 1, "max_length": 60}
LAYERS = {
    "bart": {
        "model.shared.weight": 0,
        "model.encoder.embed_positions.weight": 0,
        "model.encoder.layernorm_embedding.weight": 0,
        "model.decoder.layernorm_embedding.weight": 0,
        "model.encoder.layers.0.fc1.weight": 1,
        "model.encoder.layers.2.final_layer_norm.weight": 3,
        "model.decoder.layers.0.encoder_attn.q_proj.weight": 4,
        "model.decoder.layers.1.fc2.weight": 5,
        "classification_head.dense.weight": 6,
    },
    "t5": {
        "transformer.shared.weight": 0,
        "transformer.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": 1,
        "transformer.encoder.final_layer_norm.weight": 3,
        "transformer.decoder.block.0.layer.1.EncDecAttention.q.weight": 4,
        "transformer.decoder.final_layer_norm.weight": 5,
        "classification_head.out_proj.weight": 6,
    },
}
ONE_LINE, ONE_LIST, ONE_PLACE = "has no one line of layers", "has no one list of blocks", "embeds a text twice"
DECLINED = {
    **dict.fromkeys(("llrd", "freeze_bottom", "gradual_unfreezing", "reinit", "layer_drop"), ONE_LINE),
    **dict.fromkeys(("adapter", "scl", "mixup", "hype", "prune_structured_heads"), ONE_LIST),
    **dict.fromkeys(("neftune", "freelb", "r3f", "smart"), ONE_PLACE),
    "prefix": "no one cache of keys and values",
    "token_cutoff": "no one input of a first block",
    "tapt": "has a head for words that writes after what the encoder read",
}
ACTING = (
    "l2_sp",
    "mixout",
    "muon",
    "fgm",
    "ln_only",
    "linear_probe",
    "r_drop",
    "lora",
    "ia3",
    "adalora",
    "prune_magnitude",
    "multi_task",
)

EMBEDDED = ("stsb", "go_emotions")
"""Tasks whose corpus is the embedded one."""

each = pytest.mark.parametrize("name", TWO_STACKS)


@pytest.fixture
def run_of(make_spec: Any, families: Any) -> Callable[..., ResolvedRun]:
    """The run of a stack on a family's tiny model."""

    def run(name: str, task: str = "sst2", stack: str = "adamw", **changes: Any) -> ResolvedRun:
        model = resolve(str(families.folder(name)), MODELS)
        spec = dataclasses.replace(
            make_spec("sst2" if task in EMBEDDED else task, stack, **SMALL | changes), model=model
        )
        if task in EMBEDDED:
            found = TASKS.get(task)
            data = Ref("embedded", load_data(found, "embedded").fingerprint)
            spec = dataclasses.replace(spec, task=task, task_version=found.version, data=data)
        return resolve_run(spec)

    return run


@each
def test_the_decoders_blocks_follow_the_encoders(families: Any, name: str) -> None:
    model = families.model(name)
    architecture = architecture_of(model)
    assert (architecture.depth, architecture.layers, architecture.encoder) == (5, 5, 3)
    layers = {n: architecture.layer_index(n) for n, _ in model.named_parameters()}
    assert layers | LAYERS[name] == layers
    assert {*layers.values()} == {*range(7)}
    assert {n: architecture.layer_index(f"base_model.model.{n}") for n in layers} == layers
    for number in range(architecture.depth):
        (block,) = architecture.block(number)
        own = {n for n in layers if n.startswith(f"{block}.")}
        beside = {n for n, layer in layers.items() if layer == number + 1} - own
        assert own
        assert {n.rpartition(".")[0] for n in beside} <= {
            "transformer.encoder.final_layer_norm",
            "transformer.decoder.final_layer_norm",
        }


@each
def test_parts_of_one_stack_are_refused(families: Any, name: str) -> None:
    model = families.model(name)
    architecture = architecture_of(model)
    for part in ("block_list", "embeddings"):
        with pytest.raises(Unsupported, match="a body of two stacks has no one"):
            getattr(architecture, part)
    with pytest.raises(Unsupported, match=ONE_PLACE), embedding_changed(model, lambda e: e):
        pass
    with pytest.raises(Unsupported, match="two stacks has a head for words that writes after"):
        word_head(resolve(str(families.folder(name)), MODELS))


@each
@pytest.mark.parametrize("task", ["sst2", "rte", "stsb", "go_emotions"])
def test_padding_changes_no_logits(run_of: Any, name: str, task: str) -> None:
    """Alone or in a batch, a text has the same logits, which come from the end of the text alone."""
    run = run_of(name, task)
    texts = [
        dataclasses.replace(example, text=example.text[: 4 + 9 * number], pair=example.pair and example.pair[:9])
        for number, example in enumerate(run.data.train[:4])
    ]
    features = sorted(run.key.encode(texts), key=len)
    assert len(features[0]) < len(features[-1])
    model = load_template(run.spec.model, run.task.format, len(run.task.labels)).model.eval()
    pad = int(run.key.tokenizer().pad_token_id)

    def logits(chosen: list[Feature]) -> Tensor:
        batch = collate(chosen, run.task.format, pad, torch.device("cpu"))
        with torch.no_grad():
            return torch_half(run.task.format).logits(model(**batch.inputs), batch.inputs["attention_mask"])[0]

    together = logits(features)
    for row, feature in enumerate(features):
        torch.testing.assert_close(logits([feature])[0], together[row], rtol=0, atol=1e-5)
        assert feature.row == feature.spots[0] == len(feature) - 1
    assert not torch.allclose(together[0], together[-1], atol=1e-4)


@each
def test_a_class_depends_on_both_stacks(families: Any, name: str) -> None:
    model = load_template(resolve(str(families.folder(name)), MODELS), TEXT_CLASSIFICATION, 2).model.eval()
    ids = families.tokenizer(name)("the film is good", return_tensors="pt")["input_ids"]
    model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits.sum().backward()
    architecture = architecture_of(model)
    assert architecture.encoder == 3
    for number in range(architecture.depth):
        (block,) = architecture.block(number)
        assert any(bool(p.grad.any()) for p in model.get_submodule(block).parameters() if p.grad is not None)


@each
@pytest.mark.parametrize("task", ["sst2", "rte"])
def test_a_run_trains_every_block(run_of: Any, name: str, task: str) -> None:
    run = run_of(name, task)
    (record,) = execute([run.spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert model_problems(run.spec.model, run.task.format, len(run.task.labels), run.spec.profile) == []
    assert len(record.drift) == 6
    assert all(moved > 0 for moved in record.drift)
    assert drift(prepared(run, torch.device("cpu"))) == (0.0,) * 6


@each
@pytest.mark.parametrize("stack", DECLINED)
def test_what_needs_one_stack_declines(run_of: Any, name: str, stack: str) -> None:
    (record,) = execute([run_of(name, stack=stack).spec])
    assert record.status == "unsupported", record.reason
    assert DECLINED[stack] in record.reason


@each
@pytest.mark.parametrize("stack", ACTING)
def test_what_does_not_acts(run_of: Any, name: str, stack: str) -> None:
    written = "multi_task:tasks=rte" if stack == "multi_task" else stack
    (record,) = execute([run_of(name, stack=written).spec])
    assert record.status in ("converged", "collapsed"), record.reason


@each
def test_an_attack_is_refused_before_the_training(run_of: Any, name: str) -> None:
    (record,) = execute([run_of(name, attack=1.0).spec])
    assert (record.status, record.cost.steps) == ("unsupported", 0)
    assert "no one place of embeddings to attack" in record.reason


@each
def test_a_text_that_holds_the_end_of_a_text_is_refused(run_of: Any, name: str) -> None:
    run = run_of(name)
    whole, other = run.data.train[:2]
    broken = dataclasses.replace(other, text=f"the film </s> {other.text}")
    with pytest.raises(Unsupported, match="text 1 of 2 holds '</s>', by which this model's head finds the end"):
        run.key.encode([whole, broken])


def test_a_tokenizer_without_an_end_is_refused_and_others_have_none_to_check(families: Any) -> None:
    with pytest.raises(BadData, match="model 'here': its tokenizer does not end a text by its end-of-text token"):
        mark_ends(families.tokenizer("llama"), "here")
    check_ends(families.tokenizer("bert"), [[1], [2, 2]])


def test_t5s_decoder_begins_with_the_padding(families: Any) -> None:
    model = load_template(resolve(str(families.folder("t5")), MODELS), TEXT_CLASSIFICATION, 2).model
    assert isinstance(model, transformers.T5ForSequenceClassification)
    assert (model.config.decoder_start_token_id, model.config.eos_token_id, model.config.use_cache) == (0, 1, False)
