from __future__ import annotations

import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.errors import Unavailable
from bench_lib.executors import Done, Failure
from bench_lib.instruments.kernels import Products
from bench_lib.models import MODELS
from bench_lib.runner.forecast import Speed
from bench_lib.tasks import STANDARD, TASKS
from bench_lib.validation import environment
from bench_lib.validation.environment import Finding, examine

SECONDS = {"fp32": 0.7, "bf16": 0.75, "fp16": 1.0}
TOLD = {
    "a step of minilm, 16 x 40 tokens on one thread": "fp32 0.70 s, bf16 0.75 s (emulated), fp16 1.00 s",
    "a run of quick": "imdb about 14 s, sst2 about 14 s, conll2003 about 19 s, squad about 15 s",
    "a run of desk": "imdb about 14 s, sst2 about 14 s, conll2003 about 19 s, squad about 15 s",
}


@pytest.fixture(autouse=True)
def _timed_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "speed", lambda _model, precision: Speed(SECONDS[precision], 0.25))
    monkeypatch.setattr(environment, "forecast", lambda specs: 10.0 * len(specs) + len(specs[0].task))


@pytest.fixture
def no_smoke(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "_smoke", lambda: "not tried")


def by_name(findings: list[Finding]) -> dict[str, Finding]:
    return {finding.what: finding for finding in findings}


@pytest.mark.usefixtures("no_smoke")
def test_versions_machine_and_model_are_named() -> None:
    found = examine()
    first = ["versions", "machine", "optional packages", "model minilm", "a smoke run, stored and read back"]
    assert [f.what for f in found] == [*first, *TOLD]
    assert all(f.ok and not f.optional for f in found)
    assert [part for part in found[0].found.split() if part[0].isalpha()] == ["python", "torch", "transformers", "peft"]
    assert "cores" in found[1].found
    assert found[3].found.startswith(f"{MODELS.get('minilm').package}==")


@pytest.mark.usefixtures("no_smoke")
def test_an_optional_package_that_is_missing_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nltk", None)
    found = by_name(examine())["optional packages"]
    assert found.ok
    assert found.found.startswith("datasets, gguf, peft, ")
    assert found.found.endswith("; no nltk (pip install 'stabbench[wordnet]')")


@pytest.mark.usefixtures("no_smoke")
def test_what_to_expect_of_this_machine_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "bf16_products", lambda: Products.EMULATED)
    found = by_name(examine())
    assert {name: found[name].found for name in TOLD} == TOLD


@pytest.mark.usefixtures("no_smoke")
def test_each_task_of_a_folder_is_told_by_its_sizes(data_folder: Path) -> None:
    found = by_name(examine(str(data_folder)))
    finding = found[f"data folder {data_folder}"]
    assert (finding.ok, finding.found) == (True, f"{data_folder} holds conll2003, e2e_nlg, mrpc, rte, squad, sst2")
    tasks = {name.strip(): f for name, f in found.items() if name.strip() in TASKS}
    assert tuple(tasks) == (*STANDARD, "e2e_nlg")
    assert all(finding.optional for finding in tasks.values())
    assert (tasks["sst2"].ok, tasks["sst2"].found) == (True, "40 to train on, 24 to evaluate")
    assert not tasks["imdb"].ok
    assert "which task imdb needs" in tasks["imdb"].found


@pytest.mark.usefixtures("no_smoke")
def test_a_folder_that_is_not_there_is_amiss(tmp_path: Path) -> None:
    found = by_name(examine(str(tmp_path / "none")))
    finding = found[f"data folder {tmp_path / 'none'}"]
    assert (finding.ok, finding.optional) == (False, False)
    assert finding.found.startswith(f"there is no such folder; {tmp_path} holds nothing")


@pytest.mark.usefixtures("no_smoke")
def test_files_that_are_not_data_are_told(data_folder: Path, tmp_path: Path) -> None:
    shutil.copytree(data_folder, tmp_path / "data")
    (tmp_path / "data" / "sst2" / "train.parquet").write_text("no rows")
    found = by_name(examine(str(tmp_path / "data")))
    assert not found["  sst2"].ok
    assert "train.parquet cannot be read" in found["  sst2"].found
    assert found["  rte"].ok


@pytest.mark.usefixtures("no_smoke")
def test_a_model_that_is_missing_is_amiss(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(*_: object) -> None:
        raise Unavailable("install it")

    monkeypatch.setattr(environment, "resolve", gone)
    assert by_name(examine())["model minilm"] == Finding("model minilm", "install it", ok=False)


class Loses:
    """Trains nothing, and loses the second of its jobs."""

    def run(self, function: object, jobs: list[Any]) -> Any:
        for number, job in enumerate(jobs):
            if number == 1:
                yield Done(job, None, Failure("timeout", "no result within 5 s"))


def test_a_smoke_run_that_is_lost_is_amiss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(environment, "InlineExecutor", Loses)
    smoke = by_name(examine())["a smoke run, stored and read back"]
    assert smoke == Finding(smoke.what, "sst2 timeout: no result within 5 s", ok=False)
