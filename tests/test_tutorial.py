"""The tutorial, done as it stands: its commands one after the other, with a quicker model and budget."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INCONCLUSIVE
from bench_lib.store import Store
from bench_lib.validation import conformance
from bench_lib.validation.effect_measurement import Bench, reference

spec = importlib.util.spec_from_file_location("tutorial_blocks", Path(__file__).with_name("shell_blocks.py"))
assert spec is not None
assert spec.loader is not None
shell_blocks = importlib.util.module_from_spec(spec)
sys.modules[spec.name] = shell_blocks
spec.loader.exec_module(shell_blocks)

PAGE = "docs/tutorial.md"
QUICKER = {"quick-stress": "smoke-stress"}
LAST = "--data"
"""An option of the commands of the last step, which need data that is not here."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (technique,) = shell_blocks.blocks(PAGE, "python")
    (tmp_path / "gentle.py").write_text(technique)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def quick(words: tuple[str, ...]) -> list[str]:
    """The arguments of a command, with a quicker model and budget where it trains."""
    arguments = [QUICKER.get(word, word) for word in words[1:]]
    return [*arguments, "--model", "tiny"] if words[1] in ("run", "check") else arguments


@pytest.mark.exhaustive
def test_the_commands_of_the_tutorial_do_what_it_says(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # Whether the technique acts is tried on a real model, which takes a minute: here on a tiny one.
    monkeypatch.setattr(conformance, "BENCH", Bench(model="tiny", profile="smoke", train_examples=32, eval_examples=16))
    reference.cache_clear()
    done = []
    commands = [found for found in shell_blocks.commands(PAGE) if found.program == "stabbench" and not found.mention]
    for command in commands:
        if command.words[1] == "--version" or LAST in command.words or "--task" in command.words:
            continue
        code = main(quick(command.words))
        said = capsys.readouterr()
        assert code == DONE or (command.words[1] == "check" and code == INCONCLUSIVE), f"{command}: {said.err}"
        done.append(command.words[1])
    reference.cache_clear()
    assert done == ["run", "report", "run", "check", "compare", "report"]
    assert (folder / "first-report" / "index.html").is_file()
    runs = Store(folder / "first").frame()
    assert set(runs["technique"]) == {"adamw", "gentle_start"}
    assert len(runs) >= 20
