from __future__ import annotations

import pytest

from bench_lib.core.errors import BadValue, Unsupported
from bench_lib.tasks.formats import TextExample
from bench_lib.techniques.interface.cloze import Piece, check_template, filled

PAIR = TextExample(" A house. ", 0, "Our garden.")
MASK = Piece(mask=True)


@pytest.mark.parametrize(
    ("template", "found"),
    [
        ("{text} It was {mask}.", [Piece("A house.", cut=True), Piece(" It was"), MASK, Piece(".")]),
        ("{mask}: {text}", [MASK, Piece(":"), Piece(" A house.", cut=True)]),
        ("  ({text_open}) {mask}", [Piece("("), Piece("A house", cut=True), Piece(")"), MASK]),
        ("{text_lower}{mask}", [Piece("a house.", cut=True), MASK]),
        (
            "{pair_open}? {mask},  {text_lower}",
            [Piece("Our garden", cut=True), Piece("?"), MASK, Piece(","), Piece(" a house.", cut=True)],
        ),
    ],
)
def test_a_template_is_filled_with_the_space_before_each_piece(template: str, found: list[Piece]) -> None:
    check_template(template, "template")
    assert filled(template, PAIR) == found


def test_an_empty_text_is_nothing_but_stands() -> None:
    assert filled("{text_open} {text_lower} {mask}", TextExample(" ", 0))[0] == Piece("", cut=True)


def test_a_pair_that_is_not_there_is_a_reason() -> None:
    with pytest.raises(Unsupported, match="reads a pair of texts, and the task has one"):
        filled("{text} {mask} {pair}", TextExample("A house.", 0))


@pytest.mark.parametrize(
    "template",
    ["", "It {mask}.", "{text} It.", "{text} {mask} {mask}", "{text} {mask} {texts}", "{text} {mask", "{text}} {mask}"],
)
def test_a_template_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(BadValue, match=r"lm_bff:template is .*\{mask\} once"):
        check_template(template, "lm_bff:template")
