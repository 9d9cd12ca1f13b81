from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

from bench_lib import __version__
from bench_lib.cli import main
from bench_lib.cli.console import DONE, INFRASTRUCTURE, USAGE
from bench_lib.core.errors import BenchError
from bench_lib.runner.sweep import Progress

Written = pytest.CaptureFixture[str]


def test_the_version_is_the_packages(capsys: Written) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--version"])
    assert ended.value.code == DONE
    assert capsys.readouterr().out == f"stabbench {__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["rnu"], ["list", "task"], ["run", "--workers", "two"], ["store", "verify"]])
def test_what_does_not_parse_is_bad_usage(capsys: Written, arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == USAGE
    assert "usage: stabbench" in capsys.readouterr().err


def test_the_command_helps_and_lists_without_the_heavy_packages() -> None:
    code = """
import sys
from bench_lib.cli import main
heavy = {"torch", "transformers", "datasets", "peft", "pandas", "matplotlib"}
for words in (["--help"], ["check", "--help"]):
    try:
        main(words)
    except SystemExit as ended:
        assert ended.code == 0
assert not {*heavy, "scipy"} & sys.modules.keys(), "help"
for kind in ("tasks", "models", "profiles"):
    assert main(["list", kind]) == 0
print(sorted(heavy & sys.modules.keys()))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"
    assert "--max-cost RATIO" in found.stdout


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "bench_lib.cli", "list", "--markdown"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (USAGE, "")
    assert found.stderr.startswith("stabbench: --markdown is 'all'; allowed: given with")


def test_an_interrupt_is_no_traceback(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise KeyboardInterrupt

    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", sweep)
    assert main(["run"]) == 130
    assert capsys.readouterr().err == "stabbench: stopped; what is stored is kept, the same command goes on\n"


def test_an_error_of_ours_is_a_message(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise BenchError("there is no room")

    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", sweep)
    assert main(["run"]) == USAGE
    assert capsys.readouterr().err == "stabbench: there is no room\n"


@pytest.mark.parametrize(
    ("number", "code"),
    [(errno.ENOSPC, INFRASTRUCTURE), (errno.EIO, INFRASTRUCTURE), (errno.EACCES, USAGE), (errno.ENAMETOOLONG, USAGE)],
)
def test_what_the_system_refuses_is_a_line(
    capsys: Written, monkeypatch: pytest.MonkeyPatch, number: int, code: int
) -> None:
    def sweep(*_: object) -> Progress:
        raise OSError(number, os.strerror(number), "some\nwhere")

    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", sweep)
    assert main(["run"]) == code
    assert capsys.readouterr().err == f"stabbench: 'some\\nwhere': {os.strerror(number)}\n"


def test_a_fault_of_ours_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise ZeroDivisionError

    monkeypatch.setattr("bench_lib.runner.sweep.run_suite", sweep)
    with pytest.raises(ZeroDivisionError):
        main(["run"])


def test_all_problems_of_a_command_are_told_a_line_each(capsys: Written) -> None:
    words = [
        "--tasks",
        "sts2",
        "--techniques",
        "mixuot",
        "--model",
        "minlm",
        "--seeds",
        "x",
        "--freeze",
        "y",
        "--retry",
        "z",
    ]
    assert main(["run", *words]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    assert all(line.startswith("stabbench: ") for line in lines)
    for word in ("sts2", "mixuot", "minlm", "'x'", "'y'", "'z'"):
        assert sum(word in line for line in lines) == 1, word
    assert main(["check", "mixuot", "--baseline", "adamv", "--tasks", "sts2", "--model", "minlm"]) == USAGE
    lines = capsys.readouterr().err.splitlines()
    for word in ("mixuot", "adamv", "sts2", "minlm"):
        assert sum(word in line for line in lines) == 1, word


@pytest.mark.parametrize(
    "command", [["run", "--store"], ["report", "--out"], ["check", "--against"], ["store", "verify"]]
)
@pytest.mark.parametrize("path", ["", "a\0b", "x" * 300])
def test_what_no_file_can_be_called_is_bad_usage(capsys: Written, command: list[str], path: str) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command, path])
    assert ended.value.code == USAGE
    assert "allowed: a path, with at most 255 bytes" in capsys.readouterr().err


@pytest.mark.parametrize("words", [["run", "--profile=--"], ["run", "--vary=--"], ["check", "adamw", "--tasks=--"]])
def test_an_option_whose_value_argparse_drops_is_bad_usage(capsys: Written, words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(words)
    assert ended.value.code == USAGE
    assert "expected one value" in capsys.readouterr().err
