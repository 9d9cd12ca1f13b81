from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

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


MODULES = {
    "plum": "class Fruit: name = 'plum'",
    "fig": "raise RuntimeError('out of luck')",
    "bean": "",
    "pea": "class Fruit: name = 'sweet pea'",
    "quince": "class Fruit: name = 'quince'\nclass Another: name = 'quince_2'",
}


def defined_in(module: ModuleType) -> list[object]:
    return [value for value in vars(module).values() if isinstance(value, type)]


@pytest.fixture
def scanned(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry[object]:
    """A registry of a package with one good module."""
    folder = tmp_path / "orchard"
    folder.mkdir()
    (folder / "__init__.py").touch()
    for name, text in MODULES.items():
        (folder / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("orchard", *(f"orchard.{module}" for module in MODULES)):
        monkeypatch.delitem(sys.modules, name, raising=False)
    registry: Registry[object] = Registry("fruit")
    registry.scan("orchard", defined_in, first=("plum",))
    return registry


def test_modules_of_a_package_are_entries_imported_when_asked_for(scanned: Registry[object]) -> None:
    order = ("plum", "bean", "fig", "pea", "quince")
    assert scanned.names() == order
    assert "orchard.plum" not in sys.modules
    assert scanned.get("plum") is scanned.get("plum") is sys.modules["orchard.plum"].Fruit
    assert scanned.names() == order, "whatever was imported first"
    with pytest.raises(RuntimeError, match="out of luck"):
        scanned.get("fig")
    with pytest.raises(BenchError, match="fruit 'fig' is registered already"):
        scanned.add("fig", object())
    with pytest.raises(BenchError, match="fruit 'bean' is registered already"):
        scanned.scan("orchard", defined_in)


@pytest.mark.parametrize(
    ("name", "found"), [("bean", "none"), ("pea", "'sweet pea'"), ("quince", "'quince', 'quince_2'")]
)
def test_a_module_defines_one_entry_of_its_name(scanned: Registry[object], name: str, found: str) -> None:
    with pytest.raises(
        BenchError, match=rf"orchard/{name}\.py must define one fruit, named '{name}'; it defines {found}$"
    ):
        scanned.get(name)
