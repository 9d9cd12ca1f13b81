from __future__ import annotations

import sys
from pathlib import Path

import pytest

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.core.registry import Registry


@pytest.fixture
def fruit() -> Registry[int]:
    registry: Registry[int] = Registry("fruit")
    registry.add("pear", 1)
    registry.add("apple", 2)
    return registry


def test_entries_come_back_by_name_and_in_order(fruit: Registry[int]) -> None:
    assert fruit.get("apple") == 2
    assert fruit.names() == ("pear", "apple")
    assert list(fruit) == [1, 2]
    assert len(fruit) == 2
    assert "pear" in fruit
    assert "plum" not in fruit


def test_adding_gives_the_entry_back() -> None:
    entry = object()
    assert Registry[object]("thing").add("one", entry) is entry


def test_a_name_is_given_once_and_the_first_stays(fruit: Registry[int]) -> None:
    with pytest.raises(BenchError, match="fruit 'pear' is registered already"):
        fruit.add("pear", 3)
    assert fruit.get("pear") == 1


def test_an_unknown_name_answers_with_the_nearest(fruit: Registry[int]) -> None:
    with pytest.raises(UnknownName, match="unknown fruit 'aple': did you mean 'apple'"):
        fruit.get("aple")


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    """A registry of a package with two modules, of which one cannot be imported."""
    folder = tmp_path / "orchard"
    folder.mkdir()
    (folder / "__init__.py").touch()
    (folder / "plum.py").write_text("ENTRY = object()")
    (folder / "fig.py").write_text("raise RuntimeError('out of luck')")
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("orchard", "orchard.plum", "orchard.fig"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    registry: Registry[object] = Registry("fruit")
    registry.scan("orchard", lambda module: module.ENTRY)
    return registry


def test_modules_of_a_package_are_entries_imported_when_asked_for(scanned: Registry[object]) -> None:
    assert scanned.names() == ("fig", "plum")
    assert "orchard.plum" not in sys.modules
    assert scanned.get("plum") is scanned.get("plum") is sys.modules["orchard.plum"].ENTRY
    assert scanned.names() == ("fig", "plum"), "whatever was imported first"
    with pytest.raises(RuntimeError, match="out of luck"):
        scanned.get("fig")
    with pytest.raises(BenchError, match="fruit 'fig' is registered already"):
        scanned.add("fig", object())
    with pytest.raises(BenchError, match="fruit 'fig' is registered already"):
        scanned.scan("orchard", lambda module: module.ENTRY)
