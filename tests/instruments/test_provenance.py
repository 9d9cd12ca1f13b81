from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from bench_lib.instruments import provenance as module
from bench_lib.instruments.provenance import PACKAGES, lesser_kernels, provenance, shared_by

CPU = torch.device("cpu")


@pytest.fixture
def facts() -> dict[str, str]:
    return provenance(CPU)


def test_the_machine_and_the_versions_are_named(facts: dict[str, str]) -> None:
    assert {"cpu", "cores", "memory_gib", "system", "python", "device", "started", *PACKAGES} <= facts.keys()
    assert facts["torch"] == version("torch")
    assert facts["cores"] == str(os.cpu_count())
    assert int(facts["memory_gib"]) >= 1
    assert facts["device"] == "cpu"
    assert all(isinstance(value, str) and value for value in facts.values())


def test_nothing_says_whose_machine_it_was(facts: dict[str, str]) -> None:
    text = "\n".join(f"{name}: {value}" for name, value in facts.items())
    assert not {socket.gethostname(), Path.home().name} & set(re.findall(r"[\w.-]+", text))
    for path in (Path.home(), Path.cwd(), Path(module.__file__).parents[2]):
        assert str(path) == "/" or str(path) not in text
    assert not re.search(r"(^|[\s:='\"(])(/|~/|[A-Z]:\\)\w", text), text


def test_the_time_is_now_and_universal(facts: dict[str, str]) -> None:
    started = datetime.fromisoformat(facts["started"])
    assert started.tzinfo is not None
    assert abs(datetime.now(UTC) - started) < timedelta(minutes=1)


def test_a_package_that_is_missing_is_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PACKAGES", ("no-such-package",))
    module._fixed.cache_clear()
    found = provenance(CPU)["no-such-package"]
    module._fixed.cache_clear()
    assert found == "not installed"


@pytest.mark.skipif(shutil.which("git") is None, reason="needs git")
def test_a_checkout_names_its_commit_and_whether_its_code_was_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def git(*arguments: str) -> str:
        who = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
        command = ["git", "-C", str(tmp_path), *who, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    code = tmp_path / "bench_lib/instruments/provenance.py"
    code.parent.mkdir(parents=True)
    code.write_text("one")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "-m", "one")
    monkeypatch.setattr(module, "__file__", str(code))
    (tmp_path / "results").write_text("beside the code")
    assert module._source_state() == {"commit": git("rev-parse", "HEAD"), "dirty": "false"}
    code.write_text("two")
    assert module._source_state()["dirty"] == "true"


def test_code_outside_a_checkout_names_no_commit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "a/b/c.py"))
    assert module._source_state() == {}


def test_a_machine_without_git_names_no_commit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert module._source_state() == {}


def test_the_kernels_of_a_lesser_processor_are_named_where_they_are_asked_for() -> None:
    assert lesser_kernels({"HOME": "/", "MKL_CBWR": ""}) == {}
    found = lesser_kernels({"MKL_CBWR": "COMPATIBLE", "ATEN_CPU_CAPABILITY": "default"})
    assert found == {"kernels": "ATEN_CPU_CAPABILITY=default MKL_CBWR=COMPATIBLE"}


def test_a_gpu_that_is_shared_by_mps_is_said_to_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu, environment = torch.device("cuda"), {"CUDA_MPS_PIPE_DIRECTORY": str(tmp_path)}
    assert shared_by(gpu, environment) == {}
    os.mkfifo(tmp_path / "control")
    assert shared_by(gpu, environment) == {"mps": "on"}
    assert shared_by(CPU, environment) == {}
    monkeypatch.setattr(module, "MPS_PIPES", str(tmp_path))
    assert shared_by(gpu, {}) == {"mps": "on"}
    assert "mps" not in provenance(CPU)
