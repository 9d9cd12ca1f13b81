from __future__ import annotations

import dataclasses
import math
from typing import Any

import pytest
import torch
import transformers
from torch.nn import functional as F

from bench_lib.core.errors import BadData, BadValue, Unavailable
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks.sources.general_text import load_general_text

FEW = {"train_examples": 8, "eval_examples": 4, "batch_size": 4, "evaluations": 1, "max_length": 44, "stride": 4}


@pytest.fixture
def spec_on(families: Any, make_spec: Any) -> Any:
    """The spec of a run on a family's tiny model with its head for words, measured for what it forgets."""

    def spec(name: str, task: str = "sst2", stack: str = "adamw", **changes: Any) -> Any:
        auto = transformers.AutoModelForCausalLM if name in ("llama", "gpt2") else transformers.AutoModelForMaskedLM
        model = resolve(str(families.folder(name, auto, f"{name}-words")), MODELS)
        text = load_general_text("generated", "embedded")
        assert text is not None
        made = make_spec(task, stack, forgetting="generated", **FEW | changes)
        return dataclasses.replace(made, model=model, also=(("forgetting", text.fingerprint),))

    return spec


def measured(record: Any) -> tuple[float, float]:
    assert record.status in ("converged", "collapsed"), record.reason
    return record.metrics["forgetting.perplexity_before"], record.metrics["forgetting.perplexity"]


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("task", ["sst2", "conll2003"])
def test_what_is_not_trained_is_not_forgotten(spec_on: Any, name: str, task: str) -> None:
    before, after = measured(execute([spec_on(name, task, learning_rate=0.0)])[0])
    assert before == after > 1


@pytest.mark.parametrize("name", ["bert", "llama"])
@pytest.mark.parametrize("stack", ["adamw", "lora", "prefix", "freeze_bottom", "ema", "prune_magnitude"])
def test_training_changes_it_and_the_run_is_otherwise_the_same(spec_on: Any, name: str, stack: str) -> None:
    spec = spec_on(name, stack=stack, learning_rate=0.02)
    record = execute([spec])[0]
    before, after = measured(record)
    assert (before == after) == (stack == "prefix"), "all but a prefix moves the body"
    plain = dataclasses.replace(spec, profile=dataclasses.replace(spec.profile, forgetting=""), also=())
    other = execute([plain])[0]
    assert (other.predictions.values == record.predictions.values).all()
    assert other.metrics == {name: value for name, value in record.metrics.items() if "forgetting" not in name}
    assert plain.run_id() != spec.run_id()


def test_a_decoders_is_that_of_every_next_token(spec_on: Any) -> None:
    """As the checkpoint's whole model says of each text by itself, with no code of ours."""
    spec = spec_on("llama", train_examples=0)
    before, after = measured(execute([spec])[0])
    assert before == after
    model = transformers.AutoModelForCausalLM.from_pretrained(spec.model.name).eval()
    tokenizer = resolve_run(spec).key.tokenizer()
    text = load_general_text("generated", "embedded")
    assert text is not None
    losses = []
    for each in text.texts:
        ids = tokenizer(each, truncation=True, max_length=FEW["max_length"], return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logits = model(input_ids=ids).logits[0, :-1]
        losses.append(F.cross_entropy(logits, ids[0, 1:], reduction="none"))
    assert before == pytest.approx(math.exp(torch.cat(losses).mean()), rel=1e-4)


def test_written_answers_are_measured_by_the_head_that_writes_them(make_spec: Any) -> None:
    text = load_general_text("generated", "embedded")
    assert text is not None
    also = (("forgetting", text.fingerprint),)
    for rate, same in ((0.0, True), (0.01, False)):
        spec = make_spec("e2e_nlg", forgetting="generated", learning_rate=rate, train_examples=8, eval_examples=2)
        before, after = measured(execute([dataclasses.replace(spec, also=also)])[0])
        assert (before == after) == same


def test_a_checkpoint_without_a_head_for_words_is_a_reason(make_spec: Any) -> None:
    text = load_general_text("generated", "embedded")
    assert text is not None
    spec = make_spec("sst2", forgetting="generated", **FEW)
    record = execute([dataclasses.replace(spec, also=(("forgetting", text.fingerprint),))])[0]
    assert record.status == "unsupported"
    assert "the checkpoint of tiny holds none" in record.reason


def test_a_text_of_ones_own(tmp_path: Any) -> None:
    (tmp_path / "general_text.txt").write_bytes("\ufeffOne line.\n\n  Another.  \n".encode())
    text = load_general_text("folder", str(tmp_path))
    assert text is not None
    assert text.texts == ("One line.", "Another.")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "general_text.txt").write_text("One line.\nAnother.")
    same = load_general_text("folder", str(tmp_path / "other"))
    assert same is not None
    assert same.fingerprint == text.fingerprint


def test_what_cannot_be_read(tmp_path: Any) -> None:
    with pytest.raises(BadValue, match="forgetting is 'wikitext'; allowed: generated, or folder"):
        load_general_text("wikitext", "embedded")
    with pytest.raises(Unavailable, match=r"forgetting=folder reads general_text\.txt in the folder of `--data DIR`"):
        load_general_text("folder", "embedded")
    with pytest.raises(BadData, match=r"no .*general_text\.txt, which forgetting=folder reads"):
        load_general_text("folder", str(tmp_path))
    (tmp_path / "general_text.txt").write_bytes(b"caf\xe9 au lait")
    with pytest.raises(BadData, match=r"is not in UTF-8: .* at byte 3"):
        load_general_text("folder", str(tmp_path))
    (tmp_path / "general_text.txt").write_text(" \n\n")
    with pytest.raises(BadData, match="holds no text"):
        load_general_text("folder", str(tmp_path))  # cached by path


def test_it_is_planned_by_value() -> None:
    (spec,) = plan(Grid(("sst2",), ("adamw",), (0,), "smoke:forgetting=generated", model="tiny"))
    text = load_general_text("generated", "embedded")
    assert text is not None
    assert spec.also == (("forgetting", text.fingerprint),)
