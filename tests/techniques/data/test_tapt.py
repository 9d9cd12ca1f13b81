from __future__ import annotations

import dataclasses

import pytest
import torch
from transformers import AutoModelForMaskedLM

from bench_lib.core.spec import Profile
from bench_lib.models import MODELS
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.techniques.data.tapt import TAPT

FEW = {"train_examples": 8, "eval_examples": 4}


def test_the_published_settings():
    budget = TAPT()._budget(Profile(epochs=7, learning_rate=5e-4, schedule="cosine", weight_decay=0.1), 3000)
    assert (budget.epochs, budget.batch_size, budget.accumulate) == (100, 256, 16)
    assert (budget.learning_rate, budget.schedule, budget.warmup) == (1e-4, "linear", 0.06)
    assert (budget.beta1, budget.beta2, budget.eps, budget.weight_decay) == (0.9, 0.98, 1e-6, 0.01)


@pytest.mark.parametrize(
    ("sequences", "epochs"),
    # 12,500 steps: of 250 to an epoch 50, of 251 to an epoch 49; one epoch whatever its length.
    [(32_000, 100), (64_000, 50), (64_001, 49), (10_000_000, 1)],
)
def test_large_sets_are_capped_in_whole_epochs(sequences, epochs):
    assert TAPT()._budget(Profile(), sequences).epochs == epochs


def test_a_batch_is_gathered_from_the_profiles_micro_batches():
    for batch, accumulate, found in ((16, 2, (256, 32)), (24, 2, (264, 22)), (512, 1, (512, 1))):
        budget = TAPT()._budget(Profile(batch_size=batch, accumulate=accumulate), 100)
        assert (budget.batch_size, budget.accumulate) == found


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_the_body_is_another_and_the_head_the_same_when_the_training_begins(train, task):
    still = {**FEW, "learning_rate": 0.0}
    base, run = train(task, **still), train(task, "tapt:epochs=3:learning_rate=0.01", **still)
    moved = {n for n, p in run.parameters.items() if not torch.equal(p, base.parameters[n])}
    assert {n for n in run.parameters if "embeddings" in n or ".layer." in n} == moved
    assert run.record.drift != base.record.drift
    assert run.training.pretrained.keys() == base.training.pretrained.keys()
    pretrained = base.training.pretrained
    assert all(torch.equal(p, pretrained[n]) for n, p in run.training.pretrained.items())


def test_the_words_are_learnt(train):
    """Sixteen words make up the texts: their share alone is worth more than a nat over a uniform guess."""
    losses = [
        train(
            "sst2", f"tapt:epochs={n}:learning_rate=0.01:warmup=0.0:batch_size=8", train_examples=16, eval_examples=4
        ).record.reported["tapt.loss"]
        for n in (1, 8)
    ]
    assert losses[1] < losses[0] - 1


def test_its_steps_are_a_cost_and_not_the_trainings_own(train):
    base, run = (train("sst2", stack, **FEW, epochs=2).record for stack in ("adamw", "tapt:epochs=3:batch_size=4"))
    # Micro-batches of 8, the profile's own, are the least.
    assert run.reported["tapt.steps"] == run.reported["tapt.forward_passes"] == 3
    assert (run.cost.steps, run.cost.examples) == (base.cost.steps, base.cost.examples) == (2, 16)
    assert len(run.curve.loss) == 2
    assert (run.cost.forward_passes, run.cost.backward_passes) == (
        base.cost.forward_passes + 3,
        base.cost.backward_passes + 3,
    )
    assert run.cost.tokens == base.cost.tokens + 3 * base.cost.tokens // 2
    assert run.timing.train_seconds > base.timing.train_seconds


@pytest.mark.parametrize("name", ["bert", "roberta"])
def test_the_words_are_told_by_the_head_that_the_checkpoint_was_pretrained_with(families, make_spec, name):
    """Another head over the same body is another loss at the start; without one a new head is drawn, as is said."""
    spec = make_spec("sst2", "tapt:epochs=1:learning_rate=1e-30", **FEW)

    def record(folder):
        (found,) = execute([dataclasses.replace(spec, model=resolve(str(folder), MODELS))])
        assert found.status in ("converged", "collapsed"), found.reason
        return found

    with_head = families.folder(name, AutoModelForMaskedLM, f"{name}-tapt")
    first = record(with_head)
    model = AutoModelForMaskedLM.from_pretrained(with_head)
    tell = next(
        p for n, p in model.named_parameters() if n.endswith(("transform.dense.weight", "lm_head.dense.weight"))
    )
    torch.nn.init.zeros_(tell)
    model.save_pretrained(with_head)
    second = record(with_head)
    model.base_model.save_pretrained(with_head)
    without = record(with_head)
    told = [found.reported["tapt.pretrained_head"] for found in (first, second, without)]
    assert told == [1.0, 1.0, 0.0]
    assert len({found.reported["tapt.loss"] for found in (first, second, without)}) == 3
    assert (first.predictions.values == second.predictions.values).all(), "a head is dropped"


def test_nothing_to_read_is_nothing_to_learn(train):
    record = train("sst2", "tapt", train_examples=0, eval_examples=4).record
    assert (record.cost.steps, record.cost.forward_passes, dict(record.reported)) == (0, 0, {})


def test_another_technique_finds_the_adapted_body(train):
    """The lower half is frozen as the masked words have left it."""
    half = train("sst2", "tapt:epochs=2:learning_rate=0.01+freeze_bottom", **FEW).parameters
    only = train("sst2", "tapt:epochs=2:learning_rate=0.01", **FEW, learning_rate=0.0).parameters
    frozen = [n for n in half if "embeddings" in n or "layer.0." in n]
    assert len(frozen) > 10
    assert all(torch.equal(half[n], only[n]) for n in frozen)
