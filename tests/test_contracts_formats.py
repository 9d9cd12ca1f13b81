"""What every technique promises, on numbers and on sets of labels, where its loss is another one or it declines."""

from __future__ import annotations

from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.conformance import unkept
from bench_lib.validation.trial import Trial

TASK_NAMES = ("stsb", "go_emotions")
OTHER = {"stsb": "go_emotions", "go_emotions": "stsb"}
NAMES = [name for name in TECHNIQUES.names() if not TECHNIQUES.get(name)().pools()]
TOUCHED = (
    *("r_drop", "r3f", "smart", "lr_drop", "mixup", "token_cutoff", "label_smoothing", "dft", "z_loss", "scl", "deni"),
    *("self_training", "lm_bff", "intermediate_task"),
)
"""Those that read logits, targets or predictions."""
CASES = [
    pytest.param(name, task, marks=[] if name in TOUCHED else pytest.mark.exhaustive)
    for name in NAMES
    for task in TASK_NAMES
]
PROMISES = ("runs", "identity", "repeats")
DECLINED = {
    "stsb": {
        "label_smoothing": "label_smoothing declines regression tasks: a number has no other classes that could get",
        "dft": "dft declines regression tasks: a number has no probability that could weigh its loss",
        "z_loss": "z_loss declines regression tasks: a number has no softmax whose normaliser could drift",
        "scl": "scl declines regression tasks: numbers are no classes that a batch could share",
        "self_training": "self_training declines regression tasks: a number has no probability to be held against",
        "lm_bff": "lm_bff declines regression tasks: the one masked word of a template answers for one class of a text",
    },
    "go_emotions": {
        "z_loss": "z_loss declines multi_label tasks: the normaliser of a sigmoid has one logit only",
        "scl": "scl declines multi_label tasks: two texts may share some of their labels",
        "self_training": "self_training declines multi_label tasks: a set of labels has no one probability to be held",
        "lm_bff": "lm_bff declines multi_label tasks: the one masked word of a template answers for one class",
    },
}


@pytest.mark.usefixtures("_translations")
@pytest.mark.promise("runs", "identity", "repeats")
@pytest.mark.parametrize(("name", "task"), CASES)
def test_a_technique_keeps_its_promises_or_says_why_it_declines(name: str, task: str, brief) -> None:
    # On another task that has an embedded corpus.
    others = {"intermediate_task": f"task={OTHER[task]}:epochs=1", "multi_task": f"tasks={OTHER[task]}"}
    text = f"{name}:{others[name]}" if name in others else brief(name)
    trial = Trial(parse_stack(text, TECHNIQUES), task)
    record = trial.usual
    if reason := DECLINED[task].get(name):
        assert (record.status, record.reason[: len(reason)]) == ("unsupported", reason)
        return
    assert TECHNIQUES.get(name)().declines(TASKS.get(task).format) is None
    assert record.status in ("converged", "collapsed"), record.reason
    assert {promise: unkept(promise, trial) for promise in PROMISES} == {promise: [] for promise in PROMISES}


@pytest.mark.parametrize(("task", "matters"), [("stsb", False), ("go_emotions", True)])
def test_token_cutoff_compares_distributions_alone(task: str, matters: bool) -> None:
    stacks = (
        parse_stack(text, TECHNIQUES) for text in ("token_cutoff:share=0.3", "token_cutoff:share=0.3:js_weight=0.0")
    )
    one, other = (Trial(stack, task).usual.curve.loss for stack in stacks)
    assert (one != other) == matters


@pytest.mark.exhaustive
def test_seeds_are_pooled_reported_and_audited(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store, pools = str(tmp_path / "results"), "ensemble:members=2,uniform_soup:members=2,start_many:members=2"
    grid = ["--tasks", ",".join(TASK_NAMES), "--techniques", f"adamw,{pools}", "--seeds", "0-1", "--data", "embedded"]
    profile = "smoke:perturb=0.5:attack=0.1:label_noise=0.2"
    assert main(["run", *grid, "--profile", profile, "--model", "tiny", "--store", store]) == DONE
    runs = Store(tmp_path / "results").frame()
    assert set(runs.status) <= {"converged", "collapsed"}
    assert set(runs.metric) == {"pearson", "macro_f1"}
    assert runs.robust_score[runs.technique == "adamw"].notna().all()
    assert main(["report", "--store", store, "--out", str(tmp_path / "reports")]) == DONE
    assert "go_emotions" in (tmp_path / "reports" / "leaderboard.md").read_text()
    assert main(["data", "audit", "--data", "embedded", "--tasks", ",".join(TASK_NAMES), "--model", "tiny"]) == DONE
    said = capsys.readouterr().out
    assert "28 labels, from" in said
    assert "numbers from 0.00 to 5.00, mean " in said
