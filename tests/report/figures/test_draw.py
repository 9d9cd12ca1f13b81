"""Drawings are the same bytes every time, ask for nothing, and need no font of the machine's."""

from __future__ import annotations

import dataclasses
import math
import re
from xml.etree import ElementTree

import altair as alt
import pandas as pd
import pytest

from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.figure import ROWS, Figure, rows, vega_lite
from bench_lib.report.figures.style import DARK, FALLBACK, FONT, LIGHT, SERIES


def made(names: list[str], values: list[float | None]) -> Figure:
    chart = alt.Chart(rows()).mark_point().encode(x=alt.X("value:Q", title="value (%)"), y="name:N")
    return Figure("made", "Made", "Dots.", vega_lite(chart), pd.DataFrame({"name": names, "value": values}))


def test_the_same_figure_is_the_same_bytes() -> None:
    figure = made(["a", "b"], [1.0, 2.0])
    assert svg(figure) == svg(figure)


def test_a_drawing_is_xml_that_loads_nothing() -> None:
    text = svg(made(["a"], [1.0]))
    ElementTree.fromstring(text)
    links = set(re.findall(r"https?://[^\"']+", text))
    assert links <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert FONT in text


def test_a_drawing_says_what_it_shows() -> None:
    figure = dataclasses.replace(made(["a"], [1.0]), alt='Dots of "a" & <b>.')
    root = ElementTree.fromstring(svg(figure))
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == figure.alt


def test_what_is_not_finite_is_no_dot() -> None:
    assert svg(made(["a", "b", "c"], [1.0, math.nan, math.inf])) == svg(made(["a", "b", "c"], [1.0, None, None]))


@pytest.mark.parametrize(
    "name", ["<script>alert(1)</script>", "a & b", "'quoted' \"twice\"", "=1+1", "ünïcode", 'of d="0.123456"']
)
def test_names_show_as_they_are(name: str) -> None:
    texts = [node.text for node in ElementTree.fromstring(svg(made([name], [1.0]))).iter() if node.text]
    assert name in texts


def test_the_specification_holds_neither_data_nor_style() -> None:
    spec = made(["a"], [1.0]).spec
    assert spec["data"] == {"name": ROWS}
    assert not {"config", "datasets"} & spec.keys()


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("scheme", [LIGHT, DARK])
def test_text_has_the_contrast_that_accessibility_asks_for(scheme: dict[str, dict[str, str]]) -> None:
    ground = str(scheme["background"])
    for colour in (scheme["axis"]["labelColor"], scheme["title"]["color"], scheme["title"]["subtitleColor"]):
        assert contrast(colour, ground) >= 4.5


def test_series_are_told_apart_from_both_grounds() -> None:
    assert len(set(SERIES)) == len(SERIES)
    for colour in SERIES:
        assert min(contrast(colour, str(scheme["background"])) for scheme in (LIGHT, DARK)) >= 1.9
    assert FALLBACK.endswith("sans-serif")
