"""Causal decoders as bodies: what is read where, padding that changes nothing, and what techniques do with them."""

from __future__ import annotations

import copy
import dataclasses
import functools
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers.pytorch_utils import Conv1D

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import train_features
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import IGNORED, Batch, Feature
from bench_lib.harness.pretraining import StudyLoop
from bench_lib.harness.prompted import encode_prompts
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of, is_causal
from bench_lib.models.causal import fit_tokenizer, make_linear
from bench_lib.models.initialisation import adds_one, initialise
from bench_lib.models.load import load_template
from bench_lib.models.prompted import spaced
from bench_lib.models.source import resolve
from bench_lib.models.word_head import word_head
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques.data.lm_bff import LMBFF
from bench_lib.techniques.data.mixup import Mixup
from bench_lib.techniques.data.token_cutoff import TokenCutoff
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.attention_heads import attentions
from bench_lib.techniques.toolkit.layouts import SplitProjection, separate
from tests.families import DECODERS, FAMILIES, config_of

BODIES = {
    "llama": ("model.embed_tokens", "model.layers", {"model.norm.weight": 2}),
    "gpt2": ("transformer.wte transformer.wpe", "transformer.h", {"transformer.ln_f.weight": 2}),
    "gpt-neox": ("gpt_neox.embed_in", "gpt_neox.layers", {"gpt_neox.final_layer_norm.weight": 2}),
    "opt": (
        "model.decoder.embed_tokens model.decoder.embed_positions",
        "model.decoder.layers",
        {
            "model.decoder.project_in.weight": 0,
            "model.decoder.project_out.weight": 2,
            "model.decoder.final_layer_norm.weight": 2,
        },
    ),
    "qwen2": ("model.embed_tokens", "model.layers", {"model.norm.weight": 2}),
    "qwen3": ("model.embed_tokens", "model.layers", {"model.norm.weight": 2}),
    "mistral": ("model.embed_tokens", "model.layers", {"model.norm.weight": 2}),
    "gemma": ("model.embed_tokens", "model.layers", {"model.norm.weight": 2}),
    "gemma3": ("model.embed_tokens", "model.layers", {"model.norm.weight": 2}),
    "phi": ("model.embed_tokens", "model.layers", {"model.final_layernorm.weight": 2}),
}
"""The embeddings, the blocks, and what stands beside them with its layer."""
HEADLESS = {("opt", "conll2003"), ("gemma", "squad"), ("gemma3", "conll2003"), ("gemma3", "squad"), ("phi", "squad")}
"""Formats for which transformers has no head."""
TASK_NAMES = ("sst2", "rte", "conll2003", "squad")
HEADED = [(name, task) for name in DECODERS for task in TASK_NAMES if (name, task) not in HEADLESS]
SMALL = {"train_examples": 6, "eval_examples": 4, "batch_size": 3, "evaluations": 1, "max_length": 44, "stride": 4}

headed = pytest.mark.parametrize(("name", "task"), HEADED)
each = pytest.mark.parametrize("name", DECODERS)


@pytest.fixture
def run_of(make_spec: Any, families: Any) -> Any:
    """The run of a stack on a family's tiny model."""

    def run(name: str, task: str, stack: str = "adamw", **changes: Any) -> ResolvedRun:
        model = resolve(str(families.folder(name)), MODELS)
        return resolve_run(dataclasses.replace(make_spec(task, stack, **SMALL | changes), model=model))

    return run


def features_of(run: ResolvedRun) -> list[Feature]:
    return sorted(train_features(run.key, run.subset), key=len)


def batch_of(run: ResolvedRun, features: list[Feature]) -> Batch:
    return collate(features, run.task.format, int(run.key.tokenizer().pad_token_id), torch.device("cpu"))


def step_of(run: ResolvedRun, training: Training) -> MicroStep:
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return MicroStep(training, batch_of(run, features_of(run)), 0, 1.0, Passes(), scaler)


# ---- where the parts lie ---------------------------------------------------------------------------------------------


@each
def test_the_parts_of_a_decoder(families: Any, name: str) -> None:
    model, (embedded, blocks, beside) = families.model(name), BODIES[name]
    architecture = architecture_of(model)
    assert architecture.causal
    assert (architecture.embedded, architecture.lists) == (tuple(embedded.split()), (blocks,))
    assert (architecture.depth, architecture.layers, architecture.pooler) == (2, 2, None)
    layers = {n: architecture.layer_index(n) for n, _ in model.named_parameters()}
    assert layers | beside == layers
    assert {layer for n, layer in layers.items() if n.startswith(f"{blocks}.")} == {1, 2}
    assert {layers[n] for n in layers if n.startswith(tuple(embedded.split()))} == {0}
    assert layers["score.weight"] == 3
    wrapped = {n: architecture.layer_index(f"base_model.model.{n}") for n in layers}
    assert wrapped == layers


def test_encoders_are_not_causal() -> None:
    tokenizer = transformers.BertTokenizer(vocab={"[PAD]": 0, "[UNK]": 1})
    assert [name for name in FAMILIES if is_causal(config_of(name, tokenizer))] == []


@pytest.mark.parametrize(
    ("config", "reason"),
    [
        (
            transformers.MBartConfig(d_model=8, encoder_layers=1, decoder_layers=1, vocab_size=20),
            "two stacks of blocks",
        ),
        (transformers.XLNetConfig(d_model=8, n_layer=1, n_head=2, d_inner=8, vocab_size=20), "padding on the left"),
    ],
)
def test_what_is_no_body_yet_says_why(config: Any, reason: str) -> None:
    for side in ("encoder", "decoder"):
        setattr(config, f"{side}_attention_heads", 2)
    with torch.random.fork_rng():
        model = transformers.AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(Unsupported, match=reason):
        architecture_of(model)


def test_what_older_code_saved_beside_the_weights_is_no_layer(families: Any) -> None:
    folder = families.folder("gpt2", place="gpt2-old")
    weights = load_file(folder / "model.safetensors")
    masks = {f"h.{i}.attn.{name}": torch.ones(1, 1, 4, 4) for i in (0, 1) for name in ("bias", "masked_bias")}
    save_file({**weights, **masks}, folder / "model.safetensors", metadata={"format": "pt"})
    load_template(resolve(str(folder), MODELS), TEXT_CLASSIFICATION, 2)


# ---- what is read ----------------------------------------------------------------------------------------------------


@headed
def test_padding_changes_no_logits(run_of: Any, name: str, task: str) -> None:
    """Alone or in a batch, a text has the same logits at the tokens that are read."""
    run = run_of(name, task)
    features, half = features_of(run), torch_half(run.task.format)
    # Wide weights, so that what attention does is seen.
    model = load_template(run.spec.model, run.task.format, len(run.task.labels)).model.eval()
    assert len(features[0]) < len(features[-1])

    def logits(chosen: list[Feature]) -> list[Tensor]:
        batch = batch_of(run, chosen)
        with torch.no_grad():
            return half.logits(model(**batch.inputs), batch.inputs["attention_mask"])

    together = logits(features)
    for row, feature in enumerate(features):
        for alone, found in zip(logits([feature]), together, strict=True):
            own = found[row] if alone[0].shape == found[row].shape else found[row, : len(feature)]
            torch.testing.assert_close(alone[0], own, rtol=0, atol=1e-5)
    assert not torch.allclose(together[0][0], together[0][-1])


@headed
def test_the_class_is_read_from_the_token_that_stands_for_the_row(run_of: Any, name: str, task: str) -> None:
    run = run_of(name, task, dropout=0.0)
    training = prepared(run, torch.device("cpu"))
    step = step_of(run, training)
    output = step.forward(hidden=True)
    assert len(output.hidden) == training.architecture.depth + 1
    if run.task.format.points_at_tokens:
        # No window's answer is at a token that has not seen its context, nor at one of it.
        last = step.batch.inputs["attention_mask"].sum(1) - 1
        assert output.places.int().argmax(1).tolist() == last.tolist()
        assert not (step.real_tokens & output.places).any()
        return
    # That token, and none before it, has seen everything: only its states reach the logits.
    (gradient,) = torch.autograd.grad(output.logits[0].sum(), output.hidden[-1])
    assert torch.equal(gradient.abs().sum(-1) > 0, output.places)
    if run.task.format.labels_texts:
        assert output.places.sum(1).tolist() == [1] * len(output.places)


@each
def test_two_texts_are_apart_and_end(run_of: Any, name: str) -> None:
    tokenizer = run_of(name, "rte").key.tokenizer()
    assert tokenizer.pad_token_id is not None
    encoded = tokenizer("the film", "is good", return_special_tokens_mask=True)
    texts = encoded.sequence_ids(0)
    first, second = (np.flatnonzero([place == text for place in texts]) for text in (0, 1))
    assert first[-1] + 1 < second[0]
    assert second[-1] + 1 < len(texts)
    assert [place is None for place in texts] == [bool(flag) for flag in encoded["special_tokens_mask"]]
    assert "token_type_ids" not in encoded
    glued = [i for i, place in enumerate(texts) if place is not None]
    own = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("the film", "is good")]
    assert [encoded["input_ids"][i] for i in glued] == [*own[0], *own[1]]


@each
def test_an_empty_text_has_a_token(run_of: Any, name: str) -> None:
    run = run_of(name, "sst2")
    empty = dataclasses.replace(run.data.train[0], text="")
    (feature,) = run.key.encode([empty])
    assert len(feature) >= 1
    assert feature.row == feature.spots[0] < len(feature)


def test_a_window_without_its_answer_points_at_its_end(run_of: Any) -> None:
    run = run_of("llama", "squad")
    without = [f for f in features_of(run) if not set(f.targets) & set(f.spots)]
    assert without
    assert all(f.targets.tolist() == [len(f) - 1] * 2 and f.row == len(f) - 1 for f in without)


def test_no_answer_is_the_last_token_which_alone_has_seen_all(run_of: Any) -> None:
    run = run_of("llama", "squad")
    unanswered = [dataclasses.replace(e, answers=(), starts=()) for e in run.evaluation().examples]
    for feature in run.key.encode(unanswered):
        assert feature.targets.tolist() == [len(feature) - 1] * 2
        assert feature.row not in feature.spots
        logits = np.arange(2.0 * len(feature)).reshape(-1, 2)
        read = torch_half(run.task.format).read(logits, feature)
        assert read[-1].tolist() == logits[-1].tolist()


# ---- what techniques do ----------------------------------------------------------------------------------------------


def test_gpt2s_layers_are_linear_and_compute_the_same(families: Any) -> None:
    model = families.model("gpt2")
    inputs = families.tokenizer("gpt2")("the film is good", return_tensors="pt")
    before = model(**inputs).logits
    weights = {n: p.clone() for n, p in model.named_parameters()}
    make_linear(model)
    assert not any(isinstance(module, Conv1D) for module in model.modules())
    torch.testing.assert_close(model(**inputs).logits, before, rtol=0, atol=1e-5)
    found = dict(model.named_parameters())
    assert found.keys() == weights.keys()
    turned = {n for n, p in found.items() if p.shape != weights[n].shape}
    assert all(torch.equal(found[n], weights[n].T) for n in turned)
    assert len(turned) >= 2


@each
def test_a_block_drawn_anew_has_norms_that_scale_by_one(families: Any, name: str) -> None:
    model = families.model(name)
    block = model.get_submodule(architecture_of(model).block(1)[0])
    initialise(block, 0.02, torch.Generator().manual_seed(0))
    norms = [module for module in block.modules() if "norm" in type(module).__name__.lower()]
    width = {len(norm.weight) for norm in norms}
    assert {adds_one(norm) for norm in norms} == {name in ("gemma", "gemma3")}
    for norm in norms:
        sizes = norm(torch.randn(5, len(norm.weight), generator=torch.Generator().manual_seed(0))).square().mean(-1)
        torch.testing.assert_close(sizes, torch.ones(5), rtol=0, atol=0.01)
    assert width


def test_mixup_mixes_the_last_tokens(run_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run = run_of("llama", "sst2")
    training = prepared(run, torch.device("cpu"))
    step, weight = step_of(run, training), 0.25
    order = torch.arange(len(step.places)).flip(0)
    monkeypatch.setattr(Mixup, "_drawn", lambda *_: (weight, order))
    model, whole = training.model, step.forward(hidden=True)
    rows = model.model.norm(weight * whole.features() + (1 - weight) * whole.features()[order])
    costs, targets = -model.score(rows).log_softmax(-1), whole.targets[0]
    of = functools.partial(torch.gather, costs, 1)
    expected = weight * of(targets[:, None]).mean() + (1 - weight) * of(targets[order][:, None]).mean()
    assert Mixup().backward(step).item() == pytest.approx(expected.item(), rel=1e-5)


def test_the_token_that_is_read_is_never_cut(run_of: Any) -> None:
    run = run_of("gpt2", "sst2")
    step = step_of(run, prepared(run, torch.device("cpu")))
    output = step.forward()
    assert (step.real_tokens & output.places).any()
    assert not (TokenCutoff()._candidates(step, output) & output.places).any()


@pytest.mark.parametrize("name", ["gpt2", "gpt-neox"])
def test_one_matrix_for_queries_keys_and_values_is_split_in_place(run_of: Any, name: str) -> None:
    run = run_of(name, "sst2")
    training = prepared(run, torch.device("cpu"))
    training.model.eval()
    before = step_of(run, training).forward().logits[0]
    layout = separate(training, "lora")
    projections = [m for m in training.model.modules() if isinstance(m, SplitProjection)]
    assert len(projections) == training.architecture.depth
    assert {each.rpartition(".")[2] for each in (layout.query, layout.key, layout.value)} == {*SplitProjection.PARTS}
    torch.testing.assert_close(step_of(run, training).forward().logits[0], before, rtol=0, atol=1e-5)
    # No values, no attention: what is called the values are the values.
    for projection in projections:
        for parameter in projection.get_submodule("value").parameters():
            parameter.data.zero_()
    found: list[Tensor] = []
    block = training.model.get_submodule(f"{training.architecture.block_list}.0")
    place = block.get_submodule(layout.output)
    place.register_forward_pre_hook(lambda _module, inputs: found.append(inputs[0]))
    step_of(run, training).forward()
    assert not found[0].any()


NO_DROPOUT = ("llama", "gpt-neox", "qwen2", "qwen3", "mistral", "gemma", "gemma3", "phi")
DECLINED = {
    **{technique: {} for technique in ("lora", "ia3", "adalora", "adapter", "prefix", "ln_only", "dropout", "mixout")},
    "bitfit": dict.fromkeys(("llama", "qwen3", "mistral", "gemma", "gemma3"), "finds no pre-trained bias"),
    "r_drop": dict.fromkeys(NO_DROPOUT, "has none in effect; set a rate in the profile"),
}
"""What a technique declines to do with a family, and why; all else it does."""


@pytest.mark.exhaustive
@each
@pytest.mark.parametrize("technique", DECLINED)
def test_a_technique_takes_a_decoder_or_says_why_not(run_of: Any, name: str, technique: str) -> None:
    run, reason = run_of(name, "sst2", technique, dropout=None), DECLINED[technique].get(name)
    if reason is not None:
        with pytest.raises(Unsupported, match=reason):
            prepared(run, torch.device("cpu"))
        return
    training = prepared(run, torch.device("cpu"))
    step = step_of(run, training)
    loss = step.loss(step.forward())
    step.backward(loss)
    assert all(parameter.grad is not None for parameter in training.trainable().values())
    assert loss.isfinite()


of_words = pytest.mark.parametrize("name", [name for name in DECODERS if name != "mistral"])
"""Without the one whose tiny tokenizer merges pieces across words."""
ADDED = "lm_bff:template={text} It was {mask}.:words=left good"


@pytest.fixture
def with_next_word(families: Any, make_spec: Any) -> Any:
    """The run of a stack on a family's tiny model with its head for the next word."""

    def run(name: str, task: str, stack: str, **changes: Any) -> ResolvedRun:
        folder = families.folder(name, transformers.AutoModelForCausalLM, f"{name}-words")
        spec = make_spec(task, stack, **SMALL | changes)
        return resolve_run(dataclasses.replace(spec, model=resolve(str(folder), MODELS)))

    return run


@each
def test_the_next_word_is_the_checkpoints_own(families: Any, name: str) -> None:
    folder = families.folder(name, transformers.AutoModelForCausalLM, f"{name}-words")
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager").eval()
    inputs = {"input_ids": torch.arange(5, 12)[None], "attention_mask": torch.ones(1, 7, dtype=torch.long)}
    head = word_head(resolve(str(folder), MODELS))
    assert head is not None
    head.tie(model.get_input_embeddings().weight)
    with torch.no_grad():
        assert torch.equal(head(model.base_model(**inputs)[0][0]), model(**inputs).logits[0])


@of_words
def test_a_prompt_reads_as_the_text_up_to_the_word(run_of: Any, name: str) -> None:
    run = run_of(name, "sst2")
    tokenizer, examples = run.key.tokenizer(), run.evaluation().examples
    prompts = LMBFF("{text} It was {mask}.", "left good")
    for example, feature in zip(
        examples, encode_prompts(prompts, "sst2", examples, tokenizer, SMALL["max_length"]), strict=True
    ):
        whole = tokenizer(f"{example.text.strip()} It was")["input_ids"]
        assert feature.input_ids.tolist() == whole[: len(whole) - (whole[-1] == tokenizer.eos_token_id)]
        assert feature.spots.tolist() == [len(feature) - 1]


def test_a_space_that_a_tokenizer_puts_first_is_not_given_twice(families: Any) -> None:
    for name, expected in (("mistral", "film"), ("xlm-r", "film"), ("gpt2", " film"), ("bert", " film")):
        assert spaced(families.tokenizer(name), " film") == expected, name


@of_words
def test_a_prompt_is_answered_by_the_word_that_comes_next(with_next_word: Any, name: str) -> None:
    """As the checkpoint's whole model says of each text by itself, without padding and with no code of ours."""
    run = with_next_word(name, "sst2", ADDED, train_examples=0)
    (record,) = execute([run.spec])
    assert record.predictions is not None, record.reason
    model = transformers.AutoModelForCausalLM.from_pretrained(run.spec.model.name).eval()
    tokenizer = transformers.AutoTokenizer.from_pretrained(run.spec.model.name)
    rows = []
    for example in run.evaluation().examples:
        prompt, left, good = (tokenizer(f"{example.text.strip()} It was{word}") for word in ("", " left", " good"))
        # A tokenizer may end a text with a special token, which is no part of a prompt.
        length = len(prompt["input_ids"]) - int(prompt["input_ids"][-1] == tokenizer.eos_token_id)
        with torch.no_grad():
            logits = model(input_ids=torch.tensor([prompt["input_ids"][:length]])).logits[0, -1]
        rows.append([float(logits[each["input_ids"][length]]) for each in (left, good)])
    np.testing.assert_allclose(record.predictions.values, rows, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("technique", ["adamw", "tapt:epochs=1", "lora", "prefix"])
def test_a_decoder_learns_from_prompts(with_next_word: Any, technique: str) -> None:
    (record,) = execute([with_next_word("llama", "sst2", f"{technique}+{ADDED}").spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.provenance["new_parameters"] == "none (head for words)"


def test_a_text_behind_the_word_to_add_is_a_reason(with_next_word: Any) -> None:
    (record,) = execute([with_next_word("llama", "rte", "lm_bff:words=left good").spec])
    assert record.status == "unsupported"
    assert record.reason.startswith("lm_bff has a text after the word that this model is to add")


def test_tapt_asks_a_decoder_for_every_next_token(with_next_word: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[Tensor, Tensor]] = []
    collated = StudyLoop._collated

    def watched(self: StudyLoop, features: Any) -> Batch:
        batch = collated(self, features)
        asked.append((batch.inputs["input_ids"], batch.targets))
        return batch

    monkeypatch.setattr(StudyLoop, "_collated", watched)
    run = with_next_word("llama", "sst2", "tapt:epochs=2:batch_size=3")
    (record,) = execute([run.spec])
    assert record.reported["tapt.pretrained_head"] == 1.0, record.reason
    assert len(asked) == 4
    for ids, targets in asked:
        for row, wanted in zip(ids.tolist(), targets.tolist(), strict=True):
            count = sum(each != IGNORED for each in wanted)
            first = wanted.index(next(each for each in wanted if each != IGNORED))
            assert wanted[first : first + count] == row[first + 1 : first + 1 + count]
            assert first == 0, "the beginning of a text is a special token, before which nothing stands"


@pytest.mark.parametrize("name", ["llama", "gpt2", "gemma", "gemma3"])
def test_tapt_on_a_decoder_begins_with_the_checkpoints_own_loss(with_next_word: Any, name: str) -> None:
    run = with_next_word(name, "sst2", "tapt:epochs=1:learning_rate=1e-30:batch_size=6")
    (record,) = execute([run.spec])
    model = transformers.AutoModelForCausalLM.from_pretrained(run.spec.model.name).eval()
    losses = []
    for feature in features_of(run):
        ids, special = torch.tensor(feature.input_ids)[None], torch.tensor(feature.special)
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1]
        kept = ~special[1:]
        losses += torch.nn.functional.cross_entropy(logits[kept], ids[0, 1:][kept], reduction="none").tolist()
    assert record.reported["tapt.loss"] == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("name", ["llama", "gpt2", "opt", "gemma3"])
@pytest.mark.parametrize("technique", ["lora", "prefix", "adapter"])
def test_padding_changes_no_logits_of_a_wrapped_decoder(run_of: Any, name: str, technique: str) -> None:
    run = run_of(name, "rte", technique)
    training, features = prepared(run, torch.device("cpu")), features_of(run)
    training.model.eval()
    together = training.model(**batch_of(run, features).inputs).logits
    for row, feature in enumerate(features):
        alone = training.model(**batch_of(run, [feature]).inputs).logits[0]
        torch.testing.assert_close(alone, together[row], rtol=0, atol=1e-5)


@each
def test_adapters_stand_behind_both_projections(run_of: Any, name: str) -> None:
    run = run_of(name, "sst2", "adapter")
    training = prepared(run, torch.device("cpu"))
    own = [f"{n}.adapter" for n, m in training.model.named_modules() if "adapter" in dict(m.named_children())]
    assert len(own) == 2 * training.architecture.depth
    trained = {n for n in training.trainable() if ".adapter." not in n and training.architecture.in_body(n)}
    assert trained
    assert all("norm" in n or "ln_" in n for n in trained)
    projection = training.model.get_submodule(own[0].removesuffix(".adapter"))
    states = torch.randn(2, projection.weight.shape[1], generator=torch.Generator().manual_seed(0))
    plain = torch.nn.functional.linear(states, projection.weight, projection.bias)
    assert torch.equal(projection(states), projection.adapter(plain))
    assert not torch.equal(projection(states), plain)


@pytest.mark.parametrize("name", ["llama", "opt", "phi"])
def test_a_head_that_is_cut_is_one_whose_output_is_zero(run_of: Any, name: str) -> None:
    run = run_of(name, "sst2")
    training = prepared(run, torch.device("cpu"))
    training.model.eval()
    silent, cut = copy.deepcopy(training.model), copy.deepcopy(training.model)
    for model in (silent, cut):
        first, *others = attentions(model, training.architecture.block_list)
        assert [attention.heads for attention in (first, *others)] == [2, 2]
        if model is cut:
            first.keep([1])
            assert first.output.weight.shape[1] == 8
        else:
            first.output.weight.data[:, :8] = 0.0
    inputs = batch_of(run, features_of(run)).inputs
    torch.testing.assert_close(cut(**inputs).logits, silent(**inputs).logits, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", [name for name, task in HEADED if task == "squad"])
def test_a_prefix_reaches_the_spans_of_a_decoder(run_of: Any, name: str) -> None:
    run = run_of(name, "squad", "prefix")
    training, plain = (prepared(each, torch.device("cpu")) for each in (run, run_of(name, "squad")))
    training.model.eval()
    plain.model.eval()
    with_prefix, without = (step_of(run, each).forward().logits[0] for each in (training, plain))
    real = without.isfinite()
    assert (with_prefix[real] - without[real]).abs().max() > 1e-4


@pytest.mark.exhaustive
@headed
@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_a_decoder_trains_in_half_precision(run_of: Any, name: str, task: str, precision: str) -> None:
    (record,) = execute([run_of(name, task, precision=precision).spec])
    assert record.status in ("converged", "collapsed"), record.reason


@pytest.mark.exhaustive
@headed
def test_a_decoder_trains_on_every_task_that_it_has_a_head_for(run_of: Any, name: str, task: str) -> None:
    (record,) = execute([run_of(name, task).spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert len(record.drift) == 3
    assert all(moved > 0 for moved in record.drift)
    assert record.provenance["new_parameters"].split(", ")[-1] in ("score", "classifier", "qa_outputs")


@pytest.mark.parametrize(("name", "task"), sorted(HEADLESS))
def test_a_task_without_a_head_is_declined(run_of: Any, name: str, task: str) -> None:
    with pytest.raises(Unsupported, match="has no head for"):
        prepared(run_of(name, task), torch.device("cpu"))


def test_a_tokenizer_without_an_end_is_named(families: Any) -> None:
    tokenizer = families.tokenizer("gpt2_bytes")
    with pytest.raises(BadData, match="model 'mine' has no end-of-text token; name one as eos_token"):
        fit_tokenizer(transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer.backend_tokenizer), "mine")
