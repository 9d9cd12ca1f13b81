"""The conformance tests find each promise that is not kept, and nothing where all are."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch

from bench_lib.core.seeds import derive
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.conformance import PROMISES, Breach, breaches
from bench_lib.validation.effect_measurement import Bench
from bench_lib.validation.trial import GLOBALS

TASKS = ["sst2", "conll2003", "squad", "e2e_nlg", "go_emotions", "stsb"]

SOURCE = '''
from __future__ import annotations

import contextlib
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from bench_lib.core.errors import Unsupported
from bench_lib.techniques.interface.technique import Technique

@dataclass(frozen=True)
class Mine(Technique):
    """Does what the test wants."""

    name: ClassVar[str] = "mine"
    family: ClassVar[str] = "baselines"
    paper: ClassVar[str] = "none"
    identity: ClassVar[Mapping[str, float] | None] = {"strength": 0.0}

    strength: float = 1.0

    def draws(self):
        return ("augment",)

    def _noise(self, training, weight):
        return torch.randn(weight.shape, generator=training.generator("augment", "mine", training.step))

    @torch.no_grad()
    def after_update(self, training):
        for weight in training.trainable().values():
            weight += 0.01 * self.strength * self._noise(training, weight)
'''

AT_THE_END = """
    @contextlib.contextmanager
    def evaluate_under(self, training):
        yield
        if training.step == training.total_steps:
            """
"""A hook that acts after the last evaluation of a run."""

BROKEN = {
    "raises": (
        "runs",
        "ended as crashed: RuntimeError: out of luck",
        "    def prepare(self, training): raise RuntimeError('out of luck')",
    ),
    "exits the numbers": (
        "runs",
        "ended as diverged",
        "    def prepare(self, training): next(training.model.parameters()).data.fill_(float('nan'))",
    ),
    "declines without a reason": (
        "runs",
        "declines without a reason",
        "    def prepare(self, training): raise Unsupported('')",
    ),
    "draws from torch's generator": (
        "repeats",
        "run twice with one seed it differs in",
        """
    @torch.no_grad()
    def prepare(self, training):
        for weight in training.model.parameters():
            weight += 0.01 * self.strength * torch.randn(weight.shape)
""",
    ),
    "draws from numpy's generator": (
        "repeats",
        "run twice with one seed it differs in",
        "    def _noise(self, training, weight): return np.random.normal()",
    ),
    "draws from random's generator": (
        "repeats",
        "run twice with one seed it differs in",
        "    def _noise(self, training, weight): return random.gauss(0, 1)",
    ),
    "acts without strength": (
        "identity",
        "at its identity setting it differs from adamw in ",
        """
    @torch.no_grad()
    def prepare(self, training):
        for weight in training.model.parameters():
            weight *= 0.99
""",
    ),
    "has an identity setting that its constructor refuses": (
        "identity",
        "raised ValueError: ",
        "    def __post_init__(self):\n        if not self.strength: raise ValueError('none')",
    ),
    "counts its runs": (
        "repeats",
        "keeps state between runs, in Mine.count, and so a second one differs in ",
        """
    count = 0

    @torch.no_grad()
    def prepare(self, training):
        type(self).count += 1
        for weight in training.model.parameters():
            weight *= 1 - 0.01 * self.strength * self.count
""",
    ),
    "fills a list of its file": (
        "repeats",
        "keeps state between runs, in the file.SEEN, and so a second one differs in ",
        """
    @torch.no_grad()
    def prepare(self, training):
        SEEN.append(0)
        for weight in training.model.parameters():
            weight *= 1 - 0.01 * self.strength * len(SEEN)

SEEN = []
""",
    ),
    "reads the system's randomness": (
        "repeats",
        "run twice with one seed it differs in ",
        """
    @torch.no_grad()
    def prepare(self, training):
        for weight in training.model.parameters():
            weight *= 1 - 0.01 * self.strength * random.SystemRandom().random()
""",
    ),
    "moves what it rides on": (
        "observes",
        "with it riding along adamw differs in",
        "    observer: ClassVar[bool] = True",
    ),
    "compresses in place": (
        "observes",
        "with it riding along adamw differs in",
        """
    observer: ClassVar[bool] = True
    after_update = None

    @torch.no_grad()
    def compress(self, training):
        for weight in training.model.parameters():
            weight *= 1 - 0.9 * self.strength
        return training.model
""",
    ),
    "does not say what it draws from": (
        "streams",
        "`draws` does not name the seed stream augment, which changes ",
        "    def draws(self): return ()",
    ),
    "moves torch's generator": (
        "leaves no trace",
        "torch's generator is not as it was before the run",
        "    def __post_init__(self): torch.rand(1)",
    ),
    "moves numpy's generator": (
        "leaves no trace",
        "numpy's generator is not as it was before the run",
        "    def __post_init__(self): np.random.seed(7)",
    ),
    "moves random's generator": (
        "leaves no trace",
        "random's generator is not as it was before the run",
        "    def __post_init__(self): random.random()",
    ),
    "changes the default type": (
        "leaves no trace",
        "torch's default type is not as it was before the run",
        AT_THE_END + "torch.set_default_dtype(torch.float64)",
    ),
    "turns gradients off": (
        "leaves no trace",
        "torch's gradient mode is not as it was before the run",
        AT_THE_END + "torch.set_grad_enabled(False)",
    ),
    "counts its passes wrong": (
        "passes",
        "declares (4, 2) forward and backward passes and makes (2, 2)",
        "    def passes(self): return (2, 1)",
    ),
    "counts its passes at a step wrong": (
        "passes",
        "declares (3, 2) forward and backward passes and makes (2, 2)",
        "    def passes_at(self, step, steps): return (2, 1) if step == 1 else (1, 1)",
    ),
    "declares an estimation pass that it does not make": (
        "passes",
        "declares (4, 2) forward and backward passes and makes (2, 2)",
        "    def estimation_passes(self): return (1, 0)",
    ),
}


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a technique changes is measured with the tiny model, but where a test says otherwise."""
    monkeypatch.setattr("bench_lib.validation.conformance.BENCH", Bench("tiny", "sst2", "smoke", 16, 8, 2))


def tried(folder: Path, source: str) -> list[Breach]:
    path = folder / "mine.py"
    path.write_text(source)
    return breaches(parse_stack(f"{path}:Mine", TECHNIQUES))


# One of each way to cost something, on one task format, since the contracts try every technique on all; a stack on all.
KEPT = {
    "adamw": "squad",
    "llrd+reinit": "",
    "child_tuning_d": "squad",  # has an estimation pass
    "tapt:epochs=1": "sst2",  # trains before
    "self_training:threshold=0.0+r_drop": "sst2",  # as well
    "quantize_dynamic_int8": "conll2003",
    "deni:members=3:ensemble=0.6": "squad",  # more passes in some steps
    "deni:members=3+grad_accumulation": "squad",  # which may be those of fewer micro-batches
}


@pytest.mark.exhaustive
@pytest.mark.parametrize("text", KEPT)
def test_registered_techniques_keep_their_promises(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if KEPT[text]:
        monkeypatch.setattr("bench_lib.validation.conformance.TASK_OF", {"one": KEPT[text]})
    assert breaches(parse_stack(text, TECHNIQUES)) == []


def test_a_good_file_keeps_them_too(tmp_path: Path) -> None:
    assert tried(tmp_path, SOURCE) == []


@pytest.mark.exhaustive
def test_the_example_of_a_file_keeps_them() -> None:
    example = Path(__file__).parents[2] / "examples" / "shaken.py"
    assert breaches(parse_stack(f"{example}:Shaken", TECHNIQUES)) == []


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", BROKEN)
def test_a_promise_that_is_not_kept_is_named_with_what_was_seen(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise, what, methods = BROKEN[case]
    monkeypatch.setattr("bench_lib.validation.conformance.TASK_OF", {"one": "conll2003"})
    found = tried(tmp_path, SOURCE + methods)
    assert {(breach.promise, breach.task) for breach in found} == {(promise, "conll2003")}
    assert any(breach.what.startswith(what) for breach in found), found
    if "generator" in case:
        assert tried(tmp_path, SOURCE + methods) == found  # also where they stand as the first trial left them


LEAVES = {
    "patches a layer": (
        "torch.nn.Linear.forward = lambda self, x: x",
        ["torch.nn.modules.linear.Linear.forward is not as it was before the run"],
    ),
    "leaves a mode": (
        "type('M', (torch.overrides.TorchFunctionMode,), {'__torch_function__': "
        "lambda self, f, types, a=(), k=None: f(*a, **(k or {}))})().__enter__()",
        ["torch's function modes is not as it was before the run"],
    ),
    "writes into the weights as loaded": (
        "[w.data.zero_() for w in training.pretrained.values()]",
        ["the weights as they were loaded is not as it was before the run"],
    ),
    "rewrites code in place, which nothing restores": (
        "import bench_lib.core.seeds as s; s.derive.__code__ = (lambda base, stream, *names: 7).__code__",
        ["it leaves state behind: after it ran, adamw differs in "],
    ),
}


@pytest.mark.parametrize("case", LEAVES)
def test_what_is_left_behind_is_told_before_anything_is_concluded(
    tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    action, expected = LEAVES[case]
    monkeypatch.setattr("bench_lib.validation.conformance.TASK_OF", {"one": "sst2"})
    code = derive.__code__
    try:
        found = tried(tmp_path, SOURCE + AT_THE_END + action)
    finally:
        derive.__code__ = code
    assert {breach.promise for breach in found} == {"leaves no trace"}
    assert [breach.what[: len(text)] for breach, text in zip(found, expected, strict=True)] == expected


IDLE = {
    "nothing": "    after_update = None",
    "less than the weights can hold": """
    @torch.no_grad()
    def after_update(self, training):
        for weight in training.trainable().values():
            weight += 1e-9 * self.strength * self._noise(training, weight)
""",
    "no more than rounding does": """
    @torch.no_grad()
    def prepare(self, training):
        for weight in training.model.parameters():
            weight *= 1 + 1e-7 * self.strength * self._noise(training, weight)
    after_update = None
""",
}


@pytest.mark.parametrize("case", IDLE)
def test_what_does_nothing_is_named(tmp_path: Path, case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench_lib.validation.conformance.TASK_OF", {"one": "sst2"})
    (breach,) = tried(tmp_path, SOURCE + IDLE[case])
    assert (breach.promise, breach.task) == ("acts", "sst2")
    expected = "in a run of tiny on sst2 (smoke, 2 epochs of 16 examples) it changes no more than rounding does; "
    assert breach.what.startswith(expected)


def test_what_chooses_may_choose_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench_lib.validation.conformance.TASK_OF", {"one": "sst2"})
    methods = """
    observer: ClassVar[bool] = True
    after_update = None
    def stop(self, history): return False
    def select(self, history): return len(history) - 1
"""
    assert tried(tmp_path, SOURCE + methods) == []


def test_every_promise_is_shown_to_be_found() -> None:
    assert {promise for promise, _, _ in BROKEN.values()} == {
        name for name, promise in PROMISES.items() if promise.unkept and promise.on_tasks
    }


def test_every_kind_of_task_is_tried_whatever_was_found_before(tmp_path: Path) -> None:
    source = SOURCE.replace('"baselines"', '"magic"') + BROKEN["counts its passes wrong"][2]
    found = [(breach.promise, breach.task) for breach in tried(tmp_path, source)]
    assert found == [("declared", ""), *(("passes", task) for task in TASKS)]


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ('"baselines"', '"magic"', "mine: family is 'magic'; allowed: baselines, regularisation"),
        ('    """Does what the test wants."""\n', "", "mine: a docstring and the paper, or the word none, say"),
        ('str] = "none"', 'str] = ""', "mine: a docstring and the paper, or the word none, say"),
        ("float = 1.0\n", "float = 1.0\n    def __eq__(self, other): return False\n", "mine: made again from its own"),
    ],
)
def test_what_a_technique_does_not_say_of_itself_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, old: str, new: str, what: str
) -> None:
    monkeypatch.setattr("bench_lib.validation.conformance.TASK_OF", {})
    assert old in SOURCE
    (found,) = tried(tmp_path, SOURCE.replace(old, new))
    assert (found.promise, found.task) == ("declared", "")
    assert found.what.startswith(what)


@pytest.mark.exhaustive
def test_trying_changes_nothing_around_it(tmp_path: Path) -> None:
    torch.manual_seed(3)
    before = [get() for get, _ in GLOBALS.values()]
    tried(tmp_path, SOURCE + BROKEN["changes the default type"][2])
    after = [get() for get, _ in GLOBALS.values()]
    assert torch.equal(before[0], after[0])
    assert np.array_equal(before[1][1], after[1][1])
    assert before[1][2:] == after[1][2:]
    assert before[2:] == after[2:]
    assert random.getstate() == before[2]
