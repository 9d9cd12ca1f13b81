from __future__ import annotations

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
