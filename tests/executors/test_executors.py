from __future__ import annotations

import dataclasses
import os
import sys
from importlib.metadata import EntryPoint

import pytest

from bench_lib.core import registry
from bench_lib.core.errors import BadValue, BenchError, UnknownName
from bench_lib.executors import (
    EXECUTORS,
    OPTIONS,
    ExecutorKind,
    InlineExecutor,
    LocalExecutor,
    Settings,
    executors_help,
    make_executor,
)

OWN = ExecutorKind("own", "of a plug-in", frozenset({"address"}), lambda settings: InlineExecutor())
STRAY = ExecutorKind("stray", "takes what there is not", frozenset({"queue"}), lambda settings: InlineExecutor())
NO_KIND = InlineExecutor


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_workers_are_as_many_as_the_gpus_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadValue, match="--workers-per-gpu is 2; allowed: none, since no GPU is visible"):
        make_executor("local", Settings(workers_per_gpu=2))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1,2")
    for settings, workers in ((Settings(), 3), (Settings(workers_per_gpu=4), 12), (Settings(workers=5), 5)):
        made = make_executor("local", settings)
        assert isinstance(made, LocalExecutor)
        assert made.workers == workers
    for settings, message in (
        (Settings(workers_per_gpu=0), "--workers-per-gpu is 0; allowed: 1 or more"),
        (Settings(workers=2, workers_per_gpu=2), "--workers-per-gpu is 2; allowed: none beside --workers, of which"),
    ):
        with pytest.raises(BadValue, match=message):
            make_executor("local", settings)


def test_executors_are_made_by_name_from_what_the_user_gives() -> None:
    assert make_executor("inline", Settings()) == InlineExecutor()
    libraries = "bench_lib.executors.libraries"
    assert make_executor("local", Settings(3, 90.0)) == LocalExecutor(3, 90.0, imports=libraries)
    expected = LocalExecutor(os.cpu_count() or 1, 24 * 60 * 60, imports=libraries)
    assert make_executor("local", Settings()) == expected


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        (
            "inline",
            Settings(workers=2),
            "workers of the executor inline is 2; allowed: none; the executors local, ray and slurm",
        ),
        ("inline", Settings(time_limit=9.0), "time limit of the executor inline is 9.0"),
        ("local", Settings(workers=0), "number of workers is 0; allowed: 1 or more"),
        ("local", Settings(workers=100_000), "number of workers is 100000; allowed: 1 or more, up to 1,024"),
        (
            "local",
            Settings(address="auto"),
            "address of the executor local is 'auto'; allowed: none; the executor ray",
        ),
    ],
)
def test_settings_that_an_executor_cannot_use_are_refused(name: str, settings: Settings, message: str) -> None:
    with pytest.raises(BadValue, match=message):
        make_executor(name, settings)


def test_an_unknown_executor_is_answered_with_the_nearest() -> None:
    with pytest.raises(UnknownName, match="unknown executor 'locl': did you mean 'local'"):
        EXECUTORS.get("locl")


def test_every_setting_is_an_option() -> None:
    assert [field.name for field in dataclasses.fields(Settings)] == [*OPTIONS]


def test_executors_of_installed_packages_are_named_and_made(monkeypatch: pytest.MonkeyPatch) -> None:
    points = [("own", "OWN"), ("stray", "STRAY"), ("no_kind", "NO_KIND")]
    offered = tuple(EntryPoint(name, f"offering:{value}", "stabbench.executors") for name, value in points)
    monkeypatch.setattr(registry, "_points", lambda group: offered)
    monkeypatch.setitem(sys.modules, "offering", sys.modules[__name__])
    assert executors_help().endswith("slurm: jobs of a SLURM cluster; own; stray; no_kind")
    assert make_executor("own", Settings(address="here")) == InlineExecutor()
    with pytest.raises(BenchError, match="'stray' of an installed package takes queue; there are workers, time_limit"):
        make_executor("stray", Settings())
    with pytest.raises(BenchError, match="'no_kind' of an installed package is of the type type; it must be"):
        make_executor("no_kind", Settings())
