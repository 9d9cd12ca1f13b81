"""Toys small enough to compute by hand, and one micro-batch of the tiny model."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence

import pytest
import torch
from torch import Tensor, nn

from bench_lib.core.record import RunRecord
from bench_lib.core.seeds import derive
from bench_lib.core.spec import Profile
from bench_lib.harness.batches import collate
from bench_lib.harness.datasets import Subset, data_key, train_features
from bench_lib.harness.step import MicroStep, Passes
from bench_lib.models.architecture import architecture_of
from bench_lib.runner.resolved import spec_data
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TEXT_CLASSIFICATION
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Output, Training
from bench_lib.techniques.interface.hooks import AfterUpdate
from bench_lib.techniques.interface.technique import Technique


class ToyModel(nn.Module):
    """Embeddings, two blocks, a pooler and a head, two units wide."""

    base_model_prefix = "body"

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Module()
        self.body.embeddings = nn.Embedding(4, 2)
        self.body.layer = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
        self.body.pooler = nn.Linear(2, 2)
        self.classifier = nn.Linear(2, 2)

    def get_input_embeddings(self) -> nn.Module:
        embeddings: nn.Module = self.body.embeddings
        return embeddings


class ToyStep:
    """A micro-batch of `ToyModel`: one logit a row, the sum of its embedded values, and their mean as the loss."""

    def __init__(self, training: Training, ids: Tensor, real_tokens: Tensor) -> None:
        self.training, self.ids, self.real_tokens, self.number = training, ids, real_tokens, 0
        self.repeats: list[int] = []
        self.losses: list[float] = []

    def forward(self, repeat: int = 0, hidden: bool = False, full_precision: bool = False) -> Output:
        self.repeats.append(repeat)
        embedded = self.training.model.get_input_embeddings()(self.ids)  # (batch, length, hidden)
        targets = torch.zeros(len(self.ids), dtype=torch.long)
        return Output((embedded.sum((1, 2))[:, None],), (targets,), first_token(self.ids), (embedded,) * hidden)

    def loss(self, output: Output) -> Tensor:
        return output.logits[0].mean()

    def backward(self, loss: Tensor) -> None:
        self.losses.append(loss.item())
        loss.backward()


class TwoClasses(ToyStep):
    """A micro-batch whose two logits a row are the sums of its tokens' two embedded values; every other row is of 1."""

    def __init__(self, training: Training, ids: Tensor, real_tokens: Tensor) -> None:
        super().__init__(training, ids, real_tokens)
        self.asked: list[tuple[int, bool]] = []

    def forward(self, repeat: int = 0, hidden: bool = False, full_precision: bool = False) -> Output:
        self.asked.append((repeat, full_precision))
        logits = self.training.model.get_input_embeddings()(self.ids).sum(1)
        return Output((logits,), (torch.arange(len(self.ids)) % 2,), self.real_tokens)

    def loss(self, output: Output) -> Tensor:
        return nn.functional.cross_entropy(output.logits[0], output.targets[0])


class Squares(ToyStep):
    """Texts whose loss is half the sum of their squared values: its gradient is what is embedded."""

    def forward(self, repeat: int = 0, hidden: bool = False, full_precision: bool = False) -> Output:
        output = super().forward(repeat, hidden=True)
        return Output((output.hidden[0].square().sum((1, 2))[:, None] / 2,), output.targets, output.places)


def first_token(ids: Tensor) -> Tensor:
    """The first place of each sequence, as a mask of the shape of the ids."""
    mask = torch.zeros(ids.shape[:2], dtype=torch.bool)
    mask[:, 0] = True
    return mask


class GivenStep:
    """A micro-batch whose logits are given, one set for each pass, and with them the hidden states of each pass."""

    def __init__(
        self, passes: Sequence[Tensor], targets: Tensor, hidden: Sequence[tuple[Tensor, ...]] | None = None
    ) -> None:
        self.passes, self.targets, self.hidden = passes, targets, hidden
        self.real_tokens = torch.ones(hidden[0][0].shape[:2] if hidden else (len(targets), 1), dtype=torch.bool)
        self.calls: list[tuple[int, bool, bool]] = []

    def forward(self, repeat: int = 0, hidden: bool = False, full_precision: bool = False) -> Output:
        """The logits of the next pass, whatever its `repeat` number."""
        number = len(self.calls)
        self.calls.append((repeat, hidden, full_precision))
        states = self.hidden[number] if self.hidden and hidden else ()
        return Output((self.passes[number],), (self.targets,), first_token(self.real_tokens), states)

    def loss(self, output: Output) -> Tensor:
        return nn.functional.cross_entropy(output.logits[0], output.targets[0])

    def backward(self, loss: Tensor) -> None:
        loss.backward()


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """As runs have it; more threads only wait for each other at this size."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def toy() -> Training:
    """A training of `ToyModel` in which everything but the head is pre-trained."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = ToyModel()
    return Training(
        model=model,
        architecture=architecture_of(model),
        format=TEXT_CLASSIFICATION,
        profile=Profile(),
        pretrained={n: p.detach().clone() for n, p in model.named_parameters() if n.startswith("body")},
        seed=lambda stream, *names: derive(0, stream, *names),
        total_steps=10,
    )


@pytest.fixture
def toy_step(toy: Training) -> Callable[[list[list[int]], list[list[bool]]], ToyStep]:
    return lambda ids, real: ToyStep(toy, torch.tensor(ids), torch.tensor(real))


@pytest.fixture
def two_classes(toy: Training) -> Callable[[list[list[int]], list[list[bool]]], TwoClasses]:
    return lambda ids, real: TwoClasses(toy, torch.tensor(ids), torch.tensor(real))


@pytest.fixture
def squares(toy: Training) -> Callable[[list[list[int]], list[list[bool]]], Squares]:
    return lambda ids, real: Squares(toy, torch.tensor(ids), torch.tensor(real))


@pytest.fixture
def given_step() -> Callable[..., GivenStep]:
    return GivenStep


@pytest.fixture
def micro_step(make_spec: Callable, train: Callable) -> Callable[..., MicroStep]:
    """A micro-batch of four examples for a model that a stack prepared and that took no step away from there."""

    def make(task: str, stack: str = "adamw") -> MicroStep:
        changes = {"learning_rate": 0.0, "train_examples": 8, "eval_examples": 8}
        training = train(task, stack, **changes).training
        spec = make_spec(task, stack, **changes)
        features = train_features(data_key(spec_data(spec), spec.model, spec.profile), Subset(8, 0))[:4]
        batch = collate(features, TASKS.get(task).format, 0, training.device)
        training.optimizer.zero_grad()
        scaler = torch.amp.GradScaler(training.device.type, enabled=False)
        return MicroStep(training, batch, 0, 1.0, Passes(), scaler)

    return make


@pytest.fixture
def follow(toy: Training) -> Callable[..., Training]:
    """A toy training from its start on, after whose updates all weights had these values, seen by an observer."""

    def updates(observer: AfterUpdate, values: Sequence[float], total: int | None = None) -> Training:
        toy.memory.clear()
        toy.total_steps = len(values) if total is None else total
        for toy.step, value in enumerate(values):
            with torch.no_grad():
                for parameter in toy.model.parameters():
                    parameter.fill_(value)
            observer.after_update(toy)
        toy.step = len(values)
        return toy

    return updates


@pytest.fixture
def moves(train: Callable, monkeypatch: pytest.MonkeyPatch) -> Callable[..., tuple[RunRecord, list[dict[str, Tensor]]]]:
    """The record of a run, and for each update what it added to the parameters that it changed."""
    seen: list[dict[str, Tensor]] = []

    class Snapshots(Technique):
        """Keeps the weights before the first update and after each."""

        name, paper, identity = "snapshots", "none", None

        def prepare(self, training: Training) -> None:
            seen[:] = [{n: p.detach().clone() for n, p in training.model.named_parameters()}]

        def after_update(self, training: Training) -> None:
            seen.append({n: p.detach().clone() for n, p in training.model.named_parameters()})

    def run(task: str, stack: str, **changes: object) -> tuple[RunRecord, list[dict[str, Tensor]]]:
        with monkeypatch.context() as patch:
            patch.setitem(TECHNIQUES._entries, "snapshots", Snapshots)
            record = train(task, f"{stack}+snapshots", **changes).record
        pairs = itertools.pairwise(seen)
        return record, [{n: b[n] - a[n] for n in a if not torch.equal(a[n], b[n])} for a, b in pairs]

    return run


@pytest.fixture
def encoders() -> Callable[[str], Training]:
    """A training of a small model of a family, random weights, three blocks of four heads, in evaluation mode."""
    import transformers

    def make(family: str) -> Training:
        sizes = {"hidden_size": 8, "num_hidden_layers": 3, "num_attention_heads": 4, "intermediate_size": 16}
        if family == "DistilBert":
            sizes = {"dim": 8, "n_layers": 3, "n_heads": 4, "hidden_dim": 16}
        config = getattr(transformers, f"{family}Config")(vocab_size=50, max_position_embeddings=40, **sizes)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = getattr(transformers, f"{family}ForSequenceClassification")(config)
            for parameter in model.parameters():
                torch.nn.init.normal_(parameter)
        architecture, profile = architecture_of(model), Profile()
        return Training(model.eval(), architecture, TEXT_CLASSIFICATION, profile, {}, lambda *names: derive(0, *names))

    return make
