"""T5 and BART, tiny and random, that write: what they are asked, what they write, and what techniques do with them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.core.spec import Ref
from bench_lib.harness.batches import collate
from bench_lib.harness.drift import drift
from bench_lib.harness.fitness import model_problems
from bench_lib.harness.formats import torch_half
from bench_lib.harness.formats.features import Feature
from bench_lib.harness.writing import greedy, right_padded, written
from bench_lib.models import MODELS
from bench_lib.models.architecture import architecture_of
from bench_lib.models.encoder_decoder import opening_of
from bench_lib.models.load import copied, load_template, load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import ResolvedRun, resolve_run
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_GENERATION, GenerationExample
from bench_lib.tasks.sources.general_text import load_general_text
from bench_lib.tasks.sources.load import load_data
from tests.families import TWO_STACKS, drawn, save

SMALL = {"train_examples": 4, "eval_examples": 3, "batch_size": 2, "epochs": 1, "evaluations": 1}
LENGTHS = {"bart": {"max_length": 60, "answer_tokens": 12}, "t5": {"max_length": 90, "answer_tokens": 12}}
"""BART has 64 positions here; the few pieces of T5's tokenizer take more of them."""
CPU, LIMIT = torch.device("cpu"), 9
EXAMPLES = [
    GenerationExample("Ada Moore", ("our garden is good", "a house"), "Say ", ":"),
    GenerationExample("the story of 1996 and Blue Bank", ("nobody visited New York",), "Say ", ":"),
]
ONE_LINE, ONE_LIST, ONE_PLACE = "has no one line of layers", "has no one list of blocks", "embeds a text twice"
NEW_HEAD = "texts are written by the head that was pre-trained"
DECLINED = {
    **dict.fromkeys(("llrd", "freeze_bottom", "reinit", "layer_drop"), ONE_LINE),
    **dict.fromkeys(("adapter", "hype", "prune_structured_heads", "lnsr", "lr_drop", "repina"), ONE_LIST),
    **dict.fromkeys(("neftune", "freelb", "r3f", "smart"), ONE_PLACE),
    **dict.fromkeys(("linear_probe", "gradual_unfreezing"), NEW_HEAD),
    "prefix": "no one cache of keys and values",
    "token_cutoff": "no one input of a first block",
    "tapt": "has a head for words that writes after what the encoder read",
}
ACTING = ("adamw", "lora", "ia3", "adalora", "r_drop", "dft", "z_loss", "mixout", "fgm", "quantize_dynamic_int8")
LOW_RANK = {"lora": 14, "dora": 14, "ia3": 19}
"""Modules that are changed of three blocks of an encoder and two of a decoder, whose second attention has its own."""

each = pytest.mark.parametrize("name", TWO_STACKS)


@pytest.fixture
def run_of(make_spec: Any, families: Any) -> Callable[..., ResolvedRun]:
    """The run of a stack of techniques on a family's tiny model, on the generated corpus."""
    data = Ref("embedded", load_data(TASKS.get("e2e_nlg"), "embedded").fingerprint)

    def run(name: str, stack: str = "adamw", **changes: Any) -> ResolvedRun:
        model = resolve(str(families.folder(name)), MODELS)
        spec = make_spec("e2e_nlg", stack, **SMALL | LENGTHS[name] | changes)
        return resolve_run(dataclasses.replace(spec, data=data, model=model))

    return run


@pytest.fixture
def writer(families: Any) -> Callable[[str], tuple[Any, Any, list[Feature]]]:
    """A family's model that writes, its tokenizer, and examples as features."""

    def made(name: str) -> tuple[Any, Any, list[Feature]]:
        ref = resolve(str(families.folder(name)), MODELS)
        tokenizer = load_tokenizer(ref)
        features = torch_half(TEXT_GENERATION).under(False, 30).encode(EXAMPLES, tokenizer, 90, 0)
        return load_template(ref, TEXT_GENERATION, 0).model.eval(), tokenizer, features

    return made


def prompts_of(features: list[Feature]) -> list[np.ndarray]:
    return [feature.input_ids[: feature.spots[0] + 1] for feature in features]


@torch.no_grad()
def losses_of(model: Any, features: list[Feature]) -> list[torch.Tensor]:
    batch, half = collate(features, TEXT_GENERATION, model.config.pad_token_id, CPU), torch_half(TEXT_GENERATION)
    table = half.table(half.forward(model, batch), batch)
    return [row[feature.spots] for row, feature in zip(table, features, strict=True)]


@each
def test_the_encoder_reads_the_prompt_to_its_end_and_the_decoder_begins_anew(writer: Any, name: str) -> None:
    _, tokenizer, features = writer(name)
    assert [feature.item for feature in features] == [0, 0, 1]
    for feature, prompt in zip(features, prompts_of(features), strict=True):
        answer = feature.input_ids[len(prompt) :].tolist()
        assert prompt.tolist() == tokenizer(EXAMPLES[feature.item].prompt)["input_ids"]
        assert prompt[-1] == answer[-1] == tokenizer.eos_token_id
        assert feature.special[[len(prompt) - 1, -1]].all()
        text = tokenizer.decode(answer, skip_special_tokens=True)
        assert text.strip() in EXAMPLES[feature.item].references
        plain = tokenizer(text.strip(), add_special_tokens=False)["input_ids"]
        assert answer[:-1] == plain


@each
def test_a_long_prompt_loses_the_beginning_of_its_input_and_keeps_its_end(writer: Any, name: str) -> None:
    _, tokenizer, _ = writer(name)
    half = torch_half(TEXT_GENERATION).under(False, 30)
    whole, cut = (half.encode(EXAMPLES[1:], tokenizer, length, 0)[0] for length in (90, 40))
    (before,), (after,) = prompts_of([whole]), prompts_of([cut])
    assert len(before) > len(after) == 10
    assert after[-3:].tolist() == before[-3:].tolist()
    assert after[0] == before[0]
    assert cut.places.tolist() == whole.places.tolist()


@each
def test_a_chat_template_has_the_last_word_on_what_is_read(
    writer: Any, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, tokenizer, _ = writer(name)
    monkeypatch.setattr(
        tokenizer, "chat_template", "{% for m in messages %}user: {{ m['content'] }}{{ eos_token }}{% endfor %}"
    )
    (feature,) = torch_half(TEXT_GENERATION).under(True, 30).encode(EXAMPLES[1:], tokenizer, 120, 0)
    (prompt,) = prompts_of([feature])
    said = f"user: {EXAMPLES[1].prompt}{tokenizer.eos_token}"
    assert prompt.tolist() == tokenizer(said, add_special_tokens=False)["input_ids"]
    assert prompt[-1] == tokenizer.eos_token_id


@each
def test_the_losses_are_those_of_transformers_own_shift_of_the_answer(writer: Any, name: str) -> None:
    """By `labels`, which BART has begin with a token that is not counted here."""
    model, _, features = writer(name)
    begin = opening_of(model)[1:]
    for feature, prompt, losses in zip(features, prompts_of(features), losses_of(model, features), strict=True):
        labels = torch.tensor([*begin, *feature.places.tolist()])[None]
        with torch.no_grad():
            logits = model(input_ids=torch.tensor(prompt)[None], labels=labels).logits[0, len(begin) :]
        expected = torch.nn.functional.cross_entropy(logits, torch.tensor(feature.places), reduction="none")
        torch.testing.assert_close(losses, expected, rtol=0, atol=1e-5)


@each
def test_padding_changes_no_logits(writer: Any, name: str) -> None:
    model, _, features = writer(name)
    assert len({len(feature) for feature in features}) == 3
    for feature, together in zip(features, losses_of(model, features), strict=True):
        torch.testing.assert_close(losses_of(model, [feature])[0], together, rtol=0, atol=1e-5)


@each
def test_a_batch_is_written_as_each_prompt_alone_and_as_transformers_writes(writer: Any, name: str) -> None:
    model, tokenizer, _ = writer(name)
    model = copied(model)
    with torch.no_grad():
        for part, parameter in model.named_parameters():
            if "shared" not in part:
                parameter.mul_(3.0)  # so that tokens differ
    prompts = [
        np.array(tokenizer(text)["input_ids"]) for text in ("Say a house:", "Say Blue Bank and the story of 1996:")
    ]
    start, end = opening_of(model), int(tokenizer.eos_token_id)
    assert len(prompts[0]) != len(prompts[1])
    together = greedy(model, *right_padded(prompts, tokenizer.pad_token_id, CPU), LIMIT, end)
    assert together[0] != together[1]
    for prompt, own in zip(prompts, together, strict=True):
        assert greedy(model, *right_padded([prompt], tokenizer.pad_token_id, CPU), LIMIT, end) == [own]
        expected = model.generate(
            torch.tensor(prompt)[None],
            attention_mask=torch.ones(1, len(prompt), dtype=torch.long),
            decoder_input_ids=torch.tensor([start]),
            decoder_start_token_id=start[0],
            eos_token_id=end,
            forced_eos_token_id=None,
            max_new_tokens=LIMIT,
            num_beams=1,
            do_sample=False,
        )
        assert expected[0, len(start) :].tolist() == own
    stop = together[0][0]
    (first, _) = greedy(model, *right_padded(prompts, tokenizer.pad_token_id, CPU), LIMIT, stop)
    assert first == [stop]


@each
@pytest.mark.parametrize("stack", ["lora", "quantize_dynamic_int8"])
def test_wrapped_and_compressed_models_write_with_what_is_kept_as_without(run_of: Any, name: str, stack: str) -> None:
    run = run_of(name, stack)
    training = prepared(run, CPU)
    model = training.model
    for hook in run.observers.techniques:
        model = hook.compress(training)
    for part, parameter in model.named_parameters():
        if "lora_" in part:
            with torch.no_grad():
                parameter.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
    prompt = torch.tensor(run.key.encode(run.data.train[:1])[0].input_ids[:9])[None]
    mask, found = torch.ones_like(prompt), opening_of(model)
    begun = len(found)
    model.eval()
    with torch.inference_mode():
        for _ in range(LIMIT):
            raw = model(input_ids=prompt, attention_mask=mask, decoder_input_ids=torch.tensor([found]))
            found.append(int(raw.logits[0, -1].argmax()))
        assert greedy(model, prompt, mask, LIMIT, -1) == [found[begun:]]


@each
def test_what_is_written_depends_on_neither_the_batch_nor_what_a_limit_leaves_out(run_of: Any, name: str) -> None:
    run = run_of(name)
    found = {}
    for size, tokens in ((1, 12), (3, 12), (3, 2)):
        training = prepared(run, CPU)
        training.profile = dataclasses.replace(training.profile, eval_batch_size=size, answer_tokens=tokens)
        found[size, tokens] = written(training, run.evaluation(), training.model.config.pad_token_id)
    assert found[1, 12] == found[3, 12]
    assert all(long.startswith(short) for (short, _), (long, _) in zip(found[3, 2], found[3, 12], strict=True))


# ---- where their parts lie -------------------------------------------------------------------------------------------


@each
def test_layers_are_those_of_the_classifier(families: Any, name: str) -> None:
    """T5 is its own body when it writes, so that its names have no prefix there."""
    one, other = (
        families.model(name, auto)
        for auto in (transformers.AutoModelForSequenceClassification, transformers.AutoModelForSeq2SeqLM)
    )
    prefix, architecture = f"{one.base_model_prefix}.", architecture_of(other)
    expected = {n.removeprefix(prefix): architecture_of(one).layer_index(n) for n, _ in one.named_parameters()}
    expected = {n: layer for n, layer in expected.items() if "classification_head" not in n}
    names = [n for n, _ in other.named_parameters()]
    assert {n.removeprefix(prefix): architecture.layer_index(n) for n in names} == expected
    assert [architecture.layer_index(f"base_model.model.{n}") for n in names] == [*map(architecture.layer_index, names)]
    assert all(architecture.is_pretrained(n) and architecture.in_body(n) == n for n in names)
    assert architecture.in_body(f"base_model.model.{names[-1]}") == names[-1]
    assert not architecture.in_body("lm_head.weight")
    assert architecture.layer_index("lm_head.weight") == architecture.depth + 1


@each
def test_a_run_trains_every_block_and_begins_with_the_pretrained_head(run_of: Any, name: str) -> None:
    run = run_of(name)
    (record,) = execute([run.spec])
    assert record.status in ("converged", "collapsed"), record.reason
    assert model_problems(run.spec.model, TEXT_GENERATION, 0, run.spec.profile) == []
    assert len(record.drift) == 6
    assert all(moved > 0 for moved in record.drift)
    assert drift(prepared(run, CPU)) == (0.0,) * 6
    assert record.provenance["new_parameters"] == "none"
    assert 0 < record.metrics["likelihood"] < 1


@each
@pytest.mark.parametrize("stack", ["adamw", "lora"])
def test_a_run_learns_to_write(run_of: Any, name: str, stack: str) -> None:
    """By its loss: from random weights and after a few steps, its texts are not worth much."""
    learns = {"train_examples": 12, "epochs": 5, "batch_size": 4, "learning_rate": 1e-2}
    with_rate = {"adamw": "adamw", "lora": "lora:learning_rate=0.03"}[stack]
    (record,) = execute([run_of(name, with_rate, **learns).spec])
    assert record.status in ("converged", "collapsed"), record.reason
    first, last = record.curve.loss[:3], record.curve.loss[-3:]
    assert sum(last) / 3 < sum(first) / 3 - 0.05


@each
def test_what_is_learnt_by_heart_is_written(writer: Any, name: str) -> None:
    """Each prompt's own answer, from the loss alone to decoding: what is trained on is what is written after."""
    model, tokenizer, features = writer(name)
    model, chosen, half = copied(model), features[1:], torch_half(TEXT_GENERATION)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    batch = collate(chosen, TEXT_GENERATION, tokenizer.pad_token_id, CPU)
    for _ in range(150):
        output = half.output(half.forward(model, batch), batch)
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(output.logits[0], output.targets[0]).backward()
        optimizer.step()
    prompts, end = prompts_of(chosen), int(tokenizer.eos_token_id)
    found = greedy(model, *right_padded(prompts, tokenizer.pad_token_id, CPU), 40, end)
    assert found == [feature.places.tolist() for feature in chosen]


# ---- techniques ------------------------------------------------------------------------------------------------------


@each
@pytest.mark.parametrize("stack", DECLINED)
def test_what_needs_one_stack_or_a_new_head_declines(run_of: Any, name: str, stack: str) -> None:
    (record,) = execute([run_of(name, stack).spec])
    assert record.status == "unsupported", record.reason
    assert DECLINED[stack] in record.reason


@each
@pytest.mark.parametrize("stack", ACTING)
def test_what_does_not_acts(run_of: Any, name: str, stack: str) -> None:
    (record,) = execute([run_of(name, stack).spec])
    assert record.status in ("converged", "collapsed"), record.reason


@each
@pytest.mark.parametrize("stack", LOW_RANK)
def test_both_stacks_and_the_attention_between_them_are_changed(run_of: Any, name: str, stack: str) -> None:
    training = prepared(run_of(name, stack), CPU)
    trained = [n for n, p in training.model.named_parameters() if p.requires_grad]
    changed = {n.partition(".lora_")[0].partition(".ia3_l")[0] for n in trained}
    assert len(changed) == LOW_RANK[stack]
    blocks = {training.architecture.block_of(n) for n in changed}
    assert blocks == {*range(5)}
    cross = {n for n in changed if "encoder_attn" in n or "EncDecAttention" in n}
    assert len(cross) == 4
    assert all(training.architecture.block_of(n) >= 3 for n in cross)


def test_a_gated_t5_has_its_feed_forward_parts_scaled(families: Any, run_of: Any) -> None:
    folder = families.folder("t5", transformers.AutoModelForSeq2SeqLM, "t5-gated", feed_forward_proj="gated-gelu")
    spec = dataclasses.replace(run_of("t5", "ia3").spec, model=resolve(str(folder), MODELS))
    training = prepared(resolve_run(spec), CPU)
    found = [n for n, _ in training.model.named_parameters() if "ia3_l" in n]
    assert len(found) == LOW_RANK["ia3"]
    assert sum(".wo." in n for n in found) == 5


@each
def test_what_another_task_taught_is_handed_over(run_of: Any, name: str) -> None:
    """Also where classes of a family call their bodies differently, as those of T5 do."""
    changes = {"learning_rate": 1e-9, "dropout": 0.0}
    taught, plain = (
        execute([run_of(name, stack, **changes).spec])[0]
        for stack in ("intermediate_task:task=sst2:learning_rate=0.01:epochs=1", "adamw")
    )
    assert taught.status in ("converged", "collapsed"), taught.reason
    assert all(moved > 1e-4 for moved in taught.drift)
    assert all(moved < 1e-4 for moved in plain.drift)


def test_tasks_share_a_body_but_not_one_that_has_its_head_within(run_of: Any) -> None:
    (shared,) = execute([run_of("bart", "multi_task:tasks=sst2").spec])
    assert shared.status in ("converged", "collapsed"), shared.reason
    (within,) = execute([run_of("t5", "multi_task:tasks=sst2").spec])
    assert within.status == "unsupported"
    assert "T5ForConditionalGeneration is its own body, with its head" in within.reason


# ---- what is refused -------------------------------------------------------------------------------------------------


@each
def test_forgetting_is_not_measured_by_a_decoder_that_needs_something_read(run_of: Any, name: str) -> None:
    text = load_general_text("generated", "embedded")
    assert text is not None
    spec = dataclasses.replace(run_of(name, forgetting="generated").spec, also=(("forgetting", text.fingerprint),))
    (record,) = execute([spec])
    assert (record.status, record.cost.steps) == ("unsupported", 0)
    assert "has a head for words that writes after what the encoder read" in record.reason


@each
def test_a_tokenizer_without_a_chat_template_is_refused(run_of: Any, name: str) -> None:
    run = run_of(name, chat_template=True)
    (problem,) = model_problems(run.spec.model, TEXT_GENERATION, 0, run.spec.profile)
    assert "has no chat template, which the profile's chat_template asks for" in problem


def test_other_encoder_decoders_are_refused_by_name(families: Any, tmp_path: Path) -> None:
    config = transformers.PegasusConfig(d_model=16, encoder_layers=1, decoder_layers=1, vocab_size=400)
    config.save_pretrained(tmp_path)
    families.tokenizer("bart").save_pretrained(tmp_path)
    with pytest.raises(
        Unsupported, match=r"\(pegasus\) is neither a causal decoder nor an encoder-decoder of the families bart"
    ):
        load_template(Ref(str(tmp_path), "sha256:0"), TEXT_GENERATION, 0)


def test_a_checkpoint_of_an_encoder_alone_is_refused(families: Any, tmp_path: Path) -> None:
    save(drawn(transformers.T5EncoderModel, families.config("t5")), tmp_path)
    families.tokenizer("t5").save_pretrained(tmp_path)
    place = tmp_path / "config.json"
    with pytest.raises(Unsupported, match=r"\(t5\) is neither a causal decoder nor an encoder-decoder"):
        load_template(resolve(str(tmp_path), MODELS), TEXT_GENERATION, 0)
    place.write_text(json.dumps({**json.loads(place.read_text(encoding="utf-8")), "is_encoder_decoder": True}))
    with pytest.raises(BadData, match="does not hold the body whole, without decoder"):
        load_template(resolve(str(tmp_path), MODELS), TEXT_GENERATION, 0)


@pytest.mark.parametrize("holds_head", [False, True])
def test_a_later_t5_needs_its_own_head(families: Any, tmp_path: Path, holds_head: bool) -> None:
    """Which is not the word embeddings', and is not read from them where it is missing."""
    save(drawn(transformers.T5Model, families.config("t5")), tmp_path)
    families.tokenizer("t5").save_pretrained(tmp_path)
    place = tmp_path / "config.json"
    config = json.loads(place.read_text(encoding="utf-8"))
    config.pop("scale_decoder_outputs", None)
    place.write_text(json.dumps({**config, "tie_word_embeddings": False}), encoding="utf-8")
    weights = load_file(tmp_path / "model.safetensors")
    if holds_head:
        weights["lm_head.weight"] = weights["shared.weight"] + 1.0
        save_file(weights, tmp_path / "model.safetensors", {"format": "pt"})
    ref = resolve(str(tmp_path), MODELS)
    if not holds_head:
        with pytest.raises(BadData, match=r"no pre-trained head for the next word \(it lacks lm_head.weight"):
            load_template(ref, TEXT_GENERATION, 0)
        return
    template = load_template(ref, TEXT_GENERATION, 0)
    assert torch.equal(template.model.lm_head.weight, weights["lm_head.weight"])
    assert torch.equal(template.model.shared.weight, weights["shared.weight"])
    assert not template.fresh
