from __future__ import annotations

import json
import re
import shlex
import shutil
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, INCONCLUSIVE, REGRESSION, USAGE
from bench_lib.submissions.archive import write_archive
from bench_lib.validation import conformance

Written = pytest.CaptureFixture[str]
EXAMPLE = Path(__file__).parents[2] / "examples" / "shaken.py"
TINY = ("--tasks", "sst2", "--profile", "smoke", "--model", "tiny", "--seeds", "3")


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A submission, made by the commands themselves."""
    folder = tmp_path_factory.mktemp("submit")
    shutil.copy(EXAMPLE, folder / "mine.py")
    words = ["submit", f"{folder / 'mine.py'}:Shaken", *TINY, "--store", str(folder / "results")]
    words += ["--out", str(folder / "submission.tar.gz")]
    with pytest.MonkeyPatch.context() as patch:
        told: list[str] = []
        patch.setattr("bench_lib.cli._fail", lambda code, *problems: told.extend(problems) or code)
        assert main(words) == USAGE
    (problem,) = told
    assert main(shlex.split(problem.rpartition("this makes them: stabbench")[2])) == DONE
    assert main(words) == DONE
    return folder / "submission.tar.gz"


@pytest.fixture
def keeping(monkeypatch: pytest.MonkeyPatch) -> None:
    """The promises are kept; trying them takes a minute."""
    monkeypatch.setattr(conformance, "breaches", lambda stack: [])


def test_packing_says_what_failed_and_how_to_verify(archive: Path, tmp_path: Path, capsys: Written) -> None:
    made, out = archive.parent, tmp_path / "again.tar.gz"
    words = ["submit", f"{made / 'mine.py'}:Shaken", *TINY, "--store", str(made / "results"), "--out", str(out)]
    assert main(words) == DONE
    written = capsys.readouterr()
    assert re.fullmatch(
        rf"{re.escape(str(out))}: 6 runs, \d of them failed, [\d,]+ bytes, sha256 \w{{64}}\n", written.out
    )
    few, verify = written.err.splitlines()
    assert few.endswith("3 seeds a task; fewer than 20 seeds decide nothing about spread")
    assert verify.endswith(f"stabbench verify-submission {out} --trust")


def test_without_trust_it_stays_open_and_says_what_to_do(archive: Path, capsys: Written) -> None:
    assert main(["verify-submission", str(archive)]) == INCONCLUSIVE
    written = capsys.readouterr()
    *lines, cells, last = written.out.splitlines()
    assert [line.split(": ")[0] for line in lines if not line.startswith(" ")] == [*["verified"] * 5, "open"]
    assert cells == "shaken against adamw on sst2, smoke, tiny, embedded data"
    assert last.endswith(": open")
    assert "read technique.py of the archive (--unpack DIR), then repeat with --trust" in written.err


def test_with_trust_it_is_verified_after_a_warning(archive: Path, capsys: Written, keeping: None) -> None:
    words = ["verify-submission", str(archive), "--trust", "--executor", "inline", "--sample", "2"]
    assert main(words) == DONE
    written = capsys.readouterr()
    assert written.err.startswith("stabbench: the code of the submission runs now, with your rights")
    assert written.err.endswith("then 2 of its runs\n")
    assert written.out.count("verified: trained again") == 2
    key = written.out.splitlines()[-1].partition("--key ")[2].partition(":")[0]
    again = [line for line in written.out.splitlines() if "trained again" in line]
    assert main([*words, "--key", key]) == DONE
    assert [line for line in capsys.readouterr().out.splitlines() if "trained again" in line] == again


def test_what_is_refused_is_not_run(archive: Path, tmp_path: Path, capsys: Written) -> None:
    changed = tmp_path / "changed.tar.gz"
    assert main(["verify-submission", str(archive), "--unpack", str(tmp_path / "out")]) == INCONCLUSIVE
    held = {p.relative_to(tmp_path / "out").as_posix(): p for p in (tmp_path / "out").rglob("*") if p.is_file()}
    write_archive(changed, {n: p.read_bytes() + b"\n" * (n == "technique.py") for n, p in held.items()})
    capsys.readouterr()
    assert main(["verify-submission", str(changed), "--trust"]) == REGRESSION
    written = capsys.readouterr()
    assert written.out.startswith("refused: technique: technique.py is version")
    assert written.err == ""


def test_json_alone_goes_to_the_standard_output(archive: Path, capsys: Written) -> None:
    assert main(["verify-submission", str(archive), "--json"]) == INCONCLUSIVE
    answer = json.loads(capsys.readouterr().out)
    assert (answer["verdict"], answer["label"], answer["seeds"], answer["key"]) == ("open", "shaken", 3, "")
    assert [one["standing"] for one in answer["checks"]] == [*["verified"] * 5, "open"]


def test_what_was_unpacked_can_be_merged(archive: Path, tmp_path: Path, capsys: Written) -> None:
    out = tmp_path / "out"
    assert main(["verify-submission", str(archive), "--unpack", str(out)]) == INCONCLUSIVE
    assert (out / "technique.py").read_text() == EXAMPLE.read_text()
    assert main(["store", "merge", str(tmp_path / "board"), str(out / "results")]) == USAGE
    (tmp_path / "board").mkdir()
    assert main(["store", "merge", str(tmp_path / "board"), str(out / "results")]) == DONE
    assert "6 runs of" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere.tar.gz"], "nowhere.tar.gz cannot be read: No such file"),
        (["ARCHIVE", "--key", "a"], "--key is 'a'; allowed: given with --trust"),
        (["ARCHIVE", "--sample", "0"], "--sample is 0; allowed: 1 or more"),
        (["ARCHIVE", "--data", "hub"], "--data is 'hub'; allowed: embedded"),
        (["ARCHIVE", "--unpack", "FOLDER"], "is there already; name an empty folder"),
    ],
)
def test_bad_input_is_exit_code_two(archive: Path, capsys: Written, words: list[str], message: str) -> None:
    given = {"ARCHIVE": str(archive), "FOLDER": str(archive.parent)}
    assert main(["verify-submission", *(given.get(word, word) for word in words)]) == USAGE
    assert message in capsys.readouterr().err


@pytest.mark.exhaustive
def test_in_worker_processes_with_all_promises(archive: Path, capsys: Written) -> None:
    assert main(["verify-submission", str(archive), "--trust", "--sample", "2", "--workers", "1"]) == DONE
    assert "verified: promises: every promise of techniques is kept" in capsys.readouterr().out


@pytest.mark.exhaustive
def test_code_that_ends_its_process_is_refused(archive: Path, tmp_path: Path, capsys: Written) -> None:
    """The process that verifies is not the one in which the code runs."""
    text = EXAMPLE.read_text() + "\nimport os\n\nif os.environ.get('STABBENCH_DIES'):\n    os._exit(3)\n"
    (tmp_path / "mine.py").write_text(text)
    words = ["submit", f"{tmp_path / 'mine.py'}:Shaken", *TINY, "--store", str(tmp_path / "results")]
    words += ["--out", str(tmp_path / "submission.tar.gz")]
    assert main(words) == USAGE
    command = capsys.readouterr().err.rpartition("this makes them: stabbench")[2]
    assert main(shlex.split(command)) == DONE
    assert main(words) == DONE
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STABBENCH_DIES", "1")
        assert main(["verify-submission", str(tmp_path / "submission.tar.gz"), "--trust"]) == REGRESSION
    assert "refused: promises:" in capsys.readouterr().out
