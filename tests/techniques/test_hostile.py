"""Hostile techniques: each comes in as a user's would, and leaves the runs that follow it as they were to the bit."""

from __future__ import annotations

import dataclasses
import json
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.runner.execute import execute
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack


@pytest.fixture(autouse=True)
def _interruptible() -> Iterator[None]:
    """What a shell started in the background ignores Ctrl-C, so that a technique which does so would change nothing."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


HEAD = '''
import contextlib, os, random, signal, sys, threading, time, warnings
from dataclasses import dataclass, field
from typing import ClassVar, Optional, Union

import numpy as np
import torch

from bench_lib.techniques.interface.technique import Technique

{before}

@dataclass(frozen=True)
class Hostile(Technique):
    """Does what the test wants."""

    name = {name}
    family = "baselines"
    paper = "none"
    identity = None

{body}
'''

AT_THE_END = """@contextlib.contextmanager
def evaluate_under(self, training):
    yield
    if training.step == training.total_steps:
        """
"""A hook that acts after the last evaluation of a run."""

LEAVING = {
    "default type": ("torch.set_default_dtype(torch.float64)", "torch's default type"),
    "default device": ("torch.set_default_device('meta')", "torch's default device"),
    "no gradients": ("torch.set_grad_enabled(False)", "torch's gradient mode"),
    "inference mode": ("sys.kept = torch.inference_mode(); sys.kept.__enter__()", "torch's inference mode"),
    "autocast": ("torch.autocast('cpu', torch.bfloat16).__enter__()", "torch's autocast"),
    "mkldnn": ("torch.backends.mkldnn.set_flags(False)", "torch's kernels"),
    "matmul precision": ("torch.set_float32_matmul_precision('medium')", "torch's kernels"),
    "no determinism": ("torch.use_deterministic_algorithms(False)", "torch's deterministic mode"),
    "threads": ("torch.set_num_threads(3)", "torch's number of threads"),
    "anomaly mode": ("torch.autograd.set_detect_anomaly(True)", "torch's anomaly mode"),
    "flushed denormals": ("torch.set_flush_denormal(True)", "the flushing of denormal numbers"),
    "a patched function": (
        "f = torch.nn.functional.gelu; torch.nn.functional.gelu = lambda *a, **k: 0.9 * f(*a, **k)",
        "torch.nn.functional.gelu",
    ),
    "a patched layer": (
        "f = torch.nn.Linear.forward; torch.nn.Linear.forward = lambda self, x: 0.9 * f(self, x)",
        "torch.nn.modules.linear.Linear.forward",
    ),
    "a patched tensor": ("torch.Tensor.add_ = lambda self, *a, **k: self", "torch.Tensor.add_"),
    "a patched optimiser": ("torch.optim.AdamW.step = lambda self, *a, **k: None", "torch.optim.adamw.AdamW.step"),
    "a patched harness": (
        "import bench_lib.harness.loop as loop; loop.Loop.run = lambda *a, **k: None",
        "bench_lib.harness.loop.Loop.run",
    ),
    "a shadowed builtin": (
        "import bench_lib.harness.batches as b; b.len = lambda x: 1",
        "bench_lib.harness.batches.len",
    ),
    "a patched model": (
        "import transformers.models.bert.modeling_bert as m; m.BertSelfOutput.forward = lambda self, x, y: y",
        "transformers.models.bert.modeling_bert.BertSelfOutput.forward",
    ),
    "a hook on all modules": (
        "torch.nn.modules.module.register_module_forward_hook(lambda m, i, o: o * 0.9 if hasattr(o, 'mul') else o)",
        "torch's hooks on all modules and optimisers",
    ),
    "a hook on all optimisers": (
        "from torch.optim.optimizer import register_optimizer_step_post_hook as r; r(lambda o, a, k: o.zero_grad())",
        "torch's hooks on all modules and optimisers",
    ),
    "a hook on saved tensors": (
        "torch.autograd.graph.saved_tensors_hooks(lambda x: x, lambda x: x * 0.9).__enter__()",
        "torch's hooks on saved tensors",
    ),
    "a function mode": ("Halving().__enter__()", "torch's function modes"),
    "a dispatch mode": ("Dispatching().__enter__()", "torch's dispatch modes"),
    "another generator": (
        "torch.default_generator = torch.random.default_generator = torch.Generator()",
        "torch.default_generator",
    ),
    "the weights as loaded": (
        "[w.data.mul_(0.5) for w in training.pretrained.values()]",
        "the weights as they were loaded",
    ),
    "the cached model": (
        "[w.detach().mul_(0.5) for w in training.pretrained.template.model.parameters()]",
        "the cached model",
    ),
    "warnings that raise": ("warnings.simplefilter('error')", "the filters of warnings"),
    "an environment variable": ("os.environ['HOSTILE'] = '1'", "the environment"),
    "another folder": ("os.chdir('/')", "the working directory"),
    "a handler of signals": ("signal.signal(signal.SIGINT, signal.SIG_IGN)", "the handlers of signals"),
    "an alarm": ("signal.setitimer(signal.ITIMER_REAL, 1000)", "a pending alarm"),
    "a closed stream": ("sys.stdout = None", "the standard streams"),
    "errors of numpy": ("np.seterr(all='raise')", "numpy's handling of errors"),
    "a replaced module": ("sys.modules['torch.nn.functional'] = torch", "the module torch.nn.functional"),
    "no recursion": ("sys.setrecursionlimit(400)", "the limit of recursion"),
    "a thread": ("threading.Thread(target=STOP.wait, daemon=True, name='reseeder').start()", "the thread reseeder"),
}
"""What a hook does, and how the record calls what it left behind."""

MODES = """
STOP = threading.Event()
sys.modules["hostile_stop"] = STOP

class Halving(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))

class Dispatching(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))
"""


def written(folder: Path, body: str, before: str = "", name: str = "'hostile'") -> str:
    path = folder / "hostile.py"
    path.write_text(HEAD.format(body="\n".join(f"    {line}" for line in body.splitlines()), before=before, name=name))
    return f"{path}:Hostile"


def outcome(record: RunRecord) -> tuple[str, bytes]:
    values = record.predictions.values.tobytes() if record.predictions is not None else b""
    return json.dumps(record.result(), default=str, sort_keys=True), values


@pytest.fixture(scope="module")
def base(make_spec: Callable[..., Any]) -> Any:
    return make_spec("sst2", train_examples=16, eval_examples=8)


@pytest.fixture(scope="module")
def baseline(base: Any) -> tuple[str, bytes]:
    return outcome(execute([base])[0])


@pytest.mark.exhaustive
@pytest.mark.parametrize("case", LEAVING)
def test_what_a_hook_leaves_behind_is_named_and_the_next_run_is_the_same_to_the_bit(
    tmp_path: Path, base: Any, baseline: tuple[str, bytes], case: str
) -> None:
    action, name = LEAVING[case]
    source = written(tmp_path, AT_THE_END + action, MODES)
    spec = dataclasses.replace(base, stack=parse_stack(source, TECHNIQUES).spec())
    try:
        (record,) = execute([spec])
        assert name in record.provenance["left_behind"].split(", ")
        (after,) = execute([base])
        assert outcome(after) == baseline
        assert "left_behind" not in after.provenance
    finally:
        sys.modules.pop("hostile_stop").set()  # type: ignore[attr-defined]
        vars(sys).pop("kept", None)


@pytest.mark.parametrize(
    "action", ["sys.exit(0)", "raise GeneratorExit", "raise BaseException('a\\nb')", "def f(): f()\n    f()"]
)
def test_what_a_hook_raises_is_the_end_of_its_run_alone(
    tmp_path: Path, base: Any, baseline: tuple[str, bytes], action: str
) -> None:
    source = written(tmp_path, f"def prepare(self, training):\n    {action}")
    (record,) = execute([dataclasses.replace(base, stack=parse_stack(source, TECHNIQUES).spec())])
    assert record.status == Status.CRASHED
    assert record.reason
    assert outcome(execute([base])[0]) == baseline


def test_a_worker_ends_after_a_run_of_anyones_code_and_of_no_other(
    tmp_path: Path, base: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    monkeypatch.setattr("bench_lib.runner.execute.retire", lambda: ended.append(1))
    execute([base])
    assert not ended
    foreign = parse_stack(written(tmp_path, "pass"), TECHNIQUES).spec()
    execute([dataclasses.replace(base, stack=foreign)])
    assert ended == [1]


LOADING = {
    "sys.exit(0)": "SystemExit: 0",
    "raise GeneratorExit": "GeneratorExit",
    "class Odd(BaseException): pass\nraise Odd('one\\ntwo')": "Odd: one two",
    "class Odd(KeyboardInterrupt): pass\nraise Odd": "Odd",
    "class Odd(Exception):\n    def __str__(self): raise ValueError\nraise Odd": "Odd",
    "def f(): f()\nf()": "RecursionError: maximum recursion depth",
    "def": "SyntaxError: ",
    "x = '\0'": "null byte",
    "input()": "EOFError",
    "raise MemoryError": "MemoryError",
    "import nowhere": "ModuleNotFoundError: No module named 'nowhere'",
    "signal.signal(signal.SIGINT, signal.SIG_IGN)": "changes the handlers of signals",
    "torch.set_default_dtype(torch.float64)": "changes torch's default type",
    "torch.nn.Linear.forward = lambda self, x: x": "changes torch.nn.modules.linear.Linear.forward",
}


def refused(source: str) -> str:
    with pytest.raises(BenchError) as caught:
        parse_stack(source, TECHNIQUES)
    assert len(str(caught.value).splitlines()) == 1
    return str(caught.value)


@pytest.mark.parametrize("before", LOADING)
def test_what_a_file_does_as_it_is_loaded_is_refused_in_one_line(tmp_path: Path, before: str) -> None:
    text = refused(written(tmp_path, "pass", before))
    assert LOADING[before] in text
    assert "hostile.py" in text


def test_a_file_in_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "hostile.py").write_bytes("x = 'é'".encode("latin-1"))
    assert "SyntaxError" in refused(f"{tmp_path}/hostile.py:Hostile")


def test_what_a_file_prints_is_no_output_and_what_it_seeds_is_put_back(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import random

    state, folder, variables = random.getstate(), list(sys.path), dict(os.environ)
    parse_stack(written(tmp_path, "pass", "print('noise'); random.seed(1); os.environ['HOSTILE'] = '1'"), TECHNIQUES)
    assert capsys.readouterr() == ("", "noise\n")
    assert (random.getstate(), list(sys.path), dict(os.environ)) == (state, folder, variables)


def test_an_interrupt_while_a_file_is_loaded_is_one(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        parse_stack(written(tmp_path, "pass", "raise KeyboardInterrupt"), TECHNIQUES)


SAYING = {
    "def __post_init__(self): raise SystemExit": "making the technique hostile raised SystemExit",
    "def __post_init__(self): torch.set_grad_enabled(False)": "changes torch's gradient mode",
    "def __post_init__(self): object.__setattr__(self, 'groups', 3)": "'groups' is set on the instance",
    **{
        f"def pools(self): return {value}": f"pools() of the technique hostile is {value}; allowed: whole numbers"
        for value in ("-1", "2.5", "'3'", "None", "True", "1000000000")
    },
    "def pools(self): return 3": "needs one of the hooks PoolsPredictions, PoolsWeights, MergesWeights, ChoosesRun",
    "def pools(self): raise KeyError('x')": "KeyError: 'x'",
    "def passes(self): return 2": "passes() of the technique hostile is 2; allowed: two numbers",
    "def passes(self): return (1, -1)": "passes() of the technique hostile is -1",
    "def passes(self): return (1, float('nan'))": "passes() of the technique hostile is nan",
    "def draws(self): return 'augment'": "draws() of the technique hostile is 'augment'; allowed: a tuple of init",
    "def draws(self): return ('augmnt',)": "draws() of the technique hostile is ('augmnt',)",
    "def declines(self, task_format): return 3": "is 3; allowed: the reason as text",
    "def declines(self, task_format): sys.exit()": "raised SystemExit",
    "def spec(self): return None": "'spec' says what the technique is by value",
    "version = 3": "version of the technique",
    "observer = 'yes'": "observer of the technique",
    "packages = 'peft'": "packages of the technique",
    "identity = 3": "identity of the technique",
    "identity = {'strenght': 1.0}": "is 'strenght'; allowed: none, since it has no fields",
    "strength: float = 1.0\nidentity = {'strength': 'x'}": "strength in identity of the technique",
    "strength: list = None": "type of the field Hostile.strength",
    "strength: 'Nowhere' = None": "the types of the fields of Hostile cannot be read: NameError",
    "strength: float = field(default_factory=float)": "comes from a factory",
    "strength: float = float('nan')": "a number that equals itself",
    "strength: float = 'x'": "allowed: a value of float",
    "strength: float = field(default=1.0, init=False)": "init of the field 'strength'",
    "strength: float": "raised TypeError: ",
}


@pytest.mark.parametrize("body", SAYING)
def test_what_a_technique_says_of_itself_is_checked_in_one_line(tmp_path: Path, body: str) -> None:
    assert SAYING[body] in refused(written(tmp_path, body))


@pytest.mark.parametrize(
    "name", ["", "a\nb", "a b", "a/b", "../x", ".x", "-x", "é", "x" * 101, "a\0", "a+b", "a:b", "a,b", "a=b", "a\x1b"]
)
def test_a_name_that_is_no_word_is_refused(tmp_path: Path, name: str) -> None:
    assert "allowed: letters a to z, digits" in refused(written(tmp_path, "pass", name=repr(name)))


@pytest.mark.parametrize("name", ["3", "None", "b'x'"])
def test_a_name_that_is_no_text_is_refused(tmp_path: Path, name: str) -> None:
    assert "name of the technique" in refused(written(tmp_path, "pass", name=name))


def test_a_name_that_is_a_property_is_refused_as_any_other(tmp_path: Path) -> None:
    assert "cannot be used: 'name'" in refused(written(tmp_path, "pass", name="property(lambda self: 'x')"))


@pytest.mark.parametrize("annotation", ["float", "Optional[float]", "Union[None, float]", "float | None", "'float'"])
def test_settings_are_read_without_postponed_annotations(tmp_path: Path, annotation: str) -> None:
    source = written(tmp_path, f"strength: {annotation} = 1.0")
    (technique,) = parse_stack(f"{source}:strength=2", TECHNIQUES).techniques
    assert dataclasses.asdict(technique) == {"strength": 2.0}
    with pytest.raises(BenchError, match="a value of type float"):
        parse_stack(f"{source}:strength=x", TECHNIQUES)


def test_no_thread_of_these_tests_is_left() -> None:
    assert not [thread for thread in threading.enumerate() if thread.name == "reseeder" and thread.is_alive()]
