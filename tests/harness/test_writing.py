"""What is written: the same alone and in a batch, with the kept keys and values and without."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from bench_lib.core.errors import BadData, Unsupported
from bench_lib.core.spec import Profile
from bench_lib.harness.evaluate import evaluate
from bench_lib.harness.robustness import Examination
from bench_lib.harness.writing import greedy, left_padded, written
from bench_lib.models import MODELS
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute, prepared
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_GENERATION
from bench_lib.techniques.interface.hooks import Compresses
from tests.families import DECODERS

PROMPTS = [np.arange(5, 5 + n) for n in (3, 11, 7)]
LIMIT = 10
WRAPPED = ("lora", "ia3", "adapter", "prefix", "layer_drop")


def anew(model: nn.Module, prompt: np.ndarray, limit: int, end: int) -> list[int]:
    """Written by reading everything again for each token."""
    ids, found = torch.tensor(prompt)[None], []
    for _ in range(limit):
        found.append(int(model(input_ids=ids, attention_mask=torch.ones_like(ids)).logits[0, -1].argmax()))
        if found[-1] == end:
            break
        ids = torch.cat([ids, torch.tensor([found[-1:]])], dim=1)
    return found


def together(model: nn.Module, end: int = -1, limit: int = LIMIT) -> list[list[int]]:
    with torch.inference_mode():
        return greedy(model.eval(), *left_padded(PROMPTS, 0, torch.device("cpu")), limit, end)


@pytest.mark.parametrize("name", ["llama", *(n for n in DECODERS if n != "llama")])
def test_a_batch_is_written_as_each_prompt_alone(families: Any, name: str) -> None:
    model = families.model(name, transformers.AutoModelForCausalLM)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(3.0)  # so that tokens differ
    expected = [anew(model.eval(), prompt, LIMIT, -1) for prompt in PROMPTS]
    assert together(model) == expected
    end = expected[0][4]
    assert together(model, end) == [own[: own.index(end) + 1] if end in own else own for own in expected]


@pytest.mark.parametrize("stack", WRAPPED)
def test_wrapped_and_compressed_models_write_as_without_what_is_kept(make_spec: Any, stack: str) -> None:
    run = resolve_run(make_spec("e2e_nlg", stack))
    training = prepared(run, torch.device("cpu"))
    model = training.model
    for hook in run.observers.having(Compresses):
        model = hook.compress(training)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "prompt_encoder" in name or "lora_" in name:
                parameter.normal_(0, 0.5, generator=torch.Generator().manual_seed(0))
    model.eval()
    assert together(model) == [anew(model, prompt, LIMIT, -1) for prompt in PROMPTS]


def test_what_is_written_does_not_depend_on_the_batch(prepare: Any, evaluation: Any) -> None:
    built = evaluation(TEXT_GENERATION)
    alone, batched = (written(prepare(TEXT_GENERATION, eval_batch_size=n), built, 0) for n in (1, 3))
    assert alone == batched
    assert len({text for text, _ in alone}) > 1


def test_the_limit_is_the_profiles(prepare: Any, evaluation: Any) -> None:
    built = evaluation(TEXT_GENERATION)
    found = written(prepare(TEXT_GENERATION, answer_tokens=2), built, 0)
    whole = written(prepare(TEXT_GENERATION), built, 0)
    for (text, ended), (longer, _) in zip(found, whole, strict=True):
        assert longer.startswith(text)
        assert len(text) < len(longer)
        assert not ended


def test_a_text_that_has_a_stop_is_not_gone_on_with(prepare: Any, evaluation: Any) -> None:
    built = evaluation(TEXT_GENERATION)
    whole = written(prepare(TEXT_GENERATION), built, 0)
    stop = whole[0][0][len(whole[0][0]) // 2]
    calls: list[int] = []

    def found(stops: tuple[str, ...]) -> list[tuple[str, bool]]:
        training = prepare(TEXT_GENERATION, eval_batch_size=1)
        training.model.register_forward_pre_hook(lambda module, given: calls.append(1))
        return written(training, built, 0, stops)

    assert found(()) == whole
    passes = len(calls)
    stopped = found((stop,))
    assert len(calls) - passes < passes
    for (text, ended), (longer, ended_by_itself) in zip(stopped, whole, strict=True):
        assert longer.startswith(text)
        assert text.partition(stop)[0] == longer.partition(stop)[0]
        assert (ended or stop in text) == (ended_by_itself or stop in longer)


def test_an_evaluation_has_likelihood_and_texts(prepare: Any, evaluation: Any) -> None:
    built, training = evaluation(TEXT_GENERATION), prepare(TEXT_GENERATION)
    scored = evaluate(training, TASKS.get("e2e_nlg"), built, 0)
    outputs = TEXT_GENERATION.answers(built.examples, scored.predictions)
    assert [output.text for output in outputs] == [text for text, _ in written(training, built, 0)]
    assert all(output.nll > 0 and output.tokens >= 2 for output in outputs)
    assert 0 < scored.metrics["likelihood"] < 1
    assert training.model.training


# ---- a whole run -----------------------------------------------------------------------------------------------------


def test_a_run_learns_to_write(make_spec: Callable[..., Any]) -> None:
    learns = {"epochs": 12, "learning_rate": 1e-2, "evaluations": 1, "train_examples": 36}
    (record,) = execute([make_spec("e2e_nlg", **learns)])
    assert record.status == "converged", record.reason
    assert record.metrics["likelihood"] > 0.3
    assert record.metrics["ended"] > 0.5
    assert record.provenance["new_parameters"] == "none"


def test_an_encoder_and_an_attack_and_a_missing_room_are_refused(make_spec: Callable[..., Any]) -> None:
    spec = make_spec("e2e_nlg")
    (encoder,) = execute([dataclasses.replace(spec, model=resolve("tiny", MODELS))])
    assert encoder.status == "unsupported"
    assert encoder.reason == "texts are written by causal decoders and encoder-decoders, and this model is neither"
    with pytest.raises(Unsupported, match=r"'tiny' \(bert\) is neither a causal decoder nor an encoder-decoder of"):
        load_template(resolve("tiny", MODELS), TEXT_GENERATION, 0)
    (attacked,) = execute([make_spec("e2e_nlg", attack=1.0)])
    assert attacked.status == "unsupported"
    assert attacked.reason.startswith("attack is 0 for written answers")
    (short,) = execute([make_spec("e2e_nlg", answer_tokens=94)])
    assert short.status == "unsupported"
    assert "raise the former or lower the latter" in short.reason


def test_perturbed_prompts_are_written_after_too(make_spec: Callable[..., Any]) -> None:
    (record,) = execute([make_spec("e2e_nlg", perturb=0.5, train_examples=8, eval_examples=4)])
    assert record.robustness.perturbed is not None


def test_the_examination_of_an_attack_is_refused(prepare: Any) -> None:
    training = prepare(TEXT_GENERATION)
    training.profile = dataclasses.replace(training.profile, attack=1.0)
    with pytest.raises(Unsupported, match="attack is 0 for written answers"):
        Examination.of(training, None, None, 0)  # type: ignore[arg-type]  # refused before it looks


def test_a_checkpoint_without_the_head_of_the_next_word_is_refused(families: Any) -> None:
    folder = families.folder("gpt-neox", transformers.AutoModel, "neox-body")
    with pytest.raises(BadData, match=r"holds no pre-trained head for the next word \(it lacks lm_head.weight"):
        load_template(resolve(str(folder), MODELS), TEXT_GENERATION, 0)


def test_settings_of_written_answers_change_an_id_only_where_they_are_set(make_spec: Callable[..., Any]) -> None:
    plain = Profile()
    assert not {"chat_template", "answer_tokens"} & plain.settings().keys()
    assert make_spec("sst2").run_id() == make_spec("sst2", chat_template=False, answer_tokens=64).run_id()
    assert make_spec("sst2").run_id() != make_spec("sst2", answer_tokens=65).run_id()
