"""What every registered technique promises, on every kind of task: a new technique arrives with these tests written.

What pools trained seeds is held to its own promises in test_contracts_pools.
"""

from __future__ import annotations

import dataclasses
import functools
import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
import torch
from torch.nn.modules import module as torch_module

from bench_lib.core.record import RunRecord
from bench_lib.core.spec import canonical_json
from bench_lib.harness import robustness
from bench_lib.harness.efficiency import Footprint
from bench_lib.harness.step import MicroStep
from bench_lib.models.load import load_template
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import Kind
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Augments, Compresses, EvaluatesUnder, Prompts, Selects

NAMES = TECHNIQUES.names()
TRAINED = tuple(n for n in NAMES if not TECHNIQUES.get(n)().pools())
TASK_OF = {Kind.SEQUENCE: "sst2", Kind.TOKENS: "conll2003", Kind.SPAN: "squad"}
CASES = [(n, t) for n in TRAINED for kind, t in TASK_OF.items() if TECHNIQUES.get(n)().declines(kind) is None]
EVERYWHERE = [(n, t) for n in TRAINED for t in TASK_OF.values()]
FOOTPRINT = [field.name for field in dataclasses.fields(Footprint)]
SHORT = {"train_examples": 16, "eval_examples": 8}
LABELS = {"run_id", "training_id", "spec", "technique"}
OTHER_RULE = "an optimiser of another rule; its test shows the published steps"
WITHOUT_NEUTRAL = {
    "adafactor": OTHER_RULE,
    "adalora": "a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    "adapter": "new layers in a frozen model; test_adapter.py shows where they equal the baseline",
    "best_checkpoint": "a rule without a strength; early_stopping:patience=0 is the one that keeps the last",
    "bf16": "a precision is one or another; its test shows that it equals the profile in that precision",
    "bitfit": "no setting makes weights learn; test_peft_injection.py shows that it starts as the baseline",
    "constant": "a schedule is one or another; all else is the profile's",
    "cosine": "a schedule is one or another; all else is the profile's",
    "fp16": "a precision is one or another; its test shows that it equals the profile in that precision",
    "ia3": "a wrapped model; test_peft_injection.py shows that it starts as the baseline to the bit",
    "lamb": OTHER_RULE,
    "linear_probe": "no rate of the head makes the body train; lp_ft:share=0 is the one that trains everything",
    "lion": OTHER_RULE,
    "lm_bff": "a text is in a prompt or is not, and words answer or a new head; its test shows the published logits",
    "ln_only": "no setting makes matrices learn; test_peft_injection.py shows it to start as the baseline to the bit",
    "lora": "a wrapped model; test_lora.py shows that it starts as the baseline to the bit",
    "prefix": "new keys take their share of the attention whatever they are; test_prefix.py takes them out of sight",
    "quantize_dynamic_int8": "int8 is one precision; its test shows how far from the exact values its rounding leads",
    "radam": OTHER_RULE,
    "sgd": OTHER_RULE,
    "stable_adamw": OTHER_RULE,
}


def neutral_text(name: str) -> str:
    technique = TECHNIQUES.get(name)
    return technique(**technique.neutral).spec().label


def evaluated_last(name: str) -> bool:
    """Whether it evaluates weights of its own, and chooses among nothing: such an observer gets the last evaluation."""
    made = TECHNIQUES.get(name)()
    return made.observer and isinstance(made, Compresses | EvaluatesUnder) and not isinstance(made, Selects)


def outcome(record, name: str = "") -> str:
    """All that the spec decides, but for what only names the technique; predictions to the bit.

    Of what gets the last evaluation only, that one is compared; of what is compressed, not what it takes.
    """
    result = {name: value for name, value in record.result().items() if name not in LABELS}
    if name and evaluated_last(name):
        result |= {field: result[field][-1:] for field in ("eval_step", "eval_score")}
    if name and isinstance(TECHNIQUES.get(name)(), Compresses):
        result |= dict.fromkeys(FOOTPRINT)
    return canonical_json(result) + (record.predictions.values.tobytes().hex() if record.predictions else "")


@pytest.fixture(scope="module")
def baseline(train):
    return functools.cache(lambda task, **changes: train(task, **changes))


@dataclasses.dataclass(eq=False)
class Watched:
    """A technique's short run, and what was wrong at its evaluations and after its end."""

    record: RunRecord
    evaluations: list[str]
    left: list[str]


@pytest.fixture(scope="module")
def usual(train, make_spec):
    """A technique's short run on a task, the same one for all tests, each of its evaluations made twice."""

    def run(name, task):
        with pytest.MonkeyPatch.context() as patch, left_as_it_was(make_spec(task, name, **SHORT)) as left:
            seen = evaluating_twice(patch)
            trained = train(task, name, **SHORT)
        return Watched(trained.record, seen, left + hooks_left(trained))

    return functools.cache(run)


def reads_texts(name: str) -> bool:
    return isinstance(TECHNIQUES.get(name)(), Augments | Prompts)


def rotated(name: str) -> str:
    """One of the tasks that a technique takes, so that over all techniques every kind of task comes up."""
    tasks = [task for taker, task in CASES if taker == name]
    return tasks[TRAINED.index(name) % len(tasks)]


# 1. Strength zero is the baseline.


@pytest.mark.parametrize("name", [n for n in TRAINED if TECHNIQUES.get(n).neutral is not None])
def test_strength_zero_is_the_baseline_bit_for_bit(train, baseline, name):
    task = rotated(name)
    neutral, base = train(task, neutral_text(name)), baseline(task)
    assert base.record.steps > 3
    assert outcome(neutral.record, name) == outcome(base.record, name)
    assert len(neutral.record.eval_step) == (1 if evaluated_last(name) else 2)
    assert neutral.parameters.keys() == base.parameters.keys()
    different = [n for n, p in base.parameters.items() if not torch.equal(p, neutral.parameters[n])]
    assert not different


def test_a_technique_without_a_neutral_point_is_justified():
    assert {n for n in NAMES if TECHNIQUES.get(n).neutral is None} == WITHOUT_NEUTRAL.keys()


@pytest.mark.parametrize("name", TRAINED)
def test_at_its_published_strength_it_does_something(train, baseline, name):
    """Observers too: each shows in the record or in the predictions, or the other contracts would hold of nothing."""
    changes = {"evaluations": 4, "learning_rate": 0.01, "epochs": 2}
    base, run = baseline("conll2003", **changes).record, train("conll2003", name, **changes).record
    assert (outcome(run, name) == outcome(base, name)) == (name == "adamw")


# 4. Evaluation is clean. 5. State is restored.


def numbers(model):
    """The weights of a model by value: those in int8 as what they stand for, since they know no equality."""
    return [p.detach().clone() if type(p.data) is torch.Tensor else p.dequantize() for p in model.parameters()]


def evaluating_twice(patch) -> list[str]:
    """Let every evaluation be made twice; the list gets a line for each, empty where all was as it has to be."""
    evaluate, seen = robustness.evaluate, []

    def twice(training, *rest):
        before = numbers(training.model)
        state = torch.get_rng_state()
        one, two = evaluate(training, *rest), evaluate(training, *rest)
        kept = {
            "the predictions differ": one.predictions.values.tobytes() == two.predictions.values.tobytes(),
            "the metrics differ": one.metrics == two.metrics,
            "it draws random numbers": torch.equal(torch.get_rng_state(), state),
            "it changes the weights": all(map(torch.equal, before, numbers(training.model))),
            "it leaves training mode": all(module.training for module in training.model.modules()),
        }
        seen.append(", ".join(what for what, held in kept.items() if not held))
        return one

    patch.setattr(robustness, "evaluate", twice)
    return seen


HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


@contextmanager
def left_as_it_was(spec) -> Iterator[list[str]]:
    """What a run leaves changed of the process around it, and of the model that was loaded for it."""

    def state():
        flags = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
        numbers = np.random.get_state()
        return {
            "settings": (torch.get_num_threads(), torch.get_default_dtype(), torch.is_grad_enabled(), flags),
            "global hooks": [len(getattr(torch_module, f"_global{kind}")) for kind in HOOKS],
            "random": random.getstate(),
            "numpy": (numbers[1].tolist(), numbers[2:]),
            "torch": torch.get_rng_state().tolist(),
        }

    task = TASKS.get(spec.task)
    template = load_template(spec.model, task.kind, len(task.labels)).model
    before, weights = state(), {n: p.detach().clone() for n, p in template.named_parameters()}
    changed: list[str] = []
    yield changed
    after = state()
    changed += [what for what in before if after[what] != before[what]]
    kept = all(torch.equal(p, weights[n]) and p.requires_grad for n, p in template.named_parameters())
    changed += [] if kept else ["the loaded model"]


def hooks_left(run) -> list[str]:
    """The modules on which a run left hooks; one that ended before its training has handed out no model."""
    model = run.training.model if run.training else torch.nn.Module()
    return [n for n, m in model.named_modules() if any(getattr(m, hooks) for hooks in HOOKS)]


def failing(monkeypatch, call: int) -> None:
    """Let the loss of a run raise at its so-manieth call."""
    loss, calls = MicroStep.loss, []

    def raising(self, output):
        calls.append(1)
        if len(calls) == call:
            raise RuntimeError("out of luck")
        return loss(self, output)

    monkeypatch.setattr(MicroStep, "loss", raising)


@pytest.mark.parametrize("name", TRAINED)
def test_a_run_that_fails_leaves_no_trace(train, make_spec, monkeypatch, name):
    failing(monkeypatch, 1 + 2 * (TRAINED.index(name) % 2))
    with left_as_it_was(make_spec("sst2", name, **SHORT)) as left:
        run = train("sst2", name, **SHORT, epochs=2)
    assert "out of luck" in run.record.reason
    assert run.record.status == "crashed"
    assert left + hooks_left(run) == []


def test_a_failing_evaluation_is_a_crash_that_leaves_no_trace(make_spec, monkeypatch):
    def evaluate(*_):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(robustness, "evaluate", evaluate)
    spec = make_spec("sst2", "+".join(["mixout", "l2_sp", "ema"]), **SHORT)
    with left_as_it_was(spec) as left:
        (record,) = execute([spec])
    assert left == []
    # The average is evaluated at the end only.
    assert (record.status, record.steps, record.score) == ("crashed", 2, None)
    assert "out of luck" in record.reason


def test_threads_and_determinism_are_as_they_were(make_spec):
    spec, threads = make_spec("sst2", **SHORT), torch.get_num_threads()
    torch.set_num_threads(threads + 1)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        with left_as_it_was(spec) as left:
            execute([spec])
        assert left == []
        assert torch.get_num_threads() == threads + 1
    finally:
        torch.use_deterministic_algorithms(False)
        torch.set_num_threads(threads)


# 6. Same spec, same record.


def draws_augmentation(name: str) -> bool:
    return "augment" in TECHNIQUES.get(name)().draws()


@pytest.mark.parametrize("name", TRAINED)
def test_same_spec_same_record_whatever_ran_between(make_spec, usual, name):
    """Nor does a seed matter whose stream it does not declare: the second run has another one for augmentation."""
    task, other = rotated(name), TRAINED[(TRAINED.index(name) + 1) % len(TRAINED)]
    first = usual(name, task).record
    usual(other, rotated(other))
    torch.manual_seed(123)
    spec = make_spec(task, name, **SHORT)
    moved = () if draws_augmentation(name) else (("augment", 1),)
    (again,) = execute([dataclasses.replace(spec, frozen=(*moved, *spec.frozen))])
    assert outcome(again) == outcome(first)


@pytest.mark.parametrize("name", TRAINED)
def test_another_seed_is_another_training(train, usual, name):
    task, brief = rotated(name), {**SHORT, "eval_examples": 4, "evaluations": 1}
    assert train(task, name, seed=1, **brief).record.curve_loss != usual(name, task).record.curve_loss


@pytest.mark.parametrize("text", [*filter(draws_augmentation, TRAINED), "back_translation:share=0.5"])
def test_another_seed_of_augmentation_matters_where_it_is_declared(make_spec, usual, text):
    spec = make_spec("sst2", text, **SHORT)
    (moved,) = execute([dataclasses.replace(spec, frozen=(("augment", 1), *spec.frozen))])
    assert outcome(moved) != outcome(usual(text, "sst2").record)


# 7. Runs on every task, or declines with a reason.


@pytest.mark.parametrize(("name", "task"), [*EVERYWHERE, *((n, "rte") for n in TRAINED if reads_texts(n))])
def test_runs_on_every_task_evaluates_cleanly_and_leaves_no_trace_or_says_why_not(usual, name, task):
    run = usual(name, task)
    record = run.record
    assert record.status in ("converged", "collapsed", "unsupported"), record.reason
    assert record.reason or record.status == "converged"
    declined = TECHNIQUES.get(name)().declines(TASKS.get(task).kind)
    assert (record.status == "unsupported") == (declined is not None), record.reason
    assert run.left == []
    if record.status != "unsupported":
        assert record.score is not None
        assert len(record.curve_loss) == record.steps > 0
        assert run.evaluations == ([""] if evaluated_last(name) else ["", ""])


@pytest.mark.parametrize("name", TRAINED)
def test_survives_batches_of_every_shape(train, name):
    """Sequences cut at the longest; batches in parts, the last batch and its last part short; evaluations of one."""
    shape = {"max_length": 24, "stride": 4, "batch_size": 8, "accumulate": 2, "eval_batch_size": 1}
    # Not all the examples that there are, for what looks at the rest.
    shape |= {"train_examples": (17, 21)[TRAINED.index(name) % 2], "eval_examples": 4, "evaluations": 1}
    record = train(rotated(name), name, **shape).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert np.isfinite(record.curve_loss).all()
    finite = np.isfinite(record.curve_grad_norm)
    assert record.nonfinite_steps == (~finite).sum()
    # Its loss scale begins high and is found by what overflows, which is skipped.
    assert finite.all() or (name == "fp16" and record.nonfinite_steps < 3)


@pytest.mark.parametrize("name", TRAINED)
def test_runs_in_lower_precision(train, usual, name):
    record = train("sst2", name, precision="bf16", **SHORT).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.curve_loss[0] == pytest.approx(usual(name, "sst2").record.curve_loss[0], rel=0.02)


@pytest.mark.parametrize("task", TASK_OF.values())
def test_a_sequence_as_long_as_the_model_has_places_for(train, task):
    changes = {"max_length": 512, "stride": 64, "train_examples": None, "eval_examples": 4, "evaluations": 1}
    record = train(task, **changes).record
    assert record.status in ("converged", "collapsed"), record.reason
