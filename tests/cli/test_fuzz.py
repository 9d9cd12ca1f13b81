"""Command lines made of what is allowed and what is hostile: an exit code and a line a problem, never a traceback."""

from __future__ import annotations

import contextlib
import io
import os
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench_lib.cli import calibrate, main
from bench_lib.cli import check as check_command
from bench_lib.comparison.sequential import Comparison
from bench_lib.core.errors import BenchError
from bench_lib.report import render
from bench_lib.runner.grid import plan
from bench_lib.runner.sweep import Progress
from bench_lib.validation import environment

EXAMPLES = int(os.environ.get("STABBENCH_FUZZ_EXAMPLES", "60"))
"""Command lines that are tried; more of them on demand."""

LONG = "x" * 5000
# fmt: off
HOSTILE = [
    "", " ", ",", ":", "=", "+", "-", "--", ".", "..", "/", "~", "~nobody", "%s", "{}", "*", "'", '"', "a\0b", "a\nb",
    "\x1b[31mred", "\udcff", "\u202e", "é", "日本", LONG, "x" * 256, "/".join(["x" * 200] * 30), "None", "inf", "nan",
    "-inf", "-1", "0", "1e400", "9" * 25, "9" * 5000, "((((" * 500, "-" * 4000 + "1", "'\\d'",
]
NUMBERS = ["1", "2", "3", "30", "0.5", "1.5x", "2%", "99999999999", "1_000", "٣", "²", "0x10", "1e3", "True"]
TEXT = st.text(st.characters(exclude_categories=()), max_size=12)
VALUE = st.one_of(st.sampled_from(HOSTILE), st.sampled_from(NUMBERS), TEXT)


class Run(NamedTuple):
    """How a command ended, and what it wrote."""

    code: object
    out: str
    err: str


def listed(*known: str) -> st.SearchStrategy[str]:
    """Names, several of them or others in their place."""
    return st.one_of(
        st.sampled_from(known), st.lists(st.one_of(st.sampled_from(known), VALUE), max_size=3).map(",".join)
    )


def mostly(*known: str) -> st.SearchStrategy[str]:
    return st.one_of(st.sampled_from(known), VALUE)


PROFILE = mostly(
    "smoke", "quick", "smoke:eval_examples=1", "smoke:max_length=100000", "smoke:learning_rate=inf", "smoke:warmup=nan",
    "smoke:learning_rate=nan", "smoke:epochs=1000000000000", "smoke:weight_decay=1e400", "smoke:eps=inf",
    "smoke:threads=99999999", "smoke:learning_rate=" + "9" * 400, "smoke:max_length=" + "9" * 5000, "smoke:bucket=",
    "smoke:dropout=(((((", "smoke:train_examples=0", "smoke:stride=48", "smoke:schedule=x",
)
TECHNIQUES = listed(
    "adamw", "mixout", "llrd+reinit", "ensemble", "all", "llrd:decay=inf", "longer:epochs=99999999", "adamw+adamw",
    "ensemble:members=99999999999", "x.py:Y", "./x.py:Y", "FIFO.py:Y", "FOLDER.py:Y",
)
# fmt: on
PATHS = ["FOLDER", "FILE", "FILE/below", "FIFO", "MISSING", "MISSING/below", "LOOP", "STORE"]
SETTING = {
    "profile": PROFILE,
    "tasks": listed("sst2", "squad", "conll2003", "rte", "all"),
    "model": mostly("tiny", "a/b/c", "é/è", "a/" + "b" * 200, *PATHS),
    "data": mostly("embedded", *PATHS),
    "store": mostly(*PATHS),
    "executor": mostly("inline", "local"),
    "workers": mostly("1", "2", "1000000000", "-5"),
    "time-limit": mostly("1", "nan", "1e400", "-1", "inf"),
}
SEEDS = mostly(
    "0", "0-1", "5-3", "0-999999999", "0-9,0-9,0-9", "9" * 19, "9" * 20, "0-" + "9" * 5000, "0-999999,1000000-1999999"
)
COMMANDS: dict[str, tuple[list[st.SearchStrategy[str]], dict[str, st.SearchStrategy[str] | None]]] = {
    "run": (
        [],
        {
            **SETTING,
            "techniques": TECHNIQUES,
            "seeds": SEEDS,
            "freeze": mostly("none", "subset=0", "subset=" + "9" * 20, "order=1,init=2", "subset=" + "9" * 5000),
            "vary": mostly("init", "init,order", "initxorder", "all", "augment"),
            "retry": mostly("crashed", "crashed,oom"),
            **dict.fromkeys(("max-runs", "max-hours"), mostly("1", "0", "nan", "9" * 400)),
            **dict.fromkeys(("train-examples", "per-class"), mostly("1,2", "all", "9" * 20)),
            **dict.fromkeys(("label-noise", "perturb", "attack"), mostly("0,0.5", "nan", "1e400", "inf")),
        },
    ),
    "check": (
        [TECHNIQUES],
        {
            **SETTING,
            "baseline": TECHNIQUES,
            "max-seeds": mostly("3", "30", "99999999999", "2"),
            **dict.fromkeys(("alpha", "margin", "max-cost"), mostly("0.05", "2", "nan", "inf")),
            "against": mostly(*PATHS),
            "json": None,
            "calibrate": None,
            "repetitions": mostly("1", "999999999999"),
        },
    ),
    "report": (
        [],
        {
            **dict.fromkeys(("store", "out"), mostly(*PATHS)),
            "baseline": VALUE,
            "workers": mostly("1", "999999"),
            "check": None,
        },
    ),
    "compare": ([mostly("adamw", *PATHS)] * 2, {"store": mostly(*PATHS), "json": None}),
    "recommend": (
        [],
        {
            "task-like": mostly("sst2", "ner", "qa"),
            **dict.fromkeys(("max-cost", "max-failure", "top"), mostly("1", "2%")),
            "store": mostly(*PATHS),
            **dict.fromkeys(("model", "profile", "baseline"), VALUE),
            "data": mostly("real", "embedded"),
            "json": None,
        },
    ),
    "store": ([mostly("verify", "compact", "merge"), mostly(*PATHS), mostly(*PATHS)], {}),
    "status": ([mostly("PLAN", *PATHS)], {**{name: SETTING[name] for name in ("store", "data")}, "json": None}),
    "data": (
        [mostly("audit")],
        {**{name: SETTING[name] for name in ("tasks", "data", "model", "profile")}, "json": None},
    ),
    "list": ([mostly("models", "profiles", "tasks")], {"markdown": None}),
    "doctor": ([], {"data": mostly(*PATHS)}),
}


@st.composite
def lines(draw: st.DrawFn) -> list[str]:
    """A command with some of its arguments, a few options at a time, so that not all of them are wrong."""
    name = draw(st.sampled_from([*COMMANDS, "run", "check"]))
    positional, options = COMMANDS[name]
    given_all = draw(st.integers(0, 9)) > 0
    words = [draw(strategy) for strategy in positional if given_all or draw(st.booleans())]
    chosen = draw(st.lists(st.sampled_from(sorted(options)), max_size=4, unique=True)) if options else []
    for option in chosen:
        strategy = options[option]
        words += [f"--{option}"] if strategy is None else [f"--{option}={draw(strategy)}"]
    # What takes long unless it is told otherwise.
    usual = {"profile": "smoke", "model": "tiny", "tasks": "sst2", "seeds": "0"}
    return [name, *(f"--{o}={value}" for o, value in usual.items() if o in options and o not in chosen), *words]


@pytest.fixture
def world(tmp_path: Path, data_folder: Path, filled: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one of each kind of path, and commands that stop where they would train, draw or measure."""
    (tmp_path / "FOLDER").mkdir()
    (tmp_path / "FOLDER.py").mkdir()
    (tmp_path / "FILE").write_text("text")
    sweep = 'name = "x"\ntasks = ["sst2"]\ntechniques = ["adamw"]\nprofiles = ["smoke"]\nseeds = "0"'
    (tmp_path / "PLAN").write_text(f'title = "x"\nmodel = "tiny"\n[[sweep]]\n{sweep}\n')
    for name in ("FIFO", "FIFO.py"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "LOOP").symlink_to(tmp_path / "LOOP")
    (tmp_path / "STORE").symlink_to(filled)
    monkeypatch.chdir(tmp_path)

    def sweep(grid: Any, store: Any, *_: object) -> Progress:
        runs = len(plan(grid))
        return Progress(runs, 0, runs, Counter({"converged": runs}))

    def refuse(*_: object) -> Any:
        raise BenchError("nothing is drawn or measured here")

    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", sweep)
    monkeypatch.setattr(Comparison, "result", refuse)
    monkeypatch.setattr(check_command, "_breaches", lambda technique: [])
    for module, what in ((render, "render"), (render, "stale"), (environment, "_smoke"), (calibrate, "_measured")):
        monkeypatch.setattr(module, what, refuse)
    return tmp_path


def called(arguments: list[str]) -> Run:
    """How a command ends; only what argparse raises for usage and help may leave it."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            code: object = main(arguments)
        except SystemExit as ended:
            code = ended.code
    return Run(code, out.getvalue(), err.getvalue())


@pytest.mark.exhaustive
@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(arguments=lines())
def test_no_command_line_ends_in_a_traceback(world: Path, arguments: list[str]) -> None:
    code, out, err = called(arguments)
    assert code in range(5), arguments
    assert "Traceback" not in err
    if code == 2 and not err.startswith("usage:") and "--calibrate" not in arguments:  # which has its table there
        told = [line for line in err.splitlines() if not line.startswith("trying on the tiny model")]
        assert told or out, arguments
        assert all(line.startswith("stabbench: ") and line.isprintable() for line in told), told
