"""A trimmed vocabulary: what is trained is what would have been, but for rounding, or it is declined with a reason."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench_lib.core.errors import BadPlan
from bench_lib.core.record import RunRecord, Status
from bench_lib.core.spec import Ref, RunSpec
from bench_lib.integrations.trained_run import train as train_model
from bench_lib.models import MODELS
from bench_lib.models.load import load_template
from bench_lib.models.source import resolve
from bench_lib.runner.execute import execute
from bench_lib.runner.grid import Grid, plan
from bench_lib.runner.members import SEES_DEV
from bench_lib.runner.seed_ensembles import build_seed_ensemble
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES

FEW: dict[str, Any] = {"train_examples": 16, "eval_examples": 8, "max_length": 32, "learning_rate": 1e-3}
NAMES = TECHNIQUES.names()
POOLS = [name for name in NAMES if TECHNIQUES.get(name)().pools()]
AGREEING = [name for name in NAMES if TECHNIQUES.get(name).trimmable and name not in POOLS]
DECLINING = [name for name in NAMES if not TECHNIQUES.get(name).trimmable and name not in POOLS]
HERE = ["l2_sp+ema", "spd", "sam", "fgm:relative=True", "lora", "deni", "eda"]
"""One technique for each way to act on all weights, on the matrix of words, on what is frozen, and on the texts."""
PAIRS = ["l2_sp+weight_decay", "recadam+llrd", "l2_sp+sam", "spd+reinit", "wd_pre+schedule_free", "mixout+lion"]
"""Where one technique leans on what another might do to the rows that no text reads."""
UNLIKE = [
    *("child_tuning_f", "l1:strength=0.001", "l2", "adafactor", "lamb", "stable_adamw:threshold=0.01", "noisy_tune"),
]
"""Techniques whose reason is arithmetic, at strengths at which it shows in the weights."""
NEED_MORE = ("r_drop", "lr_drop", "bitfit")
"""Techniques that need dropout or biases, of which a Llama has none."""
NEAR, DECAYED = 1e-3, 1e-3
"""How far apart trained weights may be, as a share of the way that they went, and how much of a row may decay."""
WORDS = ("word_embeddings.weight", "embed_tokens.weight")


@pytest.fixture
def run(make_spec: Any) -> Any:
    """The record of a run with its weights, under a trimmed vocabulary or a whole one."""

    def once(trims: bool, stack: str = "adamw", task: str = "sst2", model: str = "", **changes: Any) -> RunRecord:
        spec: RunSpec = make_spec(task, stack, trim_vocabulary=trims, **FEW | changes)
        ref = resolve(model, MODELS) if model else spec.model
        (record,) = execute([dataclasses.replace(spec, model=ref, keep_weights=True)])
        return record

    return once


def start_of(record: RunRecord, task: str) -> dict[str, np.ndarray]:
    """The pre-trained weights of a run's model, by name."""
    found = TASKS.get(task)
    ref: Ref = resolve(record.model, MODELS)
    return {n: p.numpy() for n, p in load_template(ref, found.format, len(found.labels)).pretrained().items()}


def assert_alike(whole: RunRecord, trimmed: RunRecord, task: str = "sst2") -> None:
    """The same results but for rounding, and the same weights but for those of tokens that no text has."""
    assert (trimmed.status, trimmed.reason) == (whole.status, whole.reason)
    assert trimmed.run_id != whole.run_id
    assert trimmed.cost.parameters < whole.cost.parameters
    assert trimmed.size == whole.size
    assert trimmed.score == pytest.approx(whole.score, rel=1e-6)
    assert trimmed.curve.loss == pytest.approx(whole.curve.loss, rel=1e-3)
    assert trimmed.curve.grad_norm == pytest.approx(whole.curve.grad_norm, rel=1e-2)
    assert whole.predictions is not None
    assert trimmed.predictions is not None
    np.testing.assert_allclose(trimmed.predictions.values, whole.predictions.values, rtol=1e-3, atol=1e-3)
    assert apart(whole, trimmed, task) <= NEAR
    start = next(was for name, was in start_of(whole, task).items() if name.endswith(WORDS))
    unread = (words_of(trimmed) == start).all(1)
    np.testing.assert_allclose(words_of(whole)[unread], start[unread], rtol=DECAYED)


def apart(whole: RunRecord, trimmed: RunRecord, task: str = "sst2") -> float:
    """How far apart the weights are, as a share of the way from where they started; a new head starts at 0."""
    weights, others, starts = whole.weights, trimmed.weights, start_of(whole, task)
    assert weights is not None
    assert others is not None
    assert weights.keys() == others.keys()
    between = moved = 0.0
    for name, value in weights.items():
        start, other = starts.get(name, np.zeros(1)), others[name]
        assert value.shape == other.shape
        if name.endswith(WORDS):
            start = next(was for known, was in starts.items() if known.endswith(WORDS))
            read = (other != start).any(1)
            value, other, start = value[read], other[read], start[read]
        between += float(np.square(value.astype(float) - other).sum())
        moved += float(np.square(value.astype(float) - start).sum())
    return (between / moved) ** 0.5


def words_of(record: RunRecord) -> np.ndarray:
    assert record.weights is not None, record.reason
    return next(value for name, value in record.weights.items() if name.endswith(WORDS))


# ---- the baseline ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("task", ["sst2", "rte", "conll2003", "squad"])
def test_before_training_the_logits_are_the_same_to_the_bit(run: Any, task: str) -> None:
    whole, trimmed = (run(trims, task=task, train_examples=0, max_length=64) for trims in (False, True))
    assert trimmed.status == whole.status == Status.CONVERGED
    assert trimmed.predictions.values.tobytes() == whole.predictions.values.tobytes()
    assert trimmed.cost.parameters < whole.cost.parameters / 10
    for name, value in whole.weights.items():
        assert np.array_equal(trimmed.weights[name], value)


@pytest.mark.parametrize("model", ["tiny", "tiny-llama"])
def test_without_clipping_a_training_has_the_same_bits(run: Any, model: str) -> None:
    """What rounds differently is the norm of all gradients together, by which they are clipped."""
    whole, trimmed = (run(trims, model=model, clip_norm=float("inf")) for trims in (False, True))
    assert_alike(whole, trimmed)
    assert trimmed.score == whole.score
    assert trimmed.curve.loss == whole.curve.loss
    assert trimmed.predictions.values.tobytes() == whole.predictions.values.tobytes()
    start = next(value for name, value in start_of(whole, "sst2").items() if name.endswith(WORDS))
    read = (words_of(trimmed) != start).any(1)
    assert 10 < read.sum() < len(read)
    assert np.array_equal(words_of(trimmed)[read], words_of(whole)[read])
    assert all(np.array_equal(trimmed.weights[n], v) for n, v in whole.weights.items() if not n.endswith(WORDS))


@pytest.mark.parametrize("model", ["tiny", "tiny-llama"])
def test_with_clipping_it_is_the_same_but_for_rounding(run: Any, model: str) -> None:
    whole, trimmed = (run(trims, model=model, clip_norm=0.1) for trims in (False, True))
    assert whole.curve.clipped_steps == trimmed.curve.clipped_steps > 0
    assert_alike(whole, trimmed)


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_in_low_precision(run: Any, precision: str) -> None:
    whole, trimmed = (run(trims, precision=precision, clip_norm=float("inf")) for trims in (False, True))
    assert trimmed.curve.loss == whole.curve.loss
    assert trimmed.predictions.values.tobytes() == whole.predictions.values.tobytes()


def test_drift_is_that_of_the_whole_matrix(run: Any) -> None:
    """Without decay: what no text has stays as it was pre-trained in a trimmed run alone."""
    whole, trimmed = (run(trims, weight_decay=0.0) for trims in (False, True))
    assert whole.drift
    assert trimmed.drift == pytest.approx(whole.drift, rel=1e-4)


def test_whatever_is_evaluated_is_read(run: Any) -> None:
    """Perturbed words, an attack, the dev set; a token without its row would have ended the run."""
    stack, changes = "best_checkpoint", {"perturb": 0.5, "attack": 1.0, "dev_examples": 8}
    whole, trimmed = (run(trims, stack, **changes) for trims in (False, True))
    assert_alike(whole, trimmed)
    assert dataclasses.astuple(trimmed.robustness) == pytest.approx(dataclasses.astuple(whole.robustness))
    assert trimmed.evaluations == whole.evaluations
    on_dev = [run(trims, scored_on="dev", dev_examples=8) for trims in (False, True)]
    assert_alike(*on_dev)


def test_observers_change_nothing(make_spec: Any) -> None:
    stacks = ("adamw", "early_stopping", "ema", "best_checkpoint+swa")
    specs = [make_spec("sst2", stack, trim_vocabulary=True, **FEW) for stack in stacks]
    together = execute(specs)
    for spec, record in zip(specs, together, strict=True):
        (alone,) = execute([spec])
        assert record.status == Status.CONVERGED or record.status == Status.COLLAPSED
        assert record.result() == alone.result()


def test_a_trained_model_has_its_whole_vocabulary(make_spec: Any) -> None:
    models = []
    for trims in (False, True):
        trained = train_model(make_spec("sst2", "adamw", trim_vocabulary=trims, **FEW), lambda model: None)
        models.append(dict(trained.model.named_parameters()))
        assert trained.record.score is not None
    whole, trimmed = models
    assert {n: p.shape for n, p in trimmed.items()} == {n: p.shape for n, p in whole.items()}


# ---- techniques ------------------------------------------------------------------------------------------------------


def test_every_technique_agrees_or_says_why_not() -> None:
    for name in NAMES:
        technique = TECHNIQUES.get(name)
        assert technique.trimmable != bool(technique.no_trimming), name


@pytest.mark.parametrize("stack", HERE)
def test_techniques_agree(run: Any, stack: str) -> None:
    assert_alike(*(run(trims, stack) for trims in (False, True)))


@pytest.mark.parametrize("name", DECLINING)
def test_a_technique_that_needs_all_words_declines_before_training(run: Any, name: str) -> None:
    record = run(True, name)
    assert record.status == Status.UNSUPPORTED
    assert record.reason == f"{name} declines trim_vocabulary: {TECHNIQUES.get(name).no_trimming}"
    assert record.cost.steps == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize("model", ["tiny", "tiny-llama"])
@pytest.mark.parametrize("name", AGREEING)
def test_every_technique_that_says_so_agrees(run: Any, brief: Any, name: str, model: str) -> None:
    whole, trimmed = (run(trims, brief(name), model=model) for trims in (False, True))
    declined = model == "tiny-llama" and name in NEED_MORE
    assert (whole.status == Status.UNSUPPORTED) == declined, whole.reason
    if declined:
        assert (trimmed.status, trimmed.reason) == (whole.status, whole.reason)
    else:
        assert_alike(whole, trimmed)


@pytest.mark.exhaustive
@pytest.mark.parametrize("stack", PAIRS)
def test_two_that_agree_agree_together(run: Any, stack: str) -> None:
    assert_alike(*(run(trims, stack) for trims in (False, True)))


@pytest.mark.exhaustive
@pytest.mark.parametrize("stack", UNLIKE)
def test_a_technique_that_declines_would_train_something_else(
    run: Any, monkeypatch: pytest.MonkeyPatch, stack: str
) -> None:
    monkeypatch.setattr(TECHNIQUES.get(stack.partition(":")[0]), "trimmable", True)
    whole, trimmed = (run(trims, stack, clip_norm=0.01) for trims in (False, True))
    assert apart(whole, trimmed) > NEAR


@pytest.mark.exhaustive
@pytest.mark.parametrize("name", POOLS)
def test_pools_of_trimmed_runs(make_spec: Any, tmp_path: Path, name: str) -> None:
    made = []
    for trims in (False, True):
        store = Store(tmp_path / str(trims))
        for seed in (0, 1):
            for stack in ("adamw", f"adamw+{SEES_DEV}"):
                spec = make_spec("sst2", stack, seed, trim_vocabulary=trims, **FEW)
                store.append(*execute([dataclasses.replace(spec, keep_weights=True)]))
        made.append(build_seed_ensemble(make_spec("sst2", f"{name}:members=2", trim_vocabulary=trims, **FEW), store))
    whole, trimmed = made
    if TECHNIQUES.get(name).trimmable:
        assert trimmed.status == whole.status
        np.testing.assert_allclose(trimmed.predictions.values, whole.predictions.values, rtol=1e-3, atol=1e-3)
    else:
        assert trimmed.status == Status.UNSUPPORTED
        assert f"{name} declines trim_vocabulary: " in trimmed.reason


# ---- what is refused -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "profile", "model", "reason"),
    [
        ("e2e_nlg", "sft-quick:trim_vocabulary=True", "tiny-llama", "answers are written by the head of the next word"),
        ("sst2", "smoke:trim_vocabulary=True:forgetting=generated", "tiny", "forgetting is measured by a head for"),
    ],
)
def test_what_reads_all_rows_is_refused_when_it_is_planned(task: str, profile: str, model: str, reason: str) -> None:
    with pytest.raises(BadPlan, match=f"trim_vocabulary is True; allowed: False, since {reason}"):
        plan(Grid((task,), ("adamw",), (0,), profile, model, "embedded"))


def test_and_when_it_is_run(run: Any) -> None:
    record = run(True, task="e2e_nlg", max_length=96)
    assert record.status == Status.UNSUPPORTED
    assert "trim_vocabulary is True; allowed: False, since answers are written" in record.reason


def test_a_model_that_needs_all_its_words_is_refused(families: Any) -> None:
    for name in ("bart", "gemma3"):
        grid = Grid(("sst2",), ("adamw",), (0,), "smoke:trim_vocabulary=True", str(families.folder(name)), "embedded")
        with pytest.raises(BadPlan, match=r"its word embeddings are .*; set trim_vocabulary to False"):
            plan(grid)


def test_a_technique_from_a_file_has_to_declare_it(make_spec: Any, tmp_path: Path) -> None:
    text = """
from dataclasses import dataclass
from bench_lib import Technique

@dataclass(frozen=True)
class Mine(Technique, name="mine", family="baselines", paper="none", identity=None, no_identity="a test"{}):
    def after_update(self, training):
        pass
"""
    statuses = []
    for declared in ("", ", trimmable=True"):
        file = tmp_path / f"mine{len(declared)}.py"
        file.write_text(text.format(declared))
        (record,) = execute([make_spec("sst2", f"{file}:Mine", trim_vocabulary=True, **FEW)])
        statuses.append(record.status)
        if not declared:
            assert "mine declines trim_vocabulary: it does not declare that" in record.reason
            assert "put trimmable=True into its class statement" in record.reason
    assert statuses[0] == Status.UNSUPPORTED
    assert statuses[1] in (Status.CONVERGED, Status.COLLAPSED)
