"""What is printed is text: no name becomes markup, and no number becomes `nan`."""

from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench_lib.report import formatting as md
from bench_lib.report.formatting import DASH


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", r"a\|b"),
        ("<script>&", "&lt;script&gt;&amp;"),
        ("low_lr", "low_lr"),
        ("_x_ *y*", r"\_x\_ \*y\*"),
        ("two\nlines\x00", "two lines"),
        ("[a](b)`c`$d$", r"\[a\](b)\`c\`\$d\$"),
    ],
)
def test_escaped_text(text: str, shown: str) -> None:
    assert md.escape(text) == shown


@settings(deadline=None)
@given(st.text())
def test_escaped_text_is_one_cell_without_tags(text: str) -> None:
    shown = md.escape(text)
    assert len(shown.splitlines()) <= 1
    assert "<" not in shown
    assert shown.replace("\\\\", "").replace("\\|", "").count("|") == 0


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.1234, "12.34"), (1.0, "100.00"), (-0.00001, "0.00"), (math.nan, DASH), (None, DASH), (math.inf, DASH)],
)
def test_percent(value: float | None, shown: str) -> None:
    assert md.percent(value) == shown


@pytest.mark.parametrize(("value", "shown"), [(0.012, "+1.20"), (-0.012, "-1.20"), (0.0, "0.00"), (-1e-7, "0.00")])
def test_differences_have_a_sign(value: float, shown: str) -> None:
    assert md.signed(value) == shown


def test_undefined_differences_have_none() -> None:
    assert md.signed(math.nan) == md.DASH


@pytest.mark.parametrize(("value", "shown"), [(0.0, "<0.001"), (0.0009, "<0.001"), (0.001, "0.001"), (1.0, "1.000")])
def test_p_values(value: float, shown: str) -> None:
    assert md.p_value(value) == shown


def test_an_undefined_p_value_is_a_dash() -> None:
    assert md.p_value(math.nan) == md.DASH


def test_thousands_are_separated() -> None:
    assert md.number(12345.6, 0) == "12,346"


def test_intervals() -> None:
    assert md.interval(0.1, 0.25, 1) == "[10.0, 25.0]"
    assert md.interval(math.nan, math.nan) == ""
    assert md.interval(0.5, 1.25, shown=md.number) == "[0.50, 1.25]"
    assert md.estimate(0.5, 0.25, 1.0) == "0.50 [0.25, 1.00]"
    assert md.estimate(0.5, math.nan, 2.0) == "0.50"


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [(0.02, 1, "2 %"), (0.0255, 1, "2.5 %"), (1 / 3, 0, "33 %"), (-0.001, 0, "0 %"), (0.00125, 4, "0.125 %")],
)
def test_a_rate_has_its_sign_and_no_trailing_zeros(value: float, digits: int, shown: str) -> None:
    assert md.rate(value, digits) == shown


def test_an_unknown_rate_is_a_dash() -> None:
    assert md.rate(math.nan) == md.rate(None) == md.DASH


@settings(deadline=None)
@given(st.sets(st.integers(0, 60)))
def test_seed_ranges_hold_the_same_seeds(seeds: set[int]) -> None:
    parts = [part.split("-") for part in md.seeds(seeds).split(", ") if part]
    assert sorted(s for p in parts for s in range(int(p[0]), int(p[-1]) + 1)) == sorted(seeds)


def test_a_table() -> None:
    assert md.table(["a", "b"], [["x", "1"]]) == "| a | b |\n| :-- | --: |\n| x | 1 |\n"


@pytest.mark.parametrize("text", ["=cmd()", "+1", "-1", "@x", "\t=1", " =1"])
def test_formulas_become_text(text: str) -> None:
    assert str(md.csv_text(text)).startswith("'")


@pytest.mark.parametrize("value", ["mixout", 1.5, -2, "llrd+reinit"])
def test_what_is_no_formula_stays(value: object) -> None:
    assert md.csv_text(value) == value


def test_long_text_is_cut() -> None:
    assert md.shorten("x" * 200, 10) == "x" * 9 + "…"
    assert md.shorten("short", 10) == "short"


@settings(deadline=None)
@given(st.text() | st.text(st.characters(categories=["Cc", "Cf", "Cs", "Zs", "Zl", "Mn"])))
def test_plain_text_is_one_visible_line_that_stays(text: str) -> None:
    line = md.plain(text)
    assert line.isprintable()
    assert line == " ".join(line.split()) == md.plain(line)


def test_plain_text_is_composed() -> None:
    assert md.plain("cafe\u0301") == "caf\u00e9"


@settings(deadline=None)
@given(st.text())
def test_no_text_in_a_table_file_is_a_formula_or_breaks_its_row(text: str) -> None:
    cell = str(md.csv_text(text))
    assert cell.isprintable()
    assert not cell.startswith(("=", "+", "-", "@"))
