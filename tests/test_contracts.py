"""What every registered technique promises, on every task format: a new technique arrives with these tests written.

What pools trained seeds is held to its own promises in test_contracts_pools.
"""

from __future__ import annotations

import dataclasses
import functools
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import torch

from bench_lib.core.record import RunRecord
from bench_lib.harness import robustness
from bench_lib.harness.step import MicroStep
from bench_lib.models.load import load_template
from bench_lib.runner.execute import execute
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import QUESTION_ANSWERING, TEXT_CLASSIFICATION, TEXT_GENERATION, TOKEN_CLASSIFICATION
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.hooks import Augments, Prompts
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.conformance import unkept
from bench_lib.validation.trial import Trial, differences, evaluated_last, surrounded

NAMES = TECHNIQUES.names()
TRAINED = tuple(n for n in NAMES if not TECHNIQUES.get(n)().pools())
TASK_OF = {TEXT_CLASSIFICATION: "sst2", TOKEN_CLASSIFICATION: "conll2003", QUESTION_ANSWERING: "squad"}
TASK_OF |= {TEXT_GENERATION: "e2e_nlg"}
UNWRITTEN = {
    **dict.fromkeys(("lr_drop", "r_drop"), "LlamaForCausalLM has none in effect"),
    **dict.fromkeys(("eda", "synonym", "back_translation"), "its references follow the wording itself"),
    "bitfit": "finds no pre-trained bias",
}
"""Why some decline to have the tiny decoder write, which they would not decline for the format alone."""
CASES = [
    (n, t)
    for n in TRAINED
    for task_format, t in TASK_OF.items()
    if TECHNIQUES.get(n)().declines(task_format) is None and not (task_format.writes_text and n in UNWRITTEN)
]
SHORT = {"train_examples": 16, "eval_examples": 8}


def identity_text(name: str) -> str:
    technique = TECHNIQUES.get(name)
    return technique(**technique.identity).spec().label


def gets_last_evaluation(name: str) -> bool:
    return evaluated_last(parse_stack(name, TECHNIQUES))


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
        behind = trained.record.provenance.get("left_behind", "")
        return Watched(trained.record, seen, [*left, *hooks_left(trained), *filter(None, behind.split(", "))])

    return functools.cache(run)


@pytest.fixture(scope="module")
def trial(make_spec, usual):
    """A technique on trial on a task, with runs that are made already, the usual ones unless others are given."""

    def made(name, task, runs=(), **changes):
        def spec_of(task, stack):
            text = "+".join(part.label for part in stack.spec())
            return dataclasses.replace(make_spec(task, text, **SHORT), **changes)

        known = {text: usual(text, task).record for text in (name, "adamw")} | dict(runs)
        specs = {parse_stack(text, TECHNIQUES).spec(): record for text, record in known.items()}
        return Trial(parse_stack(name, TECHNIQUES), task, spec_of, specs, foreign=False)

    return made


def reads_texts(name: str) -> bool:
    return isinstance(TECHNIQUES.get(name)(), Augments | Prompts)


def rotated(name: str) -> str:
    """One of the tasks that a technique takes, so that over all techniques every task format comes up."""
    tasks = [task for taker, task in CASES if taker == name]
    return tasks[TRAINED.index(name) % len(tasks)]


def halved(names):
    """Names, of which every other one is in each test run, and the rest in the exhaustive ones."""
    return [pytest.param(n, marks=[pytest.mark.exhaustive] * (place % 2)) for place, n in enumerate(names)]


# 1. Strength zero is the baseline.


@pytest.mark.promise("identity")
@pytest.mark.parametrize("name", halved(n for n in TRAINED if TECHNIQUES.get(n).identity is not None))
def test_strength_zero_is_the_baseline_bit_for_bit(train, baseline, trial, name):
    task = rotated(name)
    identity, base = train(task, identity_text(name)), baseline(task)
    assert base.record.cost.steps > 3
    runs = {identity_text(name): identity.record, "adamw": base.record}
    assert unkept("identity", trial(name, task, runs)) == []
    assert len(identity.record.evaluations.steps) == (1 if gets_last_evaluation(name) else 2)
    assert identity.parameters.keys() == base.parameters.keys()
    different = [n for n, p in base.parameters.items() if not torch.equal(p, identity.parameters[n])]
    assert not different


@pytest.mark.promise("declared")
@pytest.mark.parametrize("name", NAMES)
def test_a_technique_says_why_where_it_has_no_identity_setting(name):
    technique = TECHNIQUES.get(name)
    assert bool(technique.no_identity) == (technique.identity is None)
    for file in re.findall(r"test_\w+\.py", technique.no_identity):
        assert list(Path(__file__).parent.glob(f"techniques/**/{file}")), "the test that shows it instead"


@pytest.mark.promise("acts")
@pytest.mark.parametrize("name", TRAINED)
def test_at_its_published_strength_it_does_something(train, baseline, name):
    """Observers too: each shows in the record or in the predictions, or the other contracts would hold of nothing."""
    changes = {"evaluations": 4, "learning_rate": 0.01, "epochs": 2}
    base, run = baseline("conll2003", **changes).record, train("conll2003", name, **changes).record
    assert bool(differences(run, base, parse_stack(name, TECHNIQUES))) == (name != "adamw")


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

    task = TASKS.get(spec.task)
    template = load_template(spec.model, task.format, len(task.labels)).model
    weights = {n: p.detach().clone() for n, p in template.named_parameters()}
    left: list[str] = []
    with surrounded(0, foreign=False) as changed:
        yield left
    kept = all(torch.equal(p, weights[n]) and p.requires_grad for n, p in template.named_parameters())
    left += [*changed, *([] if kept else ["the loaded model"])]


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


@pytest.mark.exhaustive
@pytest.mark.promise("leaves no trace")
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
    assert (record.status, record.cost.steps, record.score) == ("crashed", 2, None)
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


@pytest.mark.exhaustive
@pytest.mark.promise("repeats", "streams")
@pytest.mark.parametrize("name", TRAINED)
def test_same_spec_same_record_whatever_ran_between(usual, trial, name):
    """Nor does a seed matter whose stream it does not declare: the second run has another one for augmentation."""
    task, other = rotated(name), TRAINED[(TRAINED.index(name) + 1) % len(TRAINED)]
    usual(name, task)
    usual(other, rotated(other))
    moved = () if draws_augmentation(name) else (("augment", 1),)
    assert unkept("repeats", trial(name, task, frozen=moved)) == []


@pytest.mark.exhaustive
@pytest.mark.promise("repeats")
@pytest.mark.parametrize("name", TRAINED)
def test_another_seed_is_another_training(train, usual, name):
    task, brief = rotated(name), {**SHORT, "eval_examples": 4, "evaluations": 1}
    # Two batches of a pre-trained head may come in the same order: nothing else is drawn without dropout.
    others = (train(task, name, seed=seed, **brief).record.curve.loss for seed in range(1, 7))
    assert any(loss != usual(name, task).record.curve.loss for loss in others)


@pytest.mark.promise("streams", of=("text",))
@pytest.mark.parametrize("text", [*filter(draws_augmentation, TRAINED), "back_translation:share=0.5"])
def test_another_seed_of_augmentation_matters_where_it_is_declared(make_spec, usual, text):
    spec = make_spec("sst2", text, **SHORT)
    (moved,) = execute([dataclasses.replace(spec, frozen=(("augment", 1), *spec.frozen))])
    assert differences(moved, usual(text, "sst2").record)


# 7. Runs on every task, or declines with a reason.


def everywhere():
    """Every technique on every task; on two of them, which change from one technique to the next, in each test run."""
    for place, name in enumerate(TRAINED):
        tasks = [*TASK_OF.values(), *(["rte"] if reads_texts(name) else [])]
        always = {tasks[place % len(tasks)], tasks[(place + 2) % len(tasks)]}
        for task in tasks:
            yield pytest.param(name, task, marks=() if task in always else pytest.mark.exhaustive)


@pytest.mark.promise("runs", "evaluates cleanly", "leaves no trace")
@pytest.mark.parametrize(("name", "task"), [*everywhere()])
def test_runs_on_every_task_evaluates_cleanly_and_leaves_no_trace_or_says_why_not(usual, trial, name, task):
    run = usual(name, task)
    record = run.record
    assert unkept("runs", trial(name, task)) == []
    assert record.reason or record.status == "converged"
    task_format = TASKS.get(task).format
    declined = TECHNIQUES.get(name)().declines(task_format)
    unwritten = UNWRITTEN.get(name, "") if task_format.writes_text else ""
    assert (record.status == "unsupported") == bool(declined or unwritten), record.reason
    assert unwritten in record.reason
    # Behind a decoder's projections adapters are hooks, and part of the model.
    assert run.left == [] or (name == "adapter" and task_format.writes_text)
    if record.status != "unsupported":
        assert record.score is not None
        assert len(record.curve.loss) == record.cost.steps > 0
        sets = 1 + parse_stack(name, TECHNIQUES).selects_on_dev
        assert run.evaluations == [""] * sets * (1 if gets_last_evaluation(name) else 2)


@pytest.mark.exhaustive
@pytest.mark.promise("runs")
@pytest.mark.parametrize("name", TRAINED)
def test_survives_batches_of_every_shape(train, name):
    """Sequences cut at the longest; batches in parts, the last batch and its last part short; evaluations of one."""
    shape = {"max_length": 24, "stride": 4, "batch_size": 8, "accumulate": 2, "eval_batch_size": 1}
    shape |= {"answer_tokens": 12}
    # Not all the examples that there are, for what looks at the rest.
    shape |= {"train_examples": (17, 21)[TRAINED.index(name) % 2], "eval_examples": 4, "evaluations": 1}
    record = train(rotated(name), name, **shape).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert np.isfinite(record.curve.loss).all()
    finite = np.isfinite(record.curve.grad_norm)
    assert record.curve.nonfinite_steps == (~finite).sum()
    # Its loss scale begins high and is found by what overflows, which is skipped.
    assert finite.all() or (name == "fp16" and record.curve.nonfinite_steps < 3)


@pytest.mark.exhaustive
@pytest.mark.promise("runs")
@pytest.mark.parametrize("name", TRAINED)
def test_runs_in_lower_precision(train, usual, name):
    record = train("sst2", name, precision="bf16", **SHORT).record
    assert record.status in ("converged", "collapsed"), record.reason
    assert record.curve.loss[0] == pytest.approx(usual(name, "sst2").record.curve.loss[0], rel=0.02)


@pytest.mark.parametrize("task", TASK_OF.values())
def test_a_sequence_as_long_as_the_model_has_places_for(train, task):
    changes = {"max_length": 512, "stride": 64, "train_examples": None, "eval_examples": 4, "evaluations": 1}
    record = train(task, **changes).record
    assert record.status in ("converged", "collapsed"), record.reason
