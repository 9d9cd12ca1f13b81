from __future__ import annotations

import gc
import tempfile
import weakref
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch
from torch import nn

from bench_lib.harness import efficiency
from bench_lib.harness.efficiency import REPEATS, WARM_UP, deployed, footprint, sampled, saved_bytes, sparsity
from bench_lib.harness.formats.features import Feature
from bench_lib.runner.execute import execute
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.compression.prune_magnitude import PruneMagnitude
from bench_lib.techniques.interface.context import Committee, Training
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.toolkit.model_copies import plain_copy

FEW = {"train_examples": 8, "eval_examples": 4, "evaluations": 1}


# ---- the file --------------------------------------------------------------------------------------------------------


def test_a_file_is_as_large_as_it_is_and_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = {"a": torch.zeros(1000), "b": torch.ones(3, dtype=torch.int8)}
    other = tmp_path / "other"
    other.mkdir()
    torch.save(tensors, other / "model.pt")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    assert saved_bytes(tensors) == (other / "model.pt").stat().st_size
    assert list(tmp_path.iterdir()) == [other]


def test_a_number_takes_its_bytes_whatever_it_is() -> None:
    sizes = [saved_bytes({"a": torch.zeros(number, dtype=kind)}) for number, kind in SIZES]
    assert [size - sizes[0] for size in sizes] == [0, 4 * 1600, 1600]
    assert saved_bytes({"a": torch.rand(3200)}) == sizes[1]


SIZES = [(1600, torch.float32), (3200, torch.float32), (1600 * 5, torch.int8)]


def test_a_file_that_cannot_be_saved_leaves_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(torch, "save", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        saved_bytes({"a": torch.zeros(1)})
    assert not list(tmp_path.iterdir())


def test_sparsity_by_hand() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.LayerNorm(2, bias=False))
    model[0].weight.data = torch.tensor([[0.0, 1.0], [0.0, -0.0]])
    model[0].bias.data = torch.tensor([0.0, 3.0])
    assert sparsity(model) == 4 / 8


# ---- in the place of the trained model -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Halved(Technique):
    """Keeps half of the weights' magnitude, and notes in which mode it met the model; or fails in its own way."""

    name: ClassVar[str] = "halved"
    family: ClassVar[str] = "compression"
    paper: ClassVar[str] = "none"
    identity: ClassVar[None] = None
    observer: ClassVar[bool] = True

    error: type[Exception] | None = None

    def compress(self, training: Training) -> nn.Module:
        assert not training.model.training
        if self.error:
            raise self.error("out of luck")
        made = PruneMagnitude(0.0).compress(training)
        for parameter in made.parameters():
            parameter.data.mul_(0.5)
        return made


def test_it_stands_in_the_trained_models_place_for_a_while(prepare: Callable[..., Training]) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    training.model.train()
    own, pretrained = training.model, training.pretrained
    before = [p.detach().clone() for p in own.parameters()]
    with deployed(training, Halved()) as trained:
        assert trained is own
        assert training.model is not own
        assert training.pretrained == {}
        pairs = zip(training.model.parameters(), before, strict=True)
        assert all(torch.equal(p, b / 2) for p, b in pairs)
    assert (training.model, training.pretrained) == (own, pretrained)
    assert own.training
    assert all(torch.equal(a, b) for a, b in zip(before, own.parameters(), strict=True))


def test_it_predicts_alone(prepare: Callable[..., Training]) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    committee = Committee((), lambda predictions: predictions[0])
    with training.predicting_as(committee):
        with deployed(training, Halved()):
            assert training.committee is None
        assert training.committee is committee
    assert training.committee is None


@pytest.mark.parametrize("within", [True, False])
def test_the_trained_model_is_back_also_if_something_raises(prepare: Callable[..., Training], within: bool) -> None:
    training = prepare(TEXT_CLASSIFICATION)
    own, pretrained = training.model.train(), training.pretrained
    with pytest.raises(KeyError), deployed(training, Halved(None if within else KeyError)):
        raise KeyError
    assert (training.model, training.pretrained, own.training) == (own, pretrained, True)


# ---- the measuring ---------------------------------------------------------------------------------------------------


def test_batches_are_of_real_inputs_repeated_where_they_run_out(
    prepare: Callable[..., Training], featurise: Callable[..., list[Feature]]
) -> None:
    training, features = prepare(TEXT_CLASSIFICATION), featurise(TEXT_CLASSIFICATION)
    lengths = sorted(len(feature) for feature in features)
    one, many = (sampled(training, features, 0, size).inputs["attention_mask"].sum(1).tolist() for size in (1, 32))
    assert one == [lengths[2]], "the middle one of five"
    assert sorted(many) == sorted((lengths * 7)[:32])


@pytest.fixture
def ticking(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock by which warming up takes 100 seconds, and then each pass one more than the one before."""
    seconds = iter([*[100.0] * 2 * WARM_UP, *map(float, range(2 * REPEATS))] * 2)

    class Watch:
        def __init__(self, _device: torch.device) -> None:
            self.seconds = 0.0

        @contextmanager
        def running(self):
            yield
            self.seconds = next(seconds)

    monkeypatch.setattr(efficiency, "Stopwatch", Watch)


@pytest.mark.usefixtures("ticking")
def test_a_footprint_by_hand(prepare: Callable[..., Training], featurise: Callable[..., list[Feature]]) -> None:
    training, passes = prepare(TEXT_CLASSIFICATION), []
    features, state = featurise(TEXT_CLASSIFICATION), torch.get_rng_state()
    trained, training.model = training.model, PruneMagnitude(0.5).compress(training)
    for name, model in (("small", training.model), ("whole", trained)):
        model.train()
        model.register_forward_pre_hook(
            lambda m, _args, kwargs, name=name: passes.append(
                (name, len(kwargs["input_ids"]), m.training, torch.is_grad_enabled())
            ),
            with_kwargs=True,
        )
    found = footprint(training, trained, lambda size: sampled(training, features, 0, size))
    turns = [[("small", size, False, False), ("whole", size, False, False)] * (WARM_UP + REPEATS) for size in (1, 32)]
    assert passes == turns[0] + turns[1]
    # 0, 2, ... 12 of the one and 1, 3, ... 13 of the other.
    assert (found.latency.latency_1, found.latency.uncompressed_latency_1) == (6, 7)
    assert (found.latency.latency_32, found.latency.uncompressed_latency_32) == (6, 7)
    assert found.size.saved_bytes == found.size.uncompressed_bytes == saved_bytes(trained.state_dict())
    assert found.size.sparsity == sparsity(training.model) > sparsity(trained)
    assert torch.equal(torch.get_rng_state(), state)


# ---- the record ------------------------------------------------------------------------------------------------------


def test_a_run_says_how_large_what_it_trained_is_and_a_compressed_one_how_large_all_is(make_spec, train) -> None:
    whole, lora, small = execute([make_spec("sst2", **FEW)]) + execute(
        [make_spec("sst2", stack, **FEW) for stack in ("lora", "lora+quantize_dynamic_int8")]
    )
    trained = train("sst2", "lora", **FEW).training
    assert lora.size.saved_bytes == saved_bytes(trained.trainable()) < whole.size.saved_bytes / 50
    merged = plain_copy(trained.model).state_dict()
    assert small.size.uncompressed_bytes == saved_bytes(merged) == pytest.approx(whole.size.saved_bytes, rel=0.01)
    assert small.size.uncompressed_bytes < saved_bytes(trained.model.state_dict())
    assert small.size.saved_bytes < small.size.uncompressed_bytes


def test_what_a_pretraining_stage_changed_is_in_the_file_of_a_run_that_froze_it_then(train) -> None:
    stacks = ("lora", "tapt:epochs=1+lora", "tapt:epochs=0+lora", "freeze_bottom", "freeze_bottom+noisy_tune")
    lora, moved, same, frozen, noisy = (train("sst2", stack, **FEW) for stack in stacks)
    assert moved.record.cost.trainable_parameters == lora.record.cost.trainable_parameters
    assert same.record.size.saved_bytes == lora.record.size.saved_bytes
    body = sum(p.nbytes for name, p in moved.training.pretrained.items() if "pooler" not in name)
    assert body < moved.record.size.saved_bytes - lora.record.size.saved_bytes < body * 1.1
    assert frozen.record.size.saved_bytes < noisy.record.size.saved_bytes


@pytest.mark.parametrize("error", ["Unsupported", "RuntimeError"])
def test_what_fails_to_compress_fails_alone(make_spec, monkeypatch: pytest.MonkeyPatch, error: str) -> None:
    from bench_lib.core import errors

    kind = getattr(errors, error, RuntimeError)
    monkeypatch.setitem(TECHNIQUES._entries, "halved", Halved)
    monkeypatch.setattr(Halved, "compress", lambda *_: (_ for _ in ()).throw(kind("out of luck")))
    specs = [make_spec("sst2", stack, **FEW) for stack in ("adamw", "halved", "ema+halved", "prune_magnitude")]
    base, *failed, other = execute(specs)
    (alone,) = execute(specs[:1])
    assert base.result() == alone.result()
    assert other.score is not None
    for record in failed:
        assert record.status == {"Unsupported": "unsupported", "RuntimeError": "crashed"}[error]
        assert "out of luck" in record.reason
        assert (record.score, record.size.sparsity, record.cost.steps) == (None, None, base.cost.steps)


def test_a_copy_that_failed_is_not_kept_in_memory(make_spec, monkeypatch: pytest.MonkeyPatch) -> None:
    copies: list[weakref.ref[nn.Module]] = []
    alive_at_the_next: list[bool] = []

    def compress(self: Technique, training: Training) -> nn.Module:
        if copies:
            alive_at_the_next.append(copies[0]() is not None)
        copied = plain_copy(training.model)
        copies.append(weakref.ref(copied))
        raise ValueError("out of luck")

    class After(Halved):
        """Compresses after another has failed to, in an observer run of its own."""

        name: ClassVar[str] = "after"

    for technique in (Halved, After):
        monkeypatch.setitem(TECHNIQUES._entries, technique.name, technique)
    monkeypatch.setattr(Halved, "compress", compress)
    gc.collect()
    gc.disable()  # what is alive is alive by a reference, and not for want of a collection
    try:
        records = execute([make_spec("sst2", stack, **FEW) for stack in ("halved", "after")])
    finally:
        gc.enable()
    assert [record.status for record in records] == ["crashed", "crashed"]
    assert "ValueError: out of luck" in records[0].reason
    assert alive_at_the_next == [False]


def test_each_evaluation_is_of_the_compressed_model_where_one_is_chosen(make_spec) -> None:
    changes = {**FEW, "train_examples": 40, "eval_examples": 24, "evaluations": 4, "learning_rate": 0.01}
    stacks = ("best_checkpoint:on=evaluation+layer_drop", "layer_drop")
    chosen, last = execute([make_spec("sst2", stack, **changes) for stack in stacks])
    assert len(chosen.evaluations.steps) == 4
    assert last.evaluations.steps == chosen.evaluations.steps[-1:]
    assert last.evaluations.scores == chosen.evaluations.scores[-1:]
    assert chosen.score == max(chosen.evaluations.scores)
    assert chosen.size.sparsity is not None
