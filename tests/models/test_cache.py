from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench_lib.models.cache import cache_folder


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders for caches")
@pytest.mark.parametrize(
    ("variables", "folder"),
    [
        ({"STABBENCH_CACHE": "/own", "XDG_CACHE_HOME": "/shared"}, "/own"),
        ({"XDG_CACHE_HOME": "/shared"}, "/shared/stabbench"),
        ({"HOME": "/home/ada"}, "/home/ada/.cache/stabbench"),
    ],
)
def test_where_things_are_kept(monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], folder: str) -> None:
    for name in ("STABBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert cache_folder() == Path(folder)
