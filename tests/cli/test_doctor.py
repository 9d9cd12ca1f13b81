from __future__ import annotations

import dataclasses

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE, USAGE
from bench_lib.runner.forecast import Speed

Written = pytest.CaptureFixture[str]


def test_the_doctor_has_a_line_for_each_finding(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench_lib.validation import environment as doctor

    monkeypatch.setattr(doctor, "speed", lambda *_: Speed(1.0, 0.5))
    monkeypatch.setattr(doctor, "forecast", lambda specs: 7.0)
    assert main(["doctor"]) == DONE
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        "ok  versions",
        "ok  machine",
        "ok  optional packages",
        "ok  model minilm",
        "ok  a smoke run, stored and read back",
        "ok  a step of minilm, 16 x 40 tokens on one thread",
        "ok  a run of quick",
        "ok  a run of desk",
    ]
    assert lines[4].endswith(": 4 runs")
    assert lines[-1].endswith(": imdb about 7 s, sst2 about 7 s, conll2003 about 7 s, squad about 7 s")


def test_what_the_doctor_finds_amiss_is_the_exit_code(capsys: Written, monkeypatch: pytest.MonkeyPatch) -> None:
    from bench_lib.validation import environment as doctor

    found = [doctor.Finding("wheels", "3"), doctor.Finding("spare wheel", "none", ok=False, optional=True)]
    monkeypatch.setattr(
        doctor, "examine", lambda data, own_tasks: [dataclasses.replace(f, found=data or f.found) for f in found]
    )
    assert main(["doctor"]) == DONE
    assert capsys.readouterr().out == "ok  wheels: 3\n--  spare wheel: none\n"
    found.append(doctor.Finding("engine", "none", ok=False))
    assert main(["doctor", "--data", "here"]) == USAGE
    assert capsys.readouterr().out == "ok  wheels: here\n--  spare wheel: here\n--  engine: here\n"
