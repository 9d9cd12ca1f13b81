from __future__ import annotations

import dataclasses
import json
import math
import os
import pickle
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from torch import Tensor

from bench_lib.core.errors import BadData, BenchError, Unavailable
from bench_lib.core.profiles import PROFILES
from bench_lib.core.record import CIRCUMSTANCES, RunRecord, Status
from bench_lib.core.seeds import STREAMS
from bench_lib.core.spec import Profile, Ref, RunSpec, canonical_json
from bench_lib.models import MODELS
from bench_lib.models.load import load_tokenizer
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.runner.records import blank_record
from bench_lib.runner.resolved import resolve_run
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import TOKEN_CLASSIFICATION, Format, TagExample
from bench_lib.tasks.sources import load
from bench_lib.tasks.sources.load import load_data
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.context import Step, Training
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.techniques.interface.technique import Technique
from bench_lib.techniques.interface.training_set import Corpus

Plan = Callable[..., RunSpec]

# ---- data, plans and techniques of these tests -----------------------------------------------------------------------

PLACES = ("Oslo", "Berne", "Lima", "Cairo", "Quito")


def rows_of(task: str) -> list[dict[str, Any]]:
    """Sixty rows in the hub's columns, no two alike."""
    numbers = range(60)
    if task == "sst2":
        words = ("dull", "fine")
        return [
            {"sentence": f"a {words[i % 2]} film of {i} scenes{' and more' * (i % 5)}", "label": i % 2, "idx": i}
            for i in numbers
        ]
    if task == "conll2003":
        return [
            {
                "tokens": ["On", f"{i}", "we", "left", PLACES[i % 5], *["again"] * (i % 4)],
                "ner_tags": [0, 0, 0, 0, 5, *[0] * (i % 4)],
            }
            for i in numbers
        ]
    rows = []
    for i in numbers:
        context = f"{'On and on . ' * (i % 3)}They sold {i + 100} boats in {PLACES[i % 5]} ."
        answer = {"text": [f"{i + 100}"], "answer_start": [context.index(f"{i + 100}")]}
        rows.append({"id": f"q{i}", "title": "t", "context": context, "question": "How many boats?", "answers": answer})
    return rows


def write(folder: Path, task: str, rows: Sequence[dict[str, Any]]) -> None:
    (folder / task).mkdir(parents=True, exist_ok=True)
    for split, part in (("train", rows[:36]), ("validation", rows[36:])):
        pq.write_table(pa.Table.from_pylist(list(part)), folder / task / f"{split}.parquet")


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    for task in ("sst2", "conll2003", "squad"):
        write(folder, task, rows_of(task))
    return folder


def planned(folder: Path, stack: str = "adamw", task: str = "sst2", seed: int = 0, **profile: Any) -> RunSpec:
    chosen = TASKS.get(task)
    frozen = profile.pop("frozen", (("subset", 0),))
    return RunSpec(
        task=task,
        task_version=chosen.version,
        data=Ref(str(folder), load_data(chosen, str(folder)).fingerprint),
        stack=parse_stack(stack, TECHNIQUES).spec(),
        model=resolve("tiny", MODELS),
        profile=dataclasses.replace(PROFILES.get("smoke")(task, chosen.format), **profile),
        seed=seed,
        profile_name="smoke",
        frozen=frozen,
    )


@pytest.fixture
def plan(data: Path) -> Plan:
    return lambda *names, **settings: planned(data, *names, **settings)


def run(spec: RunSpec) -> RunRecord:
    (record,) = execute([spec])
    return record


def text(record: RunRecord) -> str:
    """All that a run must reproduce, as text: its result, and its predictions to the bit."""
    found = record.predictions
    arrays = (
        []
        if found is None
        else [found.values.tobytes().hex(), None if found.lengths is None else found.lengths.tolist()]
    )
    return canonical_json([record.result(), arrays])


@pytest.fixture
def register() -> Iterator[Callable[[type[Technique]], None]]:
    """Register techniques for one test."""
    names: list[str] = []

    def add(technique: type[Technique]) -> None:
        TECHNIQUES.add(technique.name, technique)
        names.append(technique.name)

    yield add
    for name in names:
        del TECHNIQUES._entries[name]


@dataclass(frozen=True)
class Fails(Technique):
    """Raises, or sets a weight to NaN, after an update."""

    name = "fails"
    paper = "none"
    identity = None

    at: int = 2
    how: str = "raise"

    def after_update(self, training: Training) -> None:
        if training.step + 1 != self.at:
            return
        if self.how == "nan":
            next(iter(training.trainable().values())).data.fill_(math.nan)
            return
        raise {
            "raise": ValueError("the technique's own words"),
            "cuda": torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
            "cpu": RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes."),
            "python": MemoryError(),
        }[self.how]


@dataclass(frozen=True)
class Prepares(Technique):
    """Cannot prepare the model."""

    name = "prepares"
    paper = "none"
    identity = None

    def prepare(self, training: Training) -> None:
        raise KeyError("no such layer")


@dataclass(frozen=True)
class Greedy(Technique):
    """Asks for more memory than there is."""

    name = "greedy"
    paper = "none"
    identity = None

    def after_update(self, training: Training) -> None:
        torch.empty(2**60, dtype=torch.uint8)


@dataclass(frozen=True)
class Declines(Technique):
    """Takes no words."""

    name = "declines"
    paper = "none"
    identity = None

    def declines(self, task_format: Format) -> str | None:
        return "words have no class" if task_format is TOKEN_CLASSIFICATION else None


@dataclass(frozen=True)
class Spies(Technique):
    """Notes what it is trained on, and with which head it begins."""

    name = "spies"
    paper = "none"
    identity = None

    def backward(self, step: Step) -> Tensor:
        training = step.training
        SEEN.append(step.batch.inputs["input_ids"].tolist())
        if training.step == 0:
            HEADS.append(dict(training.model.named_parameters())["classifier.weight"].detach().clone())
        loss = step.loss(step.forward())
        step.backward(loss)
        return loss.detach()


SEEN: list[Any] = []
HEADS: list[Tensor] = []


@dataclass(frozen=True)
class Doubles(Technique):
    """Gives every training example twice, in an order of its own."""

    name = "doubles"
    paper = "none"
    identity = None

    def augment(self, corpus: Corpus) -> Sequence[Any]:
        train, evaluation, generator = corpus.train, corpus.evaluation, corpus.generator
        assert not set(train) & set(evaluation)
        return [(*train, *train)[i] for i in generator.permutation(2 * len(train))]


# ---- the same spec, the same record ----------------------------------------------------------------------------------

CELLS = [("adamw", "sst2"), ("mixout", "conll2003"), ("r_drop", "squad")]


@pytest.mark.parametrize(("stack", "task"), CELLS)
def test_a_run_is_the_same_twice_whatever_ran_before(plan: Plan, stack: str, task: str) -> None:
    first = run(plan(stack, task))
    assert first.status in (Status.CONVERGED, Status.COLLAPSED), first.reason
    assert text(run(plan(stack, task))) == text(first)
    random.seed(1)
    np.random.seed(1)
    torch.manual_seed(1)
    run(plan("lora" if task == "sst2" else "adamw", "sst2", seed=5, precision="bf16", batch_size=4))
    assert text(run(plan(stack, task))) == text(first)


@pytest.mark.exhaustive
def test_a_run_is_the_same_in_another_process(plan: Plan) -> None:
    specs = [plan(stack, task) for stack, task in CELLS] + [plan("adamw", "sst2", precision="bf16")]
    script = (
        "import json, pickle, sys\n"
        "from bench_lib.runner.execute import execute\n"
        "from bench_lib.core.spec import canonical_json\n"
        "records = [execute([spec])[0] for spec in pickle.load(sys.stdin.buffer)]\n"
        "values = [r.predictions.values.tobytes().hex() for r in records]\n"
        "print(json.dumps([[canonical_json(r.result()) for r in records], values]))\n"
    )
    # In the other order, so that nothing that is kept from one run to the next decides.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        input=pickle.dumps(specs[::-1]),
        capture_output=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONHASHSEED": "77"},
    )
    assert done.returncode == 0, done.stderr.decode()
    results, values = json.loads(done.stdout)
    ours = [run(spec) for spec in specs[::-1]]
    assert results == [canonical_json(record.result()) for record in ours]
    assert values == [record.predictions.values.tobytes().hex() for record in ours if record.predictions]


def test_seeds_differ(plan: Plan) -> None:
    one, other = run(plan(seed=0)), run(plan(seed=1))
    assert one.curve.loss != other.curve.loss
    assert one.run_id != other.run_id


def test_circumstances_do_not_enter_the_result(plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    first = run(plan())
    monkeypatch.setattr("bench_lib.runner.execute.provenance", lambda device: {"cpu": "another"})
    second = run(dataclasses.replace(plan(), profile_name="renamed"))
    assert second.provenance == {"cpu": "another", "new_parameters": "classifier", "head_layers": "1"}
    assert second.profile == "renamed"
    assert second.timing.train_seconds != first.timing.train_seconds
    assert text(second) == text(first)
    assert not CIRCUMSTANCES & first.result().keys()


def test_observers_ride_along_and_get_what_they_would_get_alone(plan: Plan) -> None:
    stacks = ("adamw", "adamw+ema", "adamw+early_stopping:patience=1")
    specs = [plan(stack, evaluations=4, epochs=2) for stack in stacks]
    together = execute(specs)
    assert [record.run_id for record in together] == [spec.run_id() for spec in specs]
    assert len({record.training_id for record in together}) == 1
    for spec, record in zip(specs, together, strict=True):
        assert text(record) == text(run(spec))


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_a_trial_is_scored_on_the_dev_set_and_never_sees_the_evaluation_set(
    plan: Plan, task: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    usual, spec = run(plan(task=task)), plan(task=task, scored_on="dev", dev_examples=2)
    with monkeypatch.context() as without:
        without.setattr("bench_lib.runner.resolved.evaluation_set", None)
        trial = run(spec)
    dev = resolve_run(spec).dev()
    assert trial.curve == usual.curve, "it trains as the run would"
    assert trial.constant_baseline == dev.constant_baseline
    assert trial.predictions is not None
    assert len(dev.examples) == 2
    assert len(trial.predictions.values) == sum(len(e.words) if isinstance(e, TagExample) else 1 for e in dev.examples)
    assert trial.evaluations.dev_scores == ()
    stopping = dataclasses.replace(spec, stack=plan("early_stopping").stack)
    assert run(stopping).evaluations.dev_scores == trial.evaluations.scores


def test_runs_that_share_no_training_are_refused(plan: Plan) -> None:
    for other in (plan(seed=1), plan("mixout"), plan(epochs=2), plan(task="squad")):
        with pytest.raises(BenchError, match="must share their training"):
            execute([plan(), other])
    with pytest.raises(BenchError, match="must share their training"):
        execute([])


# ---- what a record says ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
def test_a_record_is_complete(plan: Plan, task: str) -> None:
    spec = plan("llrd:decay=0.8+reinit", task, epochs=2)
    record = run(spec)
    assert record.status in (Status.CONVERGED, Status.COLLAPSED), record.reason
    assert (record.run_id, record.training_id) == (spec.run_id(), spec.run_id())
    assert (record.task, record.technique, record.model) == (task, "llrd:decay=0.8+reinit", "tiny")
    assert (record.profile, record.data_source, record.seed, record.attempts) == ("smoke", "local", 0, 1)
    assert record.spec == canonical_json(spec.identity())
    assert record.metric == TASKS.get(task).primary == next(iter(record.metrics))
    assert record.score == record.metrics[record.metric] == record.evaluations.scores[-1]
    assert record.cost.steps == len(record.curve.loss) == len(record.curve.learning_rate) == len(record.curve.grad_norm)
    assert record.evaluations.steps[-1] == record.cost.steps
    assert record.cost.parameters >= record.cost.trainable_parameters > 0
    assert record.cost.forward_passes == record.cost.backward_passes == record.cost.steps
    assert record.cost.examples >= 64
    assert record.cost.tokens > 5 * record.cost.examples
    assert min(record.timing.setup_seconds, record.timing.train_seconds, record.timing.eval_seconds) > 0
    assert record.timing.peak_memory_bytes is not None
    assert record.timing.peak_memory_bytes > 10**7
    assert record.timing.tokens_per_second is not None
    assert record.timing.examples_per_second is not None
    assert record.timing.tokens_per_second > record.timing.examples_per_second > 0
    assert {"torch", "cpu", "started"} <= record.provenance.keys()
    assert record.predictions is not None


def test_a_model_that_learns_has_converged(plan: Plan) -> None:
    record = run(plan(epochs=12, learning_rate=1e-2, train_examples=36))
    assert (record.status, record.reason) == (Status.CONVERGED, "")
    assert record.score is not None
    assert record.score > 0.9
    assert record.curve.loss[-1] < 0.3 < record.curve.loss[0]


def test_a_model_that_learns_nothing_has_collapsed(plan: Plan) -> None:
    record = run(plan(learning_rate=0.0))
    assert record.status == Status.COLLAPSED
    assert (record.score, record.constant_baseline) == (0.5, 0.5)
    assert record.reason == "score 0.5000 is not above what a constant predictor reaches, 0.5000"
    assert record.metrics == {"accuracy": 0.5}
    assert record.predictions is not None


@pytest.mark.parametrize("evaluations", [1, 3, 4, 99])
def test_a_run_is_evaluated_as_often_as_asked(plan: Plan, evaluations: int) -> None:
    record = run(plan(evaluations=evaluations))
    assert record.evaluations.steps == {1: (4,), 3: (2, 3, 4), 4: (1, 2, 3, 4), 99: (1, 2, 3, 4)}[evaluations]
    assert len(record.evaluations.scores) == len(record.evaluations.steps)


@pytest.mark.parametrize("task", ["sst2", "conll2003", "squad"])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_every_precision_trains(plan: Plan, precision: str, task: str) -> None:
    record = run(plan(task=task, precision=precision))
    assert record.status in (Status.CONVERGED, Status.COLLAPSED), record.reason
    exact = run(plan(task=task))
    assert record.curve.loss[0] == pytest.approx(exact.curve.loss[0], rel=0.01)
    # Under fp16 a first step may overflow and be skipped, so that the runs part.
    assert record.curve.loss == pytest.approx(exact.curve.loss, rel=0.1)
    assert (record.curve.loss == exact.curve.loss) == (precision == "fp32")


@pytest.mark.parametrize("accumulate", [1, 2, 8])
def test_fewer_examples_than_a_batch_train(plan: Plan, accumulate: int) -> None:
    record = run(plan(train_examples=3, epochs=2, accumulate=accumulate))
    assert record.status in (Status.CONVERGED, Status.COLLAPSED), record.reason
    assert (record.cost.steps, record.cost.examples) == (2, 6)
    assert record.cost.forward_passes == 2 * (3 if accumulate == 8 else 1)


def test_a_profiles_dropout_reaches_the_model(plan: Plan) -> None:
    own, same, none = (run(plan(dropout=rate)) for rate in (None, 0.1, 0.0))
    assert own.curve.loss == same.curve.loss != none.curve.loss


# ---- runs that fail are rows -----------------------------------------------------------------------------------------


def test_a_technique_that_raises_is_a_crashed_row(plan: Plan, register: Callable[[type[Technique]], None]) -> None:
    register(Fails)
    record = run(plan("fails:at=3"))
    assert record.status == Status.CRASHED
    assert record.reason.startswith("ValueError: the technique's own words (at test_execute.py:")
    assert "after_update" in record.reason
    assert (record.score, record.metrics, record.predictions) == (None, {}, None)
    assert (
        record.cost.steps
        == len(record.curve.loss)
        == len(record.curve.learning_rate)
        == len(record.curve.grad_norm)
        == 2
    )
    assert record.curve.loss == run(plan()).curve.loss[:2]
    assert (record.constant_baseline, record.evaluations.steps) == (0.5, (2,))
    assert run(plan()).status != Status.CRASHED


def test_a_technique_that_fails_before_the_first_step_is_a_row_too(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Prepares)
    record = run(plan("prepares"))
    assert (record.status, record.cost.steps, record.curve.loss, record.cost.parameters) == (Status.CRASHED, 0, (), 0)
    assert record.reason.startswith("KeyError: 'no such layer'")
    assert record.provenance


@pytest.mark.parametrize("at", [1, 2, 5, 9, 10, 11, 12, 15])
def test_a_loss_that_is_nan_is_a_diverged_row(plan: Plan, register: Callable[[type[Technique]], None], at: int) -> None:
    register(Fails)
    record = run(plan(f"fails:at={at}:how=nan", epochs=4, evaluations=1))
    assert (record.status, record.reason) == (Status.DIVERGED, f"the loss was not finite at step {at + 1}")
    assert len(record.curve.loss) == len(record.curve.learning_rate) == len(record.curve.grad_norm) == at + 1
    assert record.curve.loss[:-1] == run(plan(epochs=4, evaluations=1)).curve.loss[:at]
    assert math.isnan(record.curve.loss[-1])
    assert (record.score, record.predictions) == (None, None)


def test_a_rate_that_is_far_too_high_diverges_the_same_way_each_time(plan: Plan) -> None:
    spec = plan(learning_rate=1e20, epochs=3)
    record = run(spec)
    assert record.status == Status.DIVERGED
    assert text(run(spec)) == text(record)


@pytest.mark.parametrize("how", ["cuda", "cpu", "python"])
def test_too_little_memory_is_a_row(plan: Plan, register: Callable[[type[Technique]], None], how: str) -> None:
    register(Fails)
    record = run(plan(f"fails:how={how}"))
    assert record.status == Status.OOM
    assert "Error" in record.reason
    assert record.cost.steps == 1


def test_a_run_without_enough_memory_asks_for_the_device_of_its_worker(
    plan: Plan, register: Callable[[type[Technique]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(Fails)
    asked: list[str] = []
    monkeypatch.setattr("bench_lib.runner.execute.cramped", lambda: asked.append("asked"))
    assert run(plan("adamw")).status != Status.OOM
    assert run(plan("fails")).status == Status.CRASHED
    assert asked == []
    assert run(plan("fails:how=cuda")).status == Status.OOM
    assert asked == ["asked"]


def test_what_this_machine_says_of_too_little_memory_is_understood(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Greedy)
    record = run(plan("greedy"))
    assert "DefaultCPUAllocator" in record.reason
    assert record.status == Status.OOM


def test_a_task_that_is_declined_is_a_row_with_the_reason(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Declines)
    record = run(plan("declines", "conll2003"))
    assert (record.status, record.reason) == (Status.UNSUPPORTED, "declines declines tokens tasks: words have no class")
    assert (record.cost.steps, record.score, record.metric) == (0, None, "entity_f1")
    assert run(plan("declines")).status != Status.UNSUPPORTED


def test_a_failure_is_a_row_for_every_run_of_the_group(plan: Plan, register: Callable[[type[Technique]], None]) -> None:
    register(Fails)
    specs = [plan(f"fails:at=4{observer}", evaluations=4) for observer in ("", "+ema", "+early_stopping:patience=1")]
    records = execute(specs)
    assert [record.run_id for record in records] == [spec.run_id() for spec in specs]
    assert [record.status for record in records[:2]] == [Status.CRASHED, Status.CRASHED]
    for spec, record in zip(specs, records, strict=True):
        assert text(record) == text(run(spec))


def test_an_observer_that_stopped_before_the_failure_did_not_fail(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Fails)
    specs = [
        plan(f"fails:at=4{observer}", evaluations=4, learning_rate=0.0)
        for observer in ("", "+early_stopping:patience=1")
    ]
    failed, stopped = execute(specs)
    assert failed.status == Status.CRASHED
    # Nothing is learnt, so that it stops at the second evaluation, two steps before.
    assert (stopped.status, stopped.evaluations.steps, stopped.cost.steps) == (Status.COLLAPSED, (1, 2), 2)
    assert len(stopped.curve.loss) == len(stopped.curve.grad_norm) == 2


def test_a_failure_leaves_the_process_as_it_was(plan: Plan, register: Callable[[type[Technique]], None]) -> None:
    register(Fails)
    torch.manual_seed(3)
    before = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    run(plan("fails"))
    after = torch.get_rng_state(), torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]


@pytest.mark.parametrize("status", [Status.TIMEOUT, Status.CRASHED])
def test_a_run_of_which_nothing_came_back_has_a_row(plan: Plan, status: Status) -> None:
    spec = plan("llrd+reinit")
    record = blank_record(spec, status, "its process died")
    assert (record.status, record.reason, record.run_id) == (status.value, "its process died", spec.run_id())
    assert (record.technique, record.metric, record.score, record.cost.steps) == ("llrd+reinit", "accuracy", None, 0)


# ---- input that cannot be used ---------------------------------------------------------------------------------------


def test_data_that_changed_since_it_was_planned_is_refused(tmp_path: Path) -> None:
    write(tmp_path, "sst2", rows_of("sst2"))
    spec = planned(tmp_path)
    write(tmp_path, "sst2", [{**row, "label": 1 - row["label"]} for row in rows_of("sst2")])
    load._load.cache_clear()  # as in another process, or on another day
    with pytest.raises(
        BadData, match=f"the data of sst2 changed since this run was planned: {spec.data.fingerprint} then"
    ):
        execute([spec])


def test_a_model_that_cannot_be_had_is_refused(plan: Plan, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(Unavailable, match="'bert-base-uncased' could not be loaded"):
        execute([dataclasses.replace(plan(), model=resolve("bert-base-uncased", MODELS))])


def test_a_question_too_long_for_the_profile_is_declined(tmp_path: Path) -> None:
    """Where nobody planned the run, which tells it before."""
    rows = rows_of("squad")
    rows[3]["question"] = "why " * 50
    write(tmp_path, "squad", rows)
    record = run(planned(tmp_path, task="squad", train_examples=None))
    assert record.status == "unsupported"
    assert record.reason.startswith("question 'q3' has 50 tokens and leaves no room")


# ---- seed streams ----------------------------------------------------------------------------------------------------


def test_with_all_streams_frozen_every_seed_is_the_same_run(plan: Plan) -> None:
    frozen = tuple((stream, 4) for stream in STREAMS)
    one, other = run(plan(seed=0, frozen=frozen)), run(plan(seed=1, frozen=frozen))
    assert one.curve.loss == other.curve.loss
    assert one.curve.grad_norm == other.curve.grad_norm
    assert one.run_id != other.run_id


@pytest.mark.parametrize("free", ["init", "order", "dropout", "subset"])
def test_each_stream_alone_makes_runs_differ(plan: Plan, free: str) -> None:
    frozen = tuple((stream, 4) for stream in STREAMS if stream != free)
    one, other = (run(plan(seed=seed, frozen=frozen)) for seed in (0, 1))
    assert one.curve.loss != other.curve.loss


def watched(spec: RunSpec) -> tuple[list[Any], Tensor]:
    SEEN.clear()
    HEADS.clear()
    record = run(spec)
    assert record.reason == "" or record.status == Status.COLLAPSED, record.reason
    return list(SEEN), HEADS[0]


def test_a_frozen_order_is_the_same_for_all_seeds(plan: Plan, register: Callable[[type[Technique]], None]) -> None:
    register(Spies)
    frozen = (("order", 0), ("subset", 0))
    (order, head), (same, other_head) = (watched(plan("spies", seed=seed, frozen=frozen)) for seed in (1, 2))
    assert order == same
    assert not torch.equal(head, other_head)
    assert watched(plan("spies", seed=2))[0] != order


def test_a_frozen_init_is_the_same_for_all_seeds(plan: Plan, register: Callable[[type[Technique]], None]) -> None:
    register(Spies)
    frozen = (("init", 0), ("subset", 0))
    (order, head), (other_order, same) = (watched(plan("spies", seed=seed, frozen=frozen)) for seed in (1, 2))
    assert torch.equal(head, same)
    assert order != other_order


def test_a_free_subset_draws_other_examples_for_each_seed(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Spies)

    def examples(seed: int, frozen: tuple[tuple[str, int], ...]) -> set[str]:
        batches, _ = watched(plan("spies", seed=seed, frozen=frozen, train_examples=8, batch_size=1))
        return {str(batch) for batch in batches}

    assert examples(1, ()) != examples(2, ())
    assert examples(1, (("subset", 0),)) == examples(2, (("subset", 0),))


def test_a_seed_has_the_same_order_and_head_under_every_technique(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Spies)
    alone = watched(plan("spies", seed=3))
    for stack in ("mixout+spies", "llrd+spies", "l2_sp+spies", "bertadam+spies"):
        order, head = watched(plan(stack, seed=3))
        assert order == alone[0]
        assert torch.equal(head, alone[1])


# ---- data ------------------------------------------------------------------------------------------------------------


def test_augmented_examples_are_trained_on_and_drawn_from_their_stream(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    register(Doubles)
    record, plain = run(plan("doubles")), run(plan())
    assert (record.cost.steps, record.cost.examples, record.cost.tokens) == (
        2 * plain.cost.steps,
        2 * plain.cost.examples,
        2 * plain.cost.tokens,
    )
    assert text(run(plan("doubles"))) == text(record)
    frozen = tuple((stream, 4) for stream in STREAMS if stream != "augment")
    one, other = (run(plan("doubles", seed=seed, frozen=frozen)) for seed in (0, 1))
    assert one.curve.loss != other.curve.loss


def test_texts_are_tokenised_once_for_all_seeds_and_techniques(
    tmp_path: Path, register: Callable[[type[Technique]], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    register(Fails)
    write(tmp_path, "sst2", rows_of("sst2"))
    tokenizer = load_tokenizer(resolve("tiny", MODELS))
    calls: list[int] = []
    original = type(tokenizer).__call__

    def counted(self: Any, texts: Any, *args: Any, **kwargs: Any) -> Any:
        calls.append(len(texts))
        return original(self, texts, *args, **kwargs)

    monkeypatch.setattr(type(tokenizer), "__call__", counted)
    for seed in (0, 1):
        for stack in ("adamw", "mixout", "fails", "llrd+reinit"):
            run(planned(tmp_path, stack, seed=seed))
    assert sorted(calls) == [24, 32]


def test_a_profile_that_a_technique_changed_is_the_one_that_is_run(
    plan: Plan, register: Callable[[type[Technique]], None]
) -> None:
    @dataclass(frozen=True)
    class Shortens(Technique):
        name = "shortens"
        paper = "none"
        identity = None

        def configure(self, profile: Profile) -> Profile:
            return dataclasses.replace(profile, epochs=1, batch_size=16)

    register(Shortens)
    record = run(plan("shortens", epochs=3))
    assert (record.cost.steps, record.cost.examples) == (2, 32)
    assert '"epochs":3' in record.spec
