from __future__ import annotations

import dataclasses

import pytest

from bench_lib.cli import main
from bench_lib.cli.outcome import DONE, USAGE

Written = pytest.CaptureFixture[str]


def test_the_doctor_has_a_line_for_each_finding(capsys: Written) -> None:
    assert main(["doctor"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "ok  versions",
        "ok  machine",
        "ok  model minilm",
        "ok  a smoke run, stored and read back",
    ]
    assert lines[-1].endswith(": 4 runs")


def test_what_the_doctor_finds_amiss_is_the_exit_code(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench_lib import doctor

    found = [doctor.Finding("wheels", "3"), doctor.Finding("spare wheel", "none", ok=False, optional=True)]
    monkeypatch.setattr(doctor, "examine", lambda data: [dataclasses.replace(f, found=data or f.found) for f in found])
    assert main(["doctor"]) == DONE
    assert capsys.readouterr().out == "ok  wheels: 3\n--  spare wheel: none\n"
    found.append(doctor.Finding("engine", "none", ok=False))
    assert main(["doctor", "--data", "here"]) == USAGE
    assert capsys.readouterr().out == "ok  wheels: here\n--  spare wheel: here\n--  engine: here\n"
