"""Scores on perturbed inputs and under an attack: right, of the weights that count, and without a trace in training."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench_lib.core.spec import Profile, Ref
from bench_lib.harness import robustness
from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import DataKey, data_key, evaluation_set
from bench_lib.harness.evaluate import evaluate
from bench_lib.harness.formats import torch_half
from bench_lib.harness.robustness import Examination, attacked, perturbed_set
from bench_lib.harness.step import plain_loss
from bench_lib.models.interventions import embedding_changed
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TOKEN_CLASSIFICATION, SpanExample
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques.interface.context import Training
from bench_lib.techniques.toolkit.embedding_perturbation import steepest

KINDS = {"sst2": TEXT_CLASSIFICATION, "conll2003": TOKEN_CLASSIFICATION, "squad": QUESTION_ANSWERING}
Prepare = Callable[..., Training]


@pytest.fixture
def key_of(data_folder: Path, tiny: Ref) -> Callable[..., DataKey]:
    def make(task: str, max_length: int = 48) -> DataKey:
        found, source = TASKS.get(task), str(data_folder)
        profile = Profile(max_length=max_length, stride=8)
        return data_key(load_data(found, source), tiny, profile)

    return make


@pytest.fixture
def live(prepare: Prepare, key_of: Callable[..., DataKey]) -> Callable[..., Any]:
    """A training about to begin, the key of its data and its evaluation set."""

    def make(task: str, **changes: Any) -> tuple[Training, DataKey, Any]:
        key = key_of(task)
        return prepare(KINDS[task], eval_batch_size=5, **changes), key, evaluation_set(key, 12)

    return make


# ---- perturbed inputs ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", KINDS)
def test_the_perturbed_set_is_the_same_in_every_process_and_other_than_the_clean(key_of: Any, task: str) -> None:
    clean, noisy = evaluation_set(key_of(task), 12), perturbed_set(key_of(task), evaluation_set(key_of(task), 12), 0.4)
    assert len(noisy.examples) == len(clean.examples) == 12
    assert sum(a != b for a, b in zip(clean.examples, noisy.examples, strict=True)) >= 10
    assert noisy.constant_baseline == clean.constant_baseline
    assert {feature.item for feature in noisy.features} == set(range(12))
    perturbed_set.cache_clear()
    assert perturbed_set(key_of(task), clean, 0.4).examples == noisy.examples


def test_a_question_that_has_no_room_with_its_typos_is_left_as_it_is(key_of: Any) -> None:
    clean = evaluation_set(key_of("squad"), 24).examples
    tokenizer = key_of("squad").tokenizer()
    sizes = [len(tokenizer(e.question)["input_ids"]) for e in clean if isinstance(e, SpanExample)]
    # Room for each of the questions as it is, and one token more of its context than windows share.
    tight = key_of("squad", max_length=max(sizes) + 1 + 8 + 1)
    wide = perturbed_set(key_of("squad"), evaluation_set(key_of("squad"), 24), 0.9).examples
    found = perturbed_set(tight, evaluation_set(tight, 24), 0.9).examples
    left = [e.question == c.question for e, c in zip(found, clean, strict=True)]  # type: ignore[union-attr]
    assert 0 < sum(left) < 24
    assert [e.context for e in found] == [e.context for e in wide]  # type: ignore[union-attr]


# ---- the attack ------------------------------------------------------------------------------------------------------


def test_the_shift_has_the_norm_of_the_attack_and_no_special_token() -> None:
    gradient = torch.tensor([[[9.0, 9.0], [3.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 0.0], [0.0, 0.0]]])
    real = torch.tensor([[False, True, True], [False, False, True]])
    shift = steepest(gradient, real, 2.0)
    assert shift[0].tolist() == [[0.0, 0.0], [pytest.approx(1.2), 0.0], [0.0, pytest.approx(1.6)]]
    assert not shift[1].any()


@pytest.mark.parametrize("task", KINDS)
def test_the_gradient_is_that_of_the_loss_by_the_words(live: Any, task: str) -> None:
    """Along it the loss of a batch grows as the gradient says, for a step that is small."""
    training, key, evaluation = live(task)
    training.model.eval()
    batch = collate(evaluation.features[:4], KINDS[task], int(key.tokenizer().pad_token_id), training.device)
    gradient = robustness._gradient(training, batch)

    def loss(shift: Any) -> float:
        with torch.no_grad(), embedding_changed(training.model, lambda e: e + shift):
            return float(plain_loss(torch_half(training.format).output(training.model(**batch.inputs), batch)))

    step = 1e-2 * gradient / gradient.norm()
    assert loss(step) - loss(-step) == pytest.approx(2e-2 * float(gradient.norm()), rel=0.02)
    strong = steepest(gradient, batch.real_tokens, 3.0)
    assert loss(strong) > loss(torch.zeros(()))


@pytest.mark.parametrize("task", KINDS)
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_an_attack_leaves_weights_gradients_and_modes_as_they_are(live: Any, task: str, precision: str) -> None:
    training, key, evaluation = live(task, precision=precision, attack=1.0)
    for number, parameter in enumerate(training.model.parameters()):
        parameter.grad = torch.full_like(parameter, 0.5) if number % 2 else None
    frozen = next(iter(training.model.parameters()))
    frozen.requires_grad_(False)
    before = {name: p.detach().clone() for name, p in training.model.named_parameters()}
    noise = torch.get_rng_state()
    assert 0 <= attacked(training, key, evaluation, 0) <= 1
    for number, (name, parameter) in enumerate(training.model.named_parameters()):
        assert torch.equal(parameter, before[name])
        assert parameter.grad is None if number % 2 == 0 else bool((parameter.grad == 0.5).all())
    assert not frozen.requires_grad
    assert training.model.training
    assert not any(m._forward_hooks for m in training.model.modules())
    assert torch.equal(torch.get_rng_state(), noise)


def test_the_stronger_the_attack_the_lower_the_score(train: Any) -> None:
    learnt = {"epochs": 15, "train_examples": None, "learning_rate": 3e-3}
    found = [train("conll2003", attack=epsilon, **learnt).record for epsilon in (1e-6, 1.0, 3.0)]
    assert found[0].robustness.adversarial == found[0].score > 0.9
    assert found[0].score > found[1].robustness.adversarial > found[2].robustness.adversarial


# ---- which weights they are of ---------------------------------------------------------------------------------------


def test_they_are_measured_at_the_last_evaluation_unless_an_earlier_one_may_be_kept(live: Any) -> None:
    training, key, evaluation = live("sst2", perturb=0.3, attack=1.0, eval_examples=12)
    training.total_steps = 4
    examine = Examination.of(training, key, evaluation, 0)
    plain = evaluate(training, TASKS.get("sst2"), evaluation, 0)
    for step, measured in ((1, False), (4, True)):
        training.step = step
        found = examine()
        assert (found.robust is not None, found.adversarial is not None) == (measured, measured)
        assert found.metrics == plain.metrics
        assert np.array_equal(found.predictions.values, plain.predictions.values)
    training.step = 1
    assert dataclasses.replace(examine, always=True)().robust is not None


def test_neither_is_measured_unless_it_is_asked_for(live: Any) -> None:
    for changes in ({}, {"perturb": 0.3}, {"attack": 1.0}):
        training, key, evaluation = live("sst2", eval_examples=12, **changes)
        found = Examination.of(training, key, evaluation, 0)()
        assert (found.robust is not None, found.adversarial is not None) == ("perturb" in changes, "attack" in changes)


def test_they_are_of_the_checkpoint_that_is_kept(make_spec: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[float] = []
    monkeypatch.setattr(robustness, "attacked", lambda *_: calls.append(len(calls) / 10) or calls[-1])
    specs = [
        make_spec("conll2003", stack, attack=1.0, evaluations=4, epochs=2) for stack in ("adamw", "best_checkpoint")
    ]
    last, best = execute(specs)
    assert len(calls) == 4
    assert last.robustness.adversarial == 0.3
    kept = best.evaluations.dev_scores.index(max(best.evaluations.dev_scores))
    assert best.robustness.adversarial == kept / 10
    assert best.score == last.evaluations.scores[kept]


# ---- nothing of the training changes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("task", KINDS)
@pytest.mark.parametrize("stack", ["adamw", "mixout+best_checkpoint", "fgm+ema", "lora", "fp16"])
def test_a_run_is_the_same_with_and_without_them(make_spec: Any, task: str, stack: str) -> None:
    specs = [make_spec(task, stack, evaluations=3, **more) for more in ({}, {"perturb": 0.3, "attack": 2.0})]
    plain, measured = (execute([dataclasses.replace(s, keep_weights=True)])[0] for s in specs)
    measures = ("robust_score", "adversarial_score")
    assert all(plain.result()[name] is None and measured.result()[name] is not None for name in measures)
    same = {"run_id", "training_id", "spec", *measures}
    assert {k: v for k, v in plain.result().items() if k not in same} == {
        k: v for k, v in measured.result().items() if k not in same
    }
    assert np.array_equal(plain.predictions.values, measured.predictions.values)
    assert plain.weights.keys() == measured.weights.keys()
    assert all(np.array_equal(plain.weights[name], measured.weights[name]) for name in plain.weights)
