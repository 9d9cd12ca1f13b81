"""The commands of the pages on submissions and on the regression gate run as they stand, on less of everything."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INCONCLUSIVE, REGRESSION, USAGE
from bench_lib.validation import conformance

ROOT = Path(__file__).parents[1]
WORKFLOW = ROOT / "examples" / "regression-gate.yml"
SMALLER = {
    "--tasks": "sst2",
    "--profile": "smoke",
    "--data": "embedded",
    "--max-seeds": "4",
    "--seeds 0-19": "0-3",
    "--seeds 20": "3",
}
Written = pytest.CaptureFixture[str]


def commands(page: str) -> list[list[str]]:
    """The commands of a page, each as words."""
    blocks = re.findall(r"```sh\n(.*?)```", (ROOT / "docs" / page).read_text(), re.DOTALL)
    return [shlex.split(line)[1:] for block in blocks for line in block.splitlines()]


def smaller(words: list[str]) -> list[str]:
    """A command with less to do: the tiny model on one task."""
    for place, word in enumerate(words[1:], 1):
        option = words[place - 1]
        words[place] = SMALLER.get(f"{option} {word}", SMALLER.get(option, word))
    tiny = ["--profile", "smoke", "--model", "tiny"] if words[0] in ("run", "check", "submit") else []
    return [*words, *tiny]


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A technique in the working directory, which keeps its promises: trying them takes a minute."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conformance, "breaches", lambda stack: [])
    path = tmp_path / "mine.py"
    path.write_text(
        (ROOT / "examples" / "shaken.py").read_text().replace("Shaken", "Mine").replace('"shaken"', '"mine"')
    )
    return path


def test_the_gate_as_its_page_has_it(mine: Path, capsys: Written) -> None:
    *committed, against, baseline = map(smaller, commands("regression-gate.md"))
    assert [main(words) for words in committed] == [DONE] * 3
    mine.write_text(f"{mine.read_text()}\n# changed\n")
    capsys.readouterr()
    assert main(against) == INCONCLUSIVE
    written = capsys.readouterr()
    assert "mine against mine version" in written.out
    assert "4 runs: 0 stored, 4 to do" in written.err
    assert main(baseline) == INCONCLUSIVE
    assert "8 runs: 4 stored, 4 to do" in capsys.readouterr().err


def test_submissions_as_their_page_has_them(mine: Path, capsys: Written) -> None:
    submit, unpack, trust, merge = map(smaller, commands("submissions.md"))
    submit += ["--store", "mine"]
    assert main(submit) == USAGE
    assert main(shlex.split(capsys.readouterr().err.rpartition("this makes them: stabbench")[2])) == DONE
    assert main(submit) == DONE
    assert main(unpack) == INCONCLUSIVE
    assert main([*trust, "--executor", "inline"]) == DONE
    Path("results").mkdir()
    assert main(merge) == DONE


@pytest.mark.parametrize(
    ("code", "ends", "said"),
    [
        (DONE, 0, "::notice::"),
        (REGRESSION, 1, "::error::the change is a regression"),
        (USAGE, 2, "::error::the check did not run"),
        (INCONCLUSIVE, 0, "::warning::"),
    ],
)
def test_the_workflow_makes_of_exit_codes_what_the_page_says(tmp_path: Path, code: int, ends: int, said: str) -> None:
    flow = yaml.safe_load(WORKFLOW.read_text())
    (step,) = [one for one in flow["jobs"]["gate"]["steps"] if "stabbench check" in one.get("run", "")]
    fake = tmp_path / "stabbench"
    fake.write_text(f'#!/bin/sh\nprintf "%s\\n" "$@" > "{tmp_path}/words"\nexit {code}\n')
    fake.chmod(0o755)
    found = subprocess.run(
        ["bash", "-e", "-c", step["run"]],
        env={**flow["env"], "PATH": f"{tmp_path}:/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (found.returncode, found.stderr) == (ends, "")
    assert said in found.stdout
    words = (tmp_path / "words").read_text().split("\n")
    assert words[:6] == ["check", "techniques/mine.py:Mine", "--against", "results", "--store", "fresh"]


def test_the_workflow_runs_the_command_of_the_page(mine: Path) -> None:
    """The words of the workflow are a command that trains, and not only text."""
    flow = yaml.safe_load(WORKFLOW.read_text())
    steps = [one["run"] for one in flow["jobs"]["gate"]["steps"] if "stabbench " in one.get("run", "")]
    verify, check = [re.search(r"stabbench (\w+ .*?)(?: \|\| .*)?$", run, re.MULTILINE) for run in steps[-2:]]
    text = check[1].replace("$SETTING", flow["env"]["SETTING"]).replace("$SEEDS", flow["env"]["SEEDS"])
    words = shlex.split(text.replace("$TECHNIQUE", "mine.py:Mine"))
    words[words.index("--model") + 1] = "tiny"
    run, *_ = map(smaller, commands("regression-gate.md"))
    assert main(run) == DONE
    assert main(shlex.split(verify[1])) == DONE
    assert main(smaller(words)) == INCONCLUSIVE
