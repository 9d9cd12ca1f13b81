from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench_lib.core.errors import Unavailable, Unsupported
from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import RunRecord
from bench_lib.core.spec import Profile, Ref, RunSpec
from bench_lib.harness.datasets import Subset, data_key, dev_examples, unread_examples
from bench_lib.harness.formats.features import IGNORED, Feature
from bench_lib.harness.pretraining import RunPretraining
from bench_lib.models.load import load_tokenizer
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION, Example, TextExample
from bench_lib.tasks.sources.load import load_data
from bench_lib.tasks.task import Data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Output, Training
from bench_lib.techniques.interface.pretraining import PretrainingStage, Study
from bench_lib.techniques.interface.stack import Stack, parse_stack
from bench_lib.techniques.interface.technique import Technique

Prepare = Callable[..., Training]
Featurise = Callable[..., list[Feature]]
Play = Callable[..., RunPretraining]
FEW = {"train_examples": 8, "eval_examples": 4}


@pytest.fixture
def play(data: Path, tiny: Ref, prepare: Prepare, featurise: Featurise) -> Play:
    """The pre-training stage of a run on SST-2; its five training texts are those of the fixtures."""

    def other(task: str) -> Data:
        return load_data(TASKS.get(task), str(data))

    def stage(*techniques: Technique, **changes: object) -> RunPretraining:
        training = prepare(TEXT_CLASSIFICATION, **changes)
        profile, stack = training.profile, Stack(techniques)
        key = data_key(load_data(TASKS.get("sst2"), str(data)), tiny, profile, stack)
        features = featurise(TEXT_CLASSIFICATION)
        return RunPretraining(key, Subset.of(profile, 0), profile, other, stack, training, features, owner="one")

    return stage


class Words(nn.Module):
    """Says of each place a number that the body's first block learns."""

    base_model_prefix = "bert"

    def __init__(self, training: Training) -> None:
        super().__init__()
        self.bert = training.model.get_submodule("bert")
        self.batches: list[Tensor] = []

    def forward(self, **inputs: Tensor) -> object:
        self.batches.append(inputs["input_ids"])
        return type("Raw", (), {"logits": self.bert(**inputs)[0]})


def test_a_study_reads_what_was_corrupted_and_is_asked_for_the_first_ids(play: Play) -> None:
    stage = play()
    model, seen = Words(stage.training), []

    def second(ids: np.ndarray, special: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        assert special[0]
        assert not special[1]
        return np.where(np.arange(len(ids)) == 1, 999, ids), np.arange(len(ids)) == 1

    def loss(output: Output) -> Tensor:
        seen.append(output.targets[0])
        assert len(output.logits[0]) == len(output.targets[0]) == int(output.places.sum())
        return output.logits[0].square().mean()

    profile = dataclasses.replace(stage.profile, epochs=2, batch_size=4, accumulate=2)
    stage.study(Study(model, second, loss), profile)
    assert [len(ids) for ids in model.batches] == [len(targets) for targets in seen]
    assert sorted(map(len, seen)) == [1, 1, 2, 2, 2, 2]
    assert all((ids[:, 1] == 999).all() for ids in model.batches)
    first = sorted(int(feature.input_ids[1]) for feature in stage.features)
    assert sorted(torch.cat(seen[:3]).tolist()) == sorted(torch.cat(seen[3:]).tolist()) == first
    assert all((feature.targets != IGNORED).all() for feature in stage.features), "the run's own are left alone"


def test_what_it_took_adds_up_and_is_reported_by_owner(play: Play) -> None:
    stage = play()
    study = Study(Words(stage.training), lambda ids, special: (ids, ~special), lambda output: output.logits[0].sum())
    words = sum(map(len, stage.features))
    for owner, epochs in (("one", 1), ("two", 3)):
        stage.owner = owner
        stage.study(study, dataclasses.replace(stage.profile, epochs=epochs, batch_size=2))
    # Five texts in batches of two: three steps to an epoch.
    assert (stage.cost.forward_passes, stage.cost.backward_passes) == (12, 12)
    assert stage.cost.tokens == 4 * words
    assert (stage.cost.steps, stage.cost.examples) == (0, 0)
    assert stage.cost.seconds > 0
    reported = stage.training.reported
    assert [reported[f"{owner}.steps"] for owner in ("one", "two")] == [3, 9]
    assert reported["two.forward_passes"] == reported["two.backward_passes"] == 9
    assert stage.progress().reported == reported


def test_texts_without_a_word_are_left_out_and_alone_are_nothing_to_study(play: Play) -> None:
    stage = play()
    empty = dataclasses.replace(stage.features[0], special=np.ones_like(stage.features[0].special))
    model = Words(stage.training)
    study = Study(model, lambda ids, special: (ids, ~special), lambda output: output.logits[0].sum())
    stage.features = [empty, stage.features[1]]
    stage.study(study, dataclasses.replace(stage.profile, epochs=1))
    assert [len(ids) for ids in model.batches] == [1]
    stage.features = [empty]
    with pytest.raises(Unsupported, match="one finds no word in the training texts"):
        stage.study(study, stage.profile)


def test_pieces_are_the_tokenizers_and_need_a_mask(play: Play, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = play()
    assert stage.pieces() == (103, 30522)
    monkeypatch.setitem(load_tokenizer(stage.key.model)._special_tokens_map, "mask_token", None)
    with pytest.raises(Unsupported, match="one needs a model whose tokenizer has a mask, which tiny lacks"):
        stage.pieces()


def test_unlabelled_examples_are_the_same_for_every_seed_and_none_is_trained_on(play: Play) -> None:
    one, two = (play(seed=seed, train_examples=30, dev_examples=2) for seed in (0, 1))
    assert one.unlabelled(4) == two.unlabelled(4)
    every = one.unlabelled(99)
    dev = {example.inputs for example in dev_examples(one.key.data, one.subset, 2)}
    assert not {example.inputs for example in every} & dev
    assert len(every) == len(unread_examples(one.key.data, one.subset)) - 2 > 4
    assert set(one.unlabelled(4)) < set(every)
    with pytest.raises(Unsupported, match="one finds no training example of sst2 that the run does not use"):
        play(train_examples=None).unlabelled(1)


def test_what_is_evaluated_on_is_not_unlabelled(play: Play) -> None:
    stage = play(train_examples=30, dev_examples=1)
    every = stage.unlabelled(99)
    shared = (dataclasses.replace(every[0], label=1 - every[0].label), every[3])
    data = dataclasses.replace(stage.key.data, evaluation=shared)
    stage.key = dataclasses.replace(stage.key, data=data)
    known = {example.inputs for example in (*shared, *dev_examples(data, stage.subset, 1))}
    assert {e.inputs for e in stage.unlabelled(99)} == {e.inputs for e in unread_examples(data, stage.subset)} - known


def test_added_examples_are_trained_on_with_the_rest(play: Play) -> None:
    stage = play()
    stage.add([TextExample("more of it", 1)])
    assert stage.sequences == 6
    assert stage.features[5].targets.tolist() == [1]


@pytest.mark.parametrize(("source", "raised"), [("hub", Unavailable), ("embedded", Unsupported)])
def test_a_task_that_is_out_of_reach_for_now_is_not_declined_for_good(
    play: Play, source: str, raised: type[Exception]
) -> None:
    def unreachable(*_: object) -> None:
        raise Unavailable("not there")

    stage = play()
    stage.other_data = unreachable
    stage.key = dataclasses.replace(stage.key, data=dataclasses.replace(stage.key.data, source=source))
    with pytest.raises(raised, match="not there"):
        stage.tune("mrpc", stage.profile)


# ---- within a run ----------------------------------------------------------------------------------------------------


class Teaches(Technique):
    """Trains a teacher and forgets what it said."""

    name, paper, identity = "teaches", "none", None

    def pretrain(self, stage: PretrainingStage) -> None:
        examples: list[Example] = [TextExample("a fine film", 1)]
        assert stage.pseudo_labels(examples).values.shape == (1, 2)


class Explodes(Teaches):
    """A teacher whose loss is infinite at the second step."""

    name = "explodes"

    def loss(self, output: Output) -> Tensor:
        self.steps.append(1)
        return output.logits[0].mean() * (math.inf if len(self.steps) == 2 else 1.0)

    steps: list[int] = []  # noqa: RUF012 (shared on purpose)


@pytest.fixture
def run(data: Path, tiny: Ref, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., RunRecord]]:
    for technique in (Teaches, Explodes):
        monkeypatch.setitem(TECHNIQUES._entries, technique.name, technique)

    def one(stack: str, **changes: object) -> RunRecord:
        task = TASKS.get("sst2")
        profile: Profile = dataclasses.replace(PROFILES.get("smoke")("sst2", task.format), **{**FEW, **changes})
        found = Ref(str(data), load_data(task, str(data)).fingerprint)
        spec = RunSpec("sst2", task.version, found, parse_stack(stack, TECHNIQUES).spec(), tiny, profile, 0)
        return execute([spec])[0]

    yield one
    Explodes.steps.clear()


def test_a_pretraining_stage_leaves_the_streams_of_the_training_alone(run: Callable[..., RunRecord]) -> None:
    base, taught = run("adamw", epochs=2), run("teaches", epochs=2)
    assert taught.curve.loss == base.curve.loss
    assert taught.evaluations.scores == base.evaluations.scores
    assert (taught.cost.steps, taught.cost.examples) == (base.cost.steps, base.cost.examples) == (2, 16)
    assert (taught.cost.forward_passes, taught.cost.tokens) == (2 * base.cost.forward_passes, 2 * base.cost.tokens)
    # The teacher draws from streams of its own.
    assert taught.reported["teaches.loss"] != base.curve.loss[-1]


def test_the_stack_trains_the_teacher_too(run: Callable[..., RunRecord]) -> None:
    for stack in ("r_drop", "fgm", "child_tuning_d"):
        alone, taught = run(stack), run(f"teaches+{stack}")
        assert taught.reported["teaches.forward_passes"] == alone.cost.forward_passes
        assert taught.reported["teaches.backward_passes"] == alone.cost.backward_passes
        assert taught.cost.forward_passes == 2 * alone.cost.forward_passes


def test_a_pretraining_stage_that_diverges_is_the_runs_end_and_its_cost(run: Callable[..., RunRecord]) -> None:
    record = run("explodes", epochs=3)
    assert record.status == "diverged"
    assert record.reason == "explodes, before the training: the loss was not finite at step 2"
    assert (record.cost.steps, record.curve.loss, record.score) == (0, (), None)
    assert record.cost.forward_passes == record.cost.backward_passes > 0
    assert record.cost.tokens > 0
    assert record.timing.train_seconds > 0
