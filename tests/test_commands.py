"""Every command in the documentation: that it can be given, and that what it names is there.

Those of the tutorial are run as well, in `tests/test_tutorial.py`.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.cli import parser
from bench_lib.cli.arguments import own_tasks
from bench_lib.core.errors import BenchError
from bench_lib.core.seeds import parse_seeds
from bench_lib.executors import OPTIONS, Settings, make_executor
from bench_lib.models import MODELS
from bench_lib.models.source import find_source
from bench_lib.plans.plan_file import read_plan
from bench_lib.runner.grid import Grid, all_tasks, check_names, named
from bench_lib.runner.options import parse_frozen_configurations, parse_statuses
from bench_lib.runner.request import parse_axes

spec = importlib.util.spec_from_file_location("shell_blocks", Path(__file__).with_name("shell_blocks.py"))
assert spec is not None
assert spec.loader is not None
shell_blocks = importlib.util.module_from_spec(spec)
sys.modules["shell_blocks"] = shell_blocks
spec.loader.exec_module(shell_blocks)

Command, ROOT = shell_blocks.Command, shell_blocks.ROOT
ALL = list(dict.fromkeys(command for page in shell_blocks.PAGES for command in shell_blocks.commands(page)))
OURS = [command for command in ALL if command.program == "stabbench"]
OTHERS = [command for command in ALL if command.program != "stabbench"]

PLACEHOLDERS = {
    "MODEL": "tiny-llama",
    "TASK": "sst2",
    "reviews": "sst2",  # of a package
    "FILE.toml": "reviews.toml",
    "FILE.py:Class": "mine.py:Mine",
    "PATH.py:Class": "mine.py:Mine",
    "NAME": "mixout",
    "../shared/data": "path/to/folder",
}
"""Words that stand for something of the reader's, and what there is of it here; `...` stands for further options."""

FOLDERS = ("DIR", "path/to/folder", "FROM", "results", "old-results", "other-results", "first", "gate-results")
REVIEWS = "text,label\nfine,good\npoor,bad\ngreat,good\ndull,bad\n"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files and folders that the pages name, as the pages describe them."""
    folder = tmp_path_factory.mktemp("place")
    for name in FOLDERS:
        (folder / name).mkdir(parents=True)
    shutil.copytree(ROOT / "examples", folder / "examples")
    for plan in (ROOT / "results").glob("*.toml"):
        shutil.copy(plan, folder / "results")
    (folder / "mine.py").write_text((ROOT / "examples" / "shaken.py").read_text().replace("Shaken", "Mine"))
    (gentle,) = shell_blocks.blocks("docs/tutorial.md", "python")
    (folder / "gentle.py").write_text(gentle)
    (folder / "reviews").mkdir()
    (folder / "reviews" / "train.csv").write_text(REVIEWS.replace("good", "1").replace("bad", "0"))
    (task,) = (b for b in shell_blocks.blocks("docs/how-to/own-task.md", "toml") if "reviews.toml" in b)
    (folder / "reviews.toml").write_text(task.replace("stars", "label").replace('review"', 'text"'))
    (plan,) = (b for b in shell_blocks.blocks("docs/running.md", "toml") if b.startswith("title"))
    (folder / "PLAN.toml").write_text(plan)
    return folder


@pytest.fixture
def here(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(place)
    return place


def given(words: tuple[str, ...]) -> list[str]:
    """The arguments of a command, with something real in place of each placeholder."""
    return [PLACEHOLDERS.get(word, word) for word in words[1:] if word != "..."]


def test_there_are_commands() -> None:
    assert len(OURS) > 80
    assert len(OTHERS) > 15


@pytest.mark.parametrize("command", OURS, ids=str)
def test_a_command_can_be_given_and_what_it_names_is_there(
    command: Command, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options, end = None, None
    try:
        options = parser().parse_args(given(command.words))
    except SystemExit as stopped:
        end = stopped.code
    said = capsys.readouterr().err
    assert not end or (command.mention and "arguments are required" in said), said
    for check in CHECKS if options else ():
        check(options)


def _grid(options: argparse.Namespace) -> None:
    """Tasks, techniques, profiles, seeds, streams and axes are valid."""
    if not (hasattr(options, "tasks") and hasattr(options, "task")):
        return
    techniques = getattr(options, "techniques", None) or getattr(options, "technique", None) or "adamw"
    seeds = parse_seeds(getattr(options, "seeds", None) or "0-4")
    data = options.data or "embedded"
    tasks = named(options.tasks or "all", all_tasks(data)) if options.tasks or not options.task else ()
    grid = Grid(
        tasks=(*tasks, *own_tasks(options)),
        techniques=(*named(techniques, ("adamw",)), getattr(options, "baseline", None) or "adamw"),
        seeds=seeds,
        profile=tuple((options.profile or "quick").split(",")),
        model=options.model or "minilm",
        data=data,
        frozen=parse_frozen_configurations(getattr(options, "vary", None), getattr(options, "freeze", None), seeds),
        axes=parse_axes(options) if hasattr(options, "per_class") else (),
    )
    names = dict.fromkeys(grid.techniques)
    check_names(Grid(**{**vars(grid), "techniques": tuple(names)}))


CLUSTERS = ("ray", "slurm")
"""Executors that are made where a cluster is."""


def _places(options: argparse.Namespace) -> None:
    """Models, data, plans and executors are known or there."""
    if model := getattr(options, "model", None):
        find_source(model, MODELS)
    if data := getattr(options, "data", None):
        assert data in ("hub", "embedded") or Path(data).is_dir()
    if plan := getattr(options, "plan", None):
        read = read_plan(plan, "embedded")
        assert not getattr(options, "part", None) or read.only(options.part)
    if hasattr(options, "executor") and options.executor not in CLUSTERS:
        make_executor(options.executor, Settings(**{name: getattr(options, name) for name in OPTIONS}))
    if against := getattr(options, "against", None):
        assert against.is_dir()
    if retry := getattr(options, "retry", None):
        parse_statuses(retry)


CHECKS: tuple[Callable[[argparse.Namespace], None], ...] = (_grid, _places)


def test_a_command_that_names_what_is_not_there_is_found_out(here: Path) -> None:
    wrong = {
        "run --techniques mixuot": _grid,
        "run --tasks sst3": _grid,
        "run --profile dsk": _grid,
        "run --seeds 4-0": _grid,
        "run --data nowhere": _places,
        "run --executor locl": _places,
        "run nowhere.toml": _places,
    }
    for text, check in wrong.items():
        options = parser().parse_args(text.split())
        with pytest.raises((BenchError, AssertionError, OSError)):
            check(options)


@pytest.mark.parametrize("command", OTHERS, ids=str)
def test_a_command_of_another_program_names_what_is_there(command: Command, pytestconfig: pytest.Config) -> None:
    assert command.program in PROGRAMS, "say in PROGRAMS how to tell whether it can be given"
    PROGRAMS[command.program](command.words[1:], pytestconfig)


def _make(words: tuple[str, ...], _: pytest.Config) -> None:
    targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(words) <= targets


def _pip(words: tuple[str, ...], _: pytest.Config) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    for word in words:
        if found := re.fullmatch(r"(?:\.|stabbench)\[([\w,-]+)\]", word):
            assert set(found[1].split(",")) <= set(extras)
        if word.endswith(".txt"):
            assert (ROOT / word).is_file()


def _pytest(words: tuple[str, ...], config: pytest.Config) -> None:
    for word in words:
        if word.startswith("--bench-"):
            config.getoption(word)
        elif "/" in word:
            assert (ROOT / word).exists(), word


def _python(words: tuple[str, ...], _: pytest.Config) -> None:
    if words[0] == "-m":
        name = words[1].split(".")
        assert (
            name[0] == "venv" or importlib.util.find_spec(name[0]) or (ROOT / Path(*name)).with_suffix(".py").exists()
        )


def _known(words: tuple[str, ...], _: pytest.Config) -> None:
    """Tools of others, and files of the repository."""


PROGRAMS: dict[str, Callable[[tuple[str, ...], pytest.Config], None]] = {
    "make": _make,
    "pip": _pip,
    "pytest": _pytest,
    "python": _python,
    "python3": _python,
    **dict.fromkeys(
        (".ci/run", ".ci/wheel", ".", "cat", "export", "git", "lint-imports", "mv", "mypy", "ruff", "test"), _known
    ),
}
