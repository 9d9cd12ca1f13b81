"""A task format of one's own is two files and a line: the whole suite takes it, and nothing else knows of it."""

from __future__ import annotations

import ast
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import bench_lib
from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.core.errors import BadData
from bench_lib.report.analysis.recommend import task_query
from bench_lib.store import Store
from bench_lib.tasks import TASKS
from bench_lib.tasks.formats import FORMATS, QUESTION_ANSWERING
from bench_lib.tasks.sources import load
from bench_lib.tasks.sources.parse import parse
from bench_lib.tasks.task import Task
from bench_lib.techniques import TECHNIQUES
from bench_lib.techniques.interface.stack import parse_stack
from bench_lib.validation.conformance import PROMISES, unkept
from bench_lib.validation.trial import Trial
from tests.formats.pointing import POINTING

SHOUTED = Task(
    name="shouted",
    format=POINTING,
    description="which word is shouted",
    columns=("words", "target"),
    labels=(),
    metrics=("hits",),
    licence="none",
    citation="none",
    eval_split="validation",
)
SOURCE = Path(bench_lib.__file__).parent
WORDS = ["river", "stone", "letter", "window", "music", "garden", "winter", "paper"]


def rows(n: int, seed: int) -> list[dict[str, Any]]:
    generator, found = np.random.default_rng(seed), []
    for _ in range(n):
        words = [str(word) for word in generator.choice(WORDS, int(generator.integers(3, 7)))]
        target = int(generator.integers(len(words)))
        words[target] = f"{words[target]}!"
        found.append({"words": words, "target": target})
    return found


@pytest.fixture(autouse=True)
def _registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one line, and a task of the format."""
    monkeypatch.setitem(FORMATS._entries, POINTING.name, POINTING)
    monkeypatch.setitem(TASKS._entries, SHOUTED.name, SHOUTED)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "data" / "shouted").mkdir(parents=True)
    for seed, split in enumerate(("train", "validation")):
        pq.write_table(pa.Table.from_pylist(rows(48, seed)), tmp_path / "data" / "shouted" / f"{split}.parquet")
    return tmp_path / "data"


def test_a_grid_over_a_new_format_is_run_reported_and_asked_of(folder: Path, tmp_path: Path) -> None:
    store, out = tmp_path / "results", tmp_path / "reports"
    profile = "smoke:perturb=0.5:attack=0.1:epochs=2"
    grid = ["--tasks", "shouted", "--techniques", "adamw,eda,scl", "--seeds", "0-2", "--profile", profile]
    assert main(["run", *grid, "--model", "tiny", "--data", str(folder), "--store", str(store)]) == DONE
    runs = Store(store).frame()
    assert set(runs.status[runs.technique != "scl"]) <= {"converged", "collapsed"}
    assert set(runs.status[runs.technique == "scl"]) == {"unsupported"}
    declined = runs[runs.technique == "scl"].reason.unique().tolist()
    assert declined == ["scl declines pointing tasks: answer spans have no classes that a batch could share"]
    assert main(["report", "--store", str(store), "--out", str(out)]) == DONE
    assert "shouted" in (out / "leaderboard.md").read_text()


def test_the_data_of_a_new_format_are_audited(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["data", "audit", "--data", str(folder), "--tasks", "shouted", "--model", "tiny"]
    assert main(words) == DONE
    assert "shouted" in capsys.readouterr().out


@pytest.mark.exhaustive
@pytest.mark.parametrize("stack", ["adamw", "mixout", "token_cutoff", "deni"])
def test_the_promises_of_techniques_hold_for_a_new_format(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    corpora = SimpleNamespace(
        CORPORA=("shouted",), generate=lambda name: {"train": rows(32, 2), "evaluation": rows(16, 3)}
    )
    monkeypatch.setattr(load, "synthetic", corpora)
    trial = Trial(parse_stack(stack, TECHNIQUES), "shouted")
    assert {promise: unkept(promise, trial) for promise in PROMISES} == {promise: [] for promise in PROMISES}
    assert trial.usual.status in ("converged", "collapsed")


def test_nothing_outside_the_formats_tells_them_apart() -> None:
    """So that none has to be edited for a new one."""
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in SOURCE.rglob("*.py")
        if "formats" not in path.parts and path != SOURCE / "__init__.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.Attribute, ast.Name, ast.alias)) and _tells(node)
    ]
    assert not found, f"ask the format, or the example: {', '.join(found)}"


EXAMPLES = ("TextExample", "TagExample", "SpanExample", "LabelSetExample", "NumberExample")


def _tells(node: ast.Attribute | ast.Name | ast.alias) -> bool:
    if isinstance(node, ast.Attribute):
        return isinstance(node.value, ast.Name) and node.value.id in ("Format", "Format")
    return (node.id if isinstance(node, ast.Name) else node.name) in EXAMPLES


def test_a_format_prints_as_its_name() -> None:
    assert [str(task_format) for task_format in FORMATS][-1] == "pointing"
    assert POINTING == "pointing"
    assert POINTING != QUESTION_ANSWERING


def test_a_task_is_found_by_what_its_format_is_called() -> None:
    assert task_query("word selection", ["shouted"]).among(["shouted", "sst2"]) == ("shouted",)


def test_a_row_that_is_wrong_is_named() -> None:
    with pytest.raises(BadData, match=r"here, row 1 .*: target is 4; expected the place of a word, 0 to 2"):
        parse(SHOUTED, [rows(1, 0)[0], {"words": ["a", "b", "c"], "target": 4}], "here")


@pytest.mark.parametrize("name", TECHNIQUES.names())
def test_every_technique_takes_a_new_format_or_says_why_not(name: str) -> None:
    reason = TECHNIQUES.get(name)().declines(POINTING)
    assert reason is None or reason.strip()
