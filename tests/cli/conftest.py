from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from bench_lib.cli import main
from bench_lib.cli.console import DONE
from bench_lib.store import Store


@pytest.fixture(scope="session")
def small() -> tuple[str, ...]:
    """Options of a run that takes a moment."""
    return ("--profile", "smoke", "--model", "tiny", "--tasks", "sst2")


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory, small: tuple[str, ...]) -> Path:
    """A store of four runs, made by the command itself."""
    store = tmp_path_factory.mktemp("filled") / "results"
    assert main(["run", *small, "--techniques", "adamw,mixout", "--seeds", "0-1", "--store", str(store)]) == DONE
    return store


@pytest.fixture
def store(filled: Path, tmp_path: Path) -> Path:
    """A copy of that store."""
    return shutil.copytree(filled, tmp_path / "results")


@pytest.fixture
def damage() -> Callable[[Path], Path]:
    """Cut a run's row in half, and tell which."""

    def cut(store: Path) -> Path:
        path = Store(store).files("runs")[0]
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return path

    return cut
