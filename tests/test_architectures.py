"""The page on architectures: two families and two techniques are run, and the rest is as the committed page has it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench_lib.techniques import TECHNIQUES
from tests.architectures import ACTS, COLUMNS, outcomes_of, page, where
from tests.families import Families

COMMITTED = Path(__file__).parents[1] / "docs" / "architectures.md"
COMMAND = "python -m tests.architectures > docs/architectures.md"
SHARED = "llrd tells layers apart, and all 2 layers here share the weights of 1"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Families:
    return Families(tmp_path_factory.mktemp("families"))


def rows(text: str, first: str) -> list[list[str]]:
    """The cells of the table whose header begins with a word, the header among them."""
    lines = text.partition(f"| {first} |")[2].partition("\n\n")[0].splitlines()
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [[first, *cells[0]], *cells[2:]]


def test_a_technique_acts_or_its_reason_stands_below(made: Families) -> None:
    outcomes = outcomes_of(["llrd", "dropout"], made, ["bert", "albert"])
    assert outcomes == {"llrd": {"bert": "", "albert": SHARED}, "dropout": {"bert": "", "albert": ""}}
    text = page(made, outcomes)
    assert text.endswith(f"## Why some decline\n\n1. {SHARED}\n")
    header, *found = rows(text, "technique")
    assert [cell for cell in header if cell] == ["technique", "version", "bert", "albert"]
    assert found == [["llrd", "1", ACTS, "1"], ["dropout", "1", ACTS, ACTS]]


def test_what_neither_acts_nor_declines_is_an_error(made: Families, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TECHNIQUES.get("llrd"), "groups", lambda *_: 1 / 0)
    with pytest.raises(RuntimeError, match=r"llrd on .*bert ended as crashed: ZeroDivisionError"):
        outcomes_of(["llrd"], made, ["bert"])


def test_the_committed_page_has_every_technique_and_family() -> None:
    """By name and version, so that one that is added or changed makes the page anew."""
    header, *found = rows(COMMITTED.read_text(encoding="utf-8"), "technique")
    known = [[technique.name, technique.version] for technique in TECHNIQUES]
    stale = f"docs/architectures.md is stale; make it anew with: {COMMAND}"
    assert [row[:2] for row in found] == known, stale
    assert [cell for cell in header if cell][2:] == list(COLUMNS), stale
    assert {len(row) for row in found} == {2 + len(COLUMNS)}


def test_the_committed_page_says_where_the_parts_lie(made: Families) -> None:
    current = COMMITTED.read_text(encoding="utf-8").startswith(where(made, COLUMNS))
    assert current, f"docs/architectures.md is stale; make it anew with: {COMMAND}"


def test_every_reason_of_the_committed_page_is_given_and_used() -> None:
    text = COMMITTED.read_text(encoding="utf-8")
    numbers = {cell for row in rows(text, "technique")[1:] for cell in row[2:]} - {ACTS}
    assert sorted(map(int, numbers)) == [int(number) for number in re.findall(r"^(\d+)\. \S", text, re.MULTILINE)]
