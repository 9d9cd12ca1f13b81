from __future__ import annotations

import subprocess
import sys

import pytest

from bench_lib import __version__, suite
from bench_lib.cli import main
from bench_lib.cli.outcome import DONE, USAGE
from bench_lib.errors import BenchError
from bench_lib.suite import Progress

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


def test_the_command_starts_and_lists_without_the_heavy_packages() -> None:
    code = """
import sys
from bench_lib.cli import main, parser
parser()
for kind in ("tasks", "models", "profiles"):
    assert main(["list", kind]) == 0
print(sorted({"torch", "transformers", "datasets", "peft", "pandas", "matplotlib"} & sys.modules.keys()))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.splitlines()[-1] == "[]"


def test_the_module_is_the_command() -> None:
    command = [sys.executable, "-m", "bench_lib.cli", "run", "--seeds", "x"]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (found.returncode, found.stdout) == (USAGE, "")
    assert found.stderr.startswith("stabbench: seed range is 'x'")


def test_an_interrupt_is_no_traceback(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise KeyboardInterrupt

    monkeypatch.setattr(suite, "run_suite", sweep)
    assert main(["run"]) == 130
    assert capsys.readouterr().err == "stabbench: stopped; what is stored is kept, the same command goes on\n"


def test_an_error_of_ours_is_a_message(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep(*_: object) -> Progress:
        raise BenchError("there is no room")

    monkeypatch.setattr(suite, "run_suite", sweep)
    assert main(["run"]) == USAGE
    assert capsys.readouterr().err == "stabbench: there is no room\n"
