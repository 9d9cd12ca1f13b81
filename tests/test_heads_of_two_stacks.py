"""Heads for tags and answer spans of T5 and BART: what they stand on and read, and what techniques do with them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor

from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.core.errors import BadData, Unsupported
from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import train_features
from bench_lib.harness.drift import drift
from bench_lib.harness.fitness import model_facts, model_problems
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of, word_embeddings
from bench_lib.models.interventions import embedding_changed
from bench_lib.models.load import instantiate, load_template
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.store import Store
from bench_lib.tasks.formats import QUESTION_ANSWERING, TOKEN_CLASSIFICATION, Format
from bench_lib.techniques import TECHNIQUES
from tests.architectures import HEADS, outcomes_of
from tests.families import drawn, save

CPU = torch.device("cpu")
SMALL = {"train_examples": 6, "eval_examples": 4, "batch_size": 3, "evaluations": 1, "max_length": 100, "stride": 8}
LONG = 512
"""Positions of BART here; the few pieces of these tokenizers take many."""
CASES = [("t5", "conll2003"), ("t5", "squad"), ("bart", "squad")]
SPANS = ["t5", "bart"]
FORMATS: dict[str, Format] = {"conll2003": TOKEN_CLASSIFICATION, "squad": QUESTION_ANSWERING}
NEW = {"conll2003": "classifier", "squad": "qa_outputs"}

ONE_LINE, ONE_LIST, ONE_PLACE = "has no one line of layers", "has no one list of blocks", "embeds a text twice"
OF_SPANS = {
    **dict.fromkeys(("llrd", "freeze_bottom", "gradual_unfreezing", "reinit", "layer_drop"), ONE_LINE),
    **dict.fromkeys(("adapter", "hype", "prune_structured_heads", "lnsr", "lr_drop", "repina"), ONE_LIST),
    **dict.fromkeys(("neftune", "freelb", "r3f", "r4f", "smart"), ONE_PLACE),
    "prefix": "no one cache of keys and values",
    "token_cutoff": "no one input of a first block",
    "tapt": "has a head for words that writes after what the encoder read",
    "scl": "answers have no classes that a batch could share",
    "mixup": "answers of two contexts lie at places of their own",
}
NO_BIAS = "bitfit finds no pre-trained bias"
OF_TAGS = {
    "bitfit": NO_BIAS,
    "adapter": "finds 0 places in 3 blocks and needs 2 in each",
    "prefix": "takes no keys and values from outside and would ignore it",
    "prune_structured_heads": "knows no way to cut heads out of T5ForTokenClassification",
    "tapt": "has a head for words that writes after what the encoder read",
    "mixup": "the words of two sentences have nothing to do with each other place by place",
    "multi_task": "of this model rte and the run's own task read different ones",
}
DECLINED = {
    ("t5", "conll2003"): OF_TAGS,
    ("t5", "squad"): {
        **OF_SPANS,
        "bitfit": NO_BIAS,
        "multi_task": "T5ForQuestionAnswering is its own body, with its head",
    },
    ("bart", "squad"): OF_SPANS,
}
ON_ONE_LINE = (
    "llrd",
    "freeze_bottom",
    "gradual_unfreezing",
    "reinit",
    "layer_drop",
    "hype",
    "scl",
    "repina",
    "lr_drop",
)
ON_EMBEDDINGS = ("neftune", "freelb", "r3f", "smart", "lnsr", "token_cutoff", "fgm", "fgm:scope=example")
ACTING = ("l2_sp", "mixout", "muon", "fgm", "linear_probe", "r_drop", "ia3", "adalora", "prune_magnitude")

POOLS = [technique.name for technique in TECHNIQUES if technique().pools()]

cases = pytest.mark.parametrize(("name", "task"), CASES)


def place_of(families: Any, name: str) -> Path:
    folder: Path = families.folder(name, transformers.AutoModel, f"{name}-long", max_position_embeddings=LONG)
    return folder


@pytest.fixture
def run_of(make_spec: Any, families: Any) -> Callable[..., ResolvedRun]:
    """The run of a stack on a family's tiny model."""

    def run(name: str, task: str, stack: str = "adamw", **changes: Any) -> ResolvedRun:
        model = resolve(str(place_of(families, name)), MODELS)
        return resolve_run(dataclasses.replace(make_spec(task, stack, **SMALL | changes), model=model))

    return run


def logits_of(model: Any, chosen: list[Feature], task_format: Format, pad: int) -> tuple[Tensor, ...]:
    batch, half = collate(chosen, task_format, pad, CPU), torch_half(task_format)
    with torch.no_grad():
        return half.logits(half.forward(model, batch), batch.inputs["attention_mask"])


# ---- where their parts lie -------------------------------------------------------------------------------------------


def test_t5_tags_by_its_encoder_alone_which_is_one_stack(families: Any) -> None:
    model = families.model("t5", transformers.AutoModelForTokenClassification)
    architecture = architecture_of(model)
    assert (architecture.depth, architecture.layers, architecture.encoder, architecture.causal) == (3, 3, 0, False)
    assert architecture.block_list == "transformer.encoder.block"
    assert model.get_submodule(architecture.embeddings) is word_embeddings(model)
    architecture.need_separate_layers("llrd")
    layers = {n: architecture.layer_index(n) for n, _ in model.named_parameters()}
    expected = {
        "transformer.shared.weight": 0,
        "transformer.encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight": 1,
        "transformer.encoder.block.2.layer.1.DenseReluDense.wo.weight": 3,
        "transformer.encoder.final_layer_norm.weight": 3,
        "classifier.weight": 4,
    }
    assert layers | expected == layers
    assert {*layers.values()} == {*range(5)}
    assert {n: architecture.layer_index(f"base_model.model.{n}") for n in layers} == layers


@pytest.mark.parametrize("name", SPANS)
def test_answer_spans_have_the_layers_of_the_classifier(families: Any, name: str) -> None:
    """T5 is its own body here, so that its names have no prefix."""
    one = families.model(name)
    other = families.model(name, transformers.AutoModelForQuestionAnswering)
    prefix, architecture = f"{one.base_model_prefix}.", architecture_of(other)
    assert (architecture.depth, architecture.encoder) == (5, 3)
    expected = {n.removeprefix(prefix): architecture_of(one).layer_index(n) for n, _ in one.named_parameters()}
    expected = {n: layer for n, layer in expected.items() if "classification_head" not in n}
    names = [n for n, _ in other.named_parameters() if not n.startswith("qa_outputs.")]
    assert {n.removeprefix(prefix): architecture.layer_index(n) for n in names} == expected
    assert [architecture.layer_index(f"base_model.model.{n}") for n in names] == [*map(architecture.layer_index, names)]
    for head in ("qa_outputs.weight", "base_model.model.qa_outputs.modules_to_save.default.bias"):
        assert architecture.layer_index(head) == 6
        assert not architecture.in_body(head)
    assert all(architecture.is_pretrained(n) and architecture.in_body(n) == n for n in names)


def test_what_changes_embeddings_reaches_what_t5s_encoder_reads(families: Any) -> None:
    """Its encoder has a table of its own, with the weight of the one that the model names."""
    model = families.model("t5", transformers.AutoModelForTokenClassification)
    ids = families.tokenizer("t5")("the film is good", return_tensors="pt")["input_ids"]
    seen: list[Tensor] = []

    def zero(embedded: Tensor) -> Tensor:
        seen.append(embedded)
        return embedded * 0

    plain = model(ids).logits
    with embedding_changed(model, zero):
        changed = model(ids).logits
    assert len(seen) == 1
    assert torch.equal(seen[0], model.transformer.shared(ids))
    assert not torch.allclose(changed, plain)
    assert torch.allclose(changed, changed[:, :1].expand_as(changed), atol=1e-5)
    assert torch.equal(model(ids).logits, plain)


# ---- what is read ----------------------------------------------------------------------------------------------------


@cases
@pytest.mark.parametrize("stack", ["adamw", "lora"])
def test_padding_changes_no_logits(run_of: Any, name: str, task: str, stack: str) -> None:
    """Alone or in a batch, at each token of the text."""
    run = run_of(name, task, stack)
    training = prepared(run, CPU)
    for part, parameter in training.model.named_parameters():
        if "lora_B" in part:
            with torch.no_grad():
                parameter.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
    features = sorted(train_features(run.key, run.subset), key=len)
    features = [features[0], *features[-3:]]
    assert len(features[0]) < len(features[-1])
    model, pad = training.model.eval(), int(run.key.tokenizer().pad_token_id)
    together = logits_of(model, features, run.task.format, pad)
    for row, feature in enumerate(features):
        alone = logits_of(model, [feature], run.task.format, pad)
        for one, all_rows in zip(alone, together, strict=True):
            torch.testing.assert_close(one[0], all_rows[row, : len(feature)], rtol=0, atol=1e-5)
            if task == "squad":
                assert all_rows[row, len(feature) :].isneginf().all()


@pytest.mark.parametrize("name", SPANS)
def test_spans_are_transformers_own(run_of: Any, name: str) -> None:
    """With its own shift of the text for the decoder."""
    run = run_of(name, "squad")
    model = load_template(run.spec.model, QUESTION_ANSWERING, 0).model.eval()
    feature, pad = train_features(run.key, run.subset)[0], int(run.key.tokenizer().pad_token_id)
    ids = torch.tensor(feature.input_ids)[None]
    begun = torch.cat((ids.new_tensor([[model.config.decoder_start_token_id]]), ids[:, :-1]), dim=1)
    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=torch.ones_like(ids), decoder_input_ids=begun)
    found = logits_of(model, [feature], QUESTION_ANSWERING, pad)
    torch.testing.assert_close(found[0], expected.start_logits, rtol=0, atol=1e-5)
    torch.testing.assert_close(found[1], expected.end_logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", SPANS)
def test_no_answer_is_the_end_of_the_text_and_never_a_word(run_of: Any, name: str) -> None:
    """T5's texts begin with a word of the question, and a decoder's first place has read nothing of the text."""
    run = run_of(name, "squad")
    features, tokenizer = run.key.encode(run.data.train), run.key.tokenizer()
    without = 0
    for feature in features:
        assert feature.input_ids[feature.row] == tokenizer.eos_token_id
        assert feature.special[feature.row]
        assert feature.row == len(feature) - 1
        assert feature.row not in feature.spots
        assert not feature.special[feature.spots].any()
        answered = feature.targets[0] in feature.spots and feature.targets[1] in feature.spots
        without += not answered
        assert answered or feature.targets.tolist() == [feature.row] * 2
    assert 0 < without < len(features)
    found = torch_half(QUESTION_ANSWERING).read(np.arange(len(features[0]))[:, None].repeat(2, 1), features[0])
    assert found[:, 0].tolist() == [*features[0].spots, features[0].row]


def test_the_tag_of_a_word_is_read_from_its_first_token(run_of: Any) -> None:
    run = run_of("t5", "conll2003")
    example = run.data.train[1]
    (feature,) = run.key.encode([example])
    tokens = run.key.tokenizer().convert_ids_to_tokens(feature.input_ids[feature.spots].tolist())
    assert len(tokens) == len(example.words)
    assert feature.places.tolist() == [*range(len(example.words))]
    assert feature.targets[feature.spots].tolist() == list(example.tags)
    assert feature.special.nonzero()[0].tolist() == [len(feature) - 1]


# ---- what is loaded --------------------------------------------------------------------------------------------------


@cases
def test_a_writers_checkpoint_gives_the_body_and_the_head_is_drawn(families: Any, name: str, task: str) -> None:
    folder = families.folder(name, transformers.AutoModelForSeq2SeqLM, f"{name}-writer")
    ref, held = resolve(str(folder), MODELS), load_file(folder / "model.safetensors")
    template = load_template(ref, FORMATS[task], 9)
    head = {n for n, _ in template.model.named_parameters() if n.startswith(f"{NEW[task]}.")}
    assert template.fresh == template.missing == head == {f"{NEW[task]}.weight", f"{NEW[task]}.bias"}
    assert (template.new_parts(), template.head_layers) == (NEW[task], 1)
    own = {n.removeprefix("model.").removeprefix("transformer."): p for n, p in template.pretrained().items()}
    known = {n.removeprefix("model."): tensor for n, tensor in held.items()}
    assert all(torch.equal(p, known[n]) for n, p in own.items())
    assert any(n.startswith("decoder.") for n in own) == (task == "squad")
    one, same, other = (instantiate(template, torch.Generator().manual_seed(seed)).state_dict() for seed in (0, 0, 1))
    weight = f"{NEW[task]}.weight"
    assert torch.equal(one[weight], same[weight])
    assert not torch.equal(one[weight], other[weight])
    assert all(torch.equal(one[n], other[n]) for n in one if n not in head)


@pytest.mark.parametrize("task", NEW)
def test_a_later_t5_leaves_its_head_for_words_behind(families: Any, tmp_path: Path, task: str) -> None:
    """Gated, with a head of its own, and with the words a second time, as some checkpoints hold them."""
    folder = tmp_path / "later"
    gated = {"feed_forward_proj": "gated-gelu"}
    shutil.copytree(families.folder("t5", transformers.AutoModelForSeq2SeqLM, "t5-gated-writer", **gated), folder)
    place, weights = folder / "config.json", load_file(folder / "model.safetensors")
    config = json.loads(place.read_text(encoding="utf-8"))
    config.pop("scale_decoder_outputs", None)
    place.write_text(json.dumps({**config, "tie_word_embeddings": False}), encoding="utf-8")
    words = weights["shared.weight"]
    weights |= {"lm_head.weight": words + 1.0, "encoder.embed_tokens.weight": words.clone()}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    template = load_template(resolve(str(folder), MODELS), FORMATS[task], 9)
    assert template.fresh == {f"{NEW[task]}.weight", f"{NEW[task]}.bias"}
    assert torch.equal(word_embeddings(template.model).get_parameter("weight"), words)
    gate = next(
        p for n, p in template.pretrained().items() if n.endswith("encoder.block.2.layer.1.DenseReluDense.wi_1.weight")
    )
    assert torch.equal(gate, weights["encoder.block.2.layer.1.DenseReluDense.wi_1.weight"])


def test_t5s_encoder_alone_tags_and_finds_no_spans(families: Any, tmp_path: Path) -> None:
    save(drawn(transformers.T5EncoderModel, families.config("t5")), tmp_path)
    families.tokenizer("t5").save_pretrained(tmp_path)
    ref = resolve(str(tmp_path), MODELS)
    assert load_template(ref, TOKEN_CLASSIFICATION, 9).fresh == {"classifier.weight", "classifier.bias"}
    with pytest.raises(BadData, match="does not hold the body whole, without decoder"):
        load_template(ref, QUESTION_ANSWERING, 0)


@cases
def test_a_checkpoint_without_a_block_is_refused(families: Any, tmp_path: Path, name: str, task: str) -> None:
    folder = tmp_path / "less"
    shutil.copytree(place_of(families, name), folder)
    lost = {"t5": "encoder.block.1.", "bart": "encoder.layers.1."}[name]
    weights = {n: tensor for n, tensor in load_file(folder / "model.safetensors").items() if not n.startswith(lost)}
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(BadData, match=f"does not hold the body whole, without .*{lost}"):
        load_template(resolve(str(folder), MODELS), FORMATS[task], 9)


def test_bart_has_no_head_for_tags(families: Any) -> None:
    facts = model_facts(resolve(str(place_of(families, "bart")), MODELS), TOKEN_CLASSIFICATION, 9)
    assert facts.problems[0].endswith("(bart) has no head for tokens tasks")


def test_spans_of_other_encoder_decoders_are_refused_by_name(families: Any) -> None:
    config = transformers.MBartConfig(
        d_model=8,
        encoder_layers=1,
        decoder_layers=1,
        vocab_size=20,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
    )
    model = drawn(transformers.AutoModelForQuestionAnswering, config)
    with pytest.raises(Unsupported, match="models of answer spans and writers of texts of the families bart, t5"):
        architecture_of(model)


# ---- runs ------------------------------------------------------------------------------------------------------------


@cases
def test_a_run_trains_every_block(run_of: Any, name: str, task: str) -> None:
    run = run_of(name, task)
    (record,) = execute([run.spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert model_problems(run.spec.model, run.task.format, len(run.task.labels), run.spec.profile) == []
    assert len(record.drift) == {"conll2003": 4, "squad": 6}[task]
    assert all(moved > 0 for moved in record.drift)
    assert drift(prepared(run, CPU)) == (0.0,) * len(record.drift)
    assert (record.provenance["new_parameters"], record.provenance["head_layers"]) == (NEW[task], "1")


@cases
@pytest.mark.parametrize("stack", ["adamw", "lora"])
def test_a_run_learns(run_of: Any, name: str, task: str, stack: str) -> None:
    learns = {"train_examples": 12, "epochs": 6, "batch_size": 4, "learning_rate": 1e-2}
    with_rate = {"adamw": "adamw", "lora": "lora:learning_rate=0.03"}[stack]
    (record,) = execute([run_of(name, task, with_rate, **learns).spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert sum(record.curve.loss[-3:]) / 3 < 0.9 * sum(record.curve.loss[:3]) / 3


@cases
def test_the_command_line_runs_it(families: Any, tmp_path: Path, name: str, task: str) -> None:
    profile = "smoke:train_examples=4:eval_examples=4:max_length=200:stride=16"
    store, grid = str(tmp_path / "results"), ["--tasks", task, "--techniques", "adamw,lora", "--seeds", "0"]
    place = str(place_of(families, name))
    asked = ["--data", "embedded", "--profile", profile, "--model", place, "--store", store]
    assert main(["run", *grid, *asked]) == DONE
    runs = Store(tmp_path / "results").frame()
    assert sorted(runs.technique) == ["adamw", "lora"]
    assert {*runs.status} <= {"converged", "collapsed"}


@cases
@pytest.mark.parametrize("change", [{"gradient_checkpointing": True}, {"precision": "bf16"}])
def test_blocks_computed_again_and_half_precision(run_of: Any, name: str, task: str, change: dict[str, Any]) -> None:
    plain, changed = (execute([run_of(name, task, **each).spec])[0] for each in ({}, change))
    assert changed.status in ("converged", "collapsed"), changed.reason
    if "precision" in change:
        assert changed.curve.loss == pytest.approx(plain.curve.loss, rel=0.05)
        return
    assert (changed.score, changed.curve.loss, changed.drift) == (plain.score, plain.curve.loss, plain.drift)


def test_tags_are_attacked_and_spans_refuse_before_the_training(run_of: Any) -> None:
    (record,) = execute([run_of("t5", "conll2003", attack=1.0, perturb=0.5).spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.robustness.adversarial is not None
    for name in SPANS:
        (record,) = execute([run_of(name, "squad", attack=1.0).spec])
        assert (record.status, record.cost.steps) == ("unsupported", 0)
        assert "no one place of embeddings to attack" in record.reason


# ---- techniques ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "task", "stack"),
    [
        pytest.param(*case, stack, marks=[pytest.mark.exhaustive] * (case == ("bart", "squad")))
        for case in CASES
        for stack in DECLINED[case]
    ],
)
def test_what_does_not_fit_declines(run_of: Any, name: str, task: str, stack: str) -> None:
    written = "multi_task:tasks=rte" if stack == "multi_task" else stack
    (record,) = execute([run_of(name, task, written).spec])
    assert record.status == "unsupported", record.reason
    assert DECLINED[name, task][stack] in record.reason


@cases
@pytest.mark.parametrize("stack", ACTING)
def test_what_fits_acts(run_of: Any, name: str, task: str, stack: str) -> None:
    (record,) = execute([run_of(name, task, stack).spec])
    assert record.status in ("converged", "collapsed"), record.reason


@pytest.mark.parametrize("stack", [*ON_ONE_LINE, *ON_EMBEDDINGS])
def test_what_needs_one_stack_changes_a_run_of_tags(run_of: Any, stack: str) -> None:
    """Against the baseline: what reached no part of the model would change nothing."""
    changes = {"dropout": 0.1, "epochs": 2, "learning_rate": 1e-3}
    plain, changed = (execute([run_of("t5", "conll2003", each, **changes).spec])[0] for each in ("adamw", stack))
    assert changed.status in ("converged", "collapsed"), changed.reason
    if stack == "layer_drop":  # after the training
        assert not np.array_equal(changed.predictions.values, plain.predictions.values)
        return
    assert changed.curve.loss != plain.curve.loss


def test_lora_changes_the_blocks_that_read(run_of: Any) -> None:
    for (name, task), places in zip(CASES, (6, 14, 14), strict=True):
        training = prepared(run_of(name, task, "lora"), CPU)
        trained = {n for n, p in training.model.named_parameters() if p.requires_grad}
        assert sum(".lora_A." in n for n in trained) == places
        assert {training.architecture.block_of(n) for n in trained if ".lora_" in n} == {
            *range(training.architecture.depth)
        }
        assert {n.partition(".modules_to_save.")[0].rpartition(".")[2] for n in trained if ".lora_" not in n} == {
            NEW[task]
        }


@cases
def test_what_another_task_taught_is_handed_over(run_of: Any, name: str, task: str) -> None:
    """From a class that names its body differently, or has a decoder that the run's own lacks."""
    changes = {"learning_rate": 1e-9, "dropout": 0.0}
    taught, plain = (
        execute([run_of(name, task, stack, **changes).spec])[0]
        for stack in ("intermediate_task:task=sst2:learning_rate=0.01:epochs=1", "adamw")
    )
    assert taught.status in ("converged", "collapsed"), taught.reason
    assert all(moved > 1e-4 for moved in taught.drift)
    assert all(moved < 1e-4 for moved in plain.drift)


def test_tasks_share_a_body_of_equal_stacks_alone(run_of: Any) -> None:
    (shared,) = execute([run_of("bart", "squad", "multi_task:tasks=rte").spec])
    assert shared.status in ("converged", "collapsed"), shared.reason
    (other,) = execute([run_of("t5", "rte", "multi_task:tasks=conll2003").spec])
    assert other.status == "unsupported"
    assert "one the encoder alone, the other the encoder and the decoder" in other.reason


@pytest.mark.exhaustive
@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("technique", [name for name in TECHNIQUES.names() if name not in POOLS])
def test_every_technique_acts_or_says_why_not(families: Any, head: str, technique: str) -> None:
    name, task_format = HEADS[head]
    reasons = DECLINED[name, task_format.sample_task]
    found = outcomes_of([technique], families, [head])[technique][head]
    if TECHNIQUES.get(technique)().declines(task_format) is not None:
        assert f"{technique} declines {task_format} tasks: " in found
    elif technique in reasons:
        known = reasons[technique].replace("T5ForTokenClassification", "the model")
        assert known.replace("T5ForQuestionAnswering", "the model").replace("rte", "imdb") in found
    else:
        assert found == ""


@pytest.mark.exhaustive
@cases
def test_what_pools_seeds_runs_or_says_why_not(families: Any, tmp_path: Path, name: str, task: str) -> None:
    stacks = ",".join(f"{pool}:members=2" for pool in POOLS)
    profile = "smoke:train_examples=16:evaluations=4:eval_examples=4:max_length=200:stride=16"
    grid = ["--tasks", task, "--techniques", f"adamw,{stacks}", "--seeds", "0-1", "--data", "embedded"]
    place, store = str(place_of(families, name)), str(tmp_path / "results")
    assert main(["run", *grid, "--profile", profile, "--model", place, "--store", store]) == DONE
    runs = Store(tmp_path / "results").frame()
    found = {pool: {*runs.status[runs.technique.str.partition(":")[0] == pool]} for pool in POOLS}
    assert all(found.values())
    declines = {pool for pool in POOLS if TECHNIQUES.get(pool)().declines(FORMATS[task]) is not None}
    assert {pool for pool, status in found.items() if status == {"unsupported"}} == declines
    assert all(found[pool] <= {"converged", "collapsed"} for pool in POOLS if pool not in declines)
