from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench_lib.instruments import cache
from bench_lib.instruments.cache import cache_folder, code_digest, keep_value, read_value


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


KEY = ["weights", True, 2]


def test_a_value_is_kept_under_its_kind_and_key_alone() -> None:
    assert read_value("models", KEY) is None
    keep_value("models", KEY, {"alike": True, "names": ["head"]})
    assert read_value("models", KEY) == {"alike": True, "names": ["head"]}
    assert read_value("data", KEY) is None
    assert read_value("models", ["weights", True, 3]) is None
    keep_value("models", KEY, {"alike": False})
    assert read_value("models", KEY) == {"alike": False}
    assert len([*cache.values_folder().rglob("*.*")]) == 1


@pytest.mark.parametrize("damage", [b"", b"{", b"[1]", b"\xff"])
def test_what_cannot_be_read_was_never_kept(damage: bytes) -> None:
    keep_value("models", KEY, {"alike": True})
    (path,) = cache.values_folder().rglob("*.json")
    path.write_bytes(damage)
    assert read_value("models", KEY) is None


def test_a_folder_that_cannot_be_written_keeps_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(cache, "values_folder", lambda: tmp_path / "file")
    keep_value("models", KEY, {"alike": True})
    assert read_value("models", KEY) is None


def test_a_digest_of_code_changes_with_any_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(cache, "PACKAGE", tmp_path)
    (tmp_path / "part" / "__pycache__").mkdir(parents=True)
    found = []
    for name in ("one.py", "part/two.py", "part/words.txt", "part/__pycache__/two.pyc"):
        (tmp_path / name).write_text(name)
        code_digest.cache_clear()
        found.append(code_digest("one.py", "part"))
    (tmp_path / "part" / "two.py").write_text("changed")
    code_digest.cache_clear()
    found.append(code_digest("one.py", "part"))
    code_digest.cache_clear()
    assert len(set(found)) == 4
    assert found[2] == found[3]
