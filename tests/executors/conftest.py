from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The jobs, imported under a name by which worker processes find them too."""
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    return import_module("local_jobs")
