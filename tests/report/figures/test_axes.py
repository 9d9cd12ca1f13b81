"""Stability by the number of training examples, and by how many of their labels are wrong."""

from __future__ import annotations

import pandas as pd
import pytest

from bench_lib.core.spec import Profile
from bench_lib.report.figures.axes import AXES, MOST, Axis, axis_figure
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.figure import Figure

SIZES, SHOTS, NOISE = AXES
WHERE = "real, minilm, desk"


def table(axis: Axis, techniques: int, values: tuple[float, ...]) -> pd.DataFrame:
    rows = [("sst2", f"t{t:02}", x, 0.01 * (1 + t) / (1 + x), 0.1, 5) for t in range(techniques) for x in values]
    return pd.DataFrame(rows, columns=list(axis.columns))


def drawn(axis: Axis, techniques: int, values: tuple[float, ...]) -> Figure:
    figure = axis_figure(axis, table(axis, techniques, values), WHERE, axis.kind)
    assert figure is not None
    return figure


def scale(figure: Figure) -> str:
    (kind,) = {panel["spec"]["layer"][0]["encoding"]["x"]["scale"]["type"] for panel in figure.spec["hconcat"]}
    return str(kind)


def test_axes_are_fields_of_a_profile() -> None:
    assert {axis.field for axis in AXES} < vars(Profile()).keys()
    assert [axis.default for axis in AXES] == [None, None, Profile().label_noise]


@pytest.mark.parametrize(
    ("axis", "values", "said"),
    [
        (SIZES, (100, 1000), "100 to 1,000 training examples"),
        (SHOTS, (8, 16), "8 to 16 training examples per class"),
        (NOISE, (0.0, 0.2), "0.0 to 20.0 wrong training labels (%)"),
    ],
)
def test_a_line_a_technique(axis: Axis, values: tuple[float, ...], said: str) -> None:
    figure = drawn(axis, 3, values)
    assert figure.data["failure_rate"].tolist() == [10.0] * 6
    assert figure.data[axis.field].tolist() == [axis.scale * value for value in values] * 3
    assert said in figure.alt
    assert figure.title.startswith(f"{WHERE}: stability against the ")
    svg(figure)


def test_ticks_are_the_values_that_were_run() -> None:
    for panel in drawn(NOISE, 2, (0.0, 0.1, 0.4)).spec["hconcat"]:
        assert panel["spec"]["layer"][0]["encoding"]["x"]["axis"]["values"] == [0.0, 10.0, 40.0]


@pytest.mark.parametrize(("rate", "top"), [(0.0, 10), (0.04, 10), (0.35, 35), (1.0, 100)])
def test_no_failure_lies_at_the_bottom(rate: float, top: float) -> None:
    figure = axis_figure(NOISE, table(NOISE, 2, (0.0, 0.1)).assign(failure_rate=rate), WHERE, "noise")
    assert figure is not None
    y = figure.spec["hconcat"][1]["spec"]["layer"][0]["encoding"]["y"]
    assert (y["field"], y["scale"]["domain"]) == ("failure_rate", [0, pytest.approx(top)])


def test_numbers_of_examples_are_whole_and_shares_percent() -> None:
    assert drawn(SIZES, 1, (100.0, 200.0)).data["train_examples"].dtype.kind == "i"
    assert drawn(NOISE, 1, (0.0, 0.125)).data["label_noise"].tolist() == [0.0, 12.5]


def test_sizes_are_drawn_by_their_logarithm_unless_one_is_0() -> None:
    assert scale(drawn(SIZES, 2, (100, 1000))) == "log"
    assert scale(drawn(SHOTS, 2, (0, 8, 16))) == "symlog"
    assert scale(drawn(NOISE, 2, (0.1, 0.2))) == "linear"
    svg(drawn(SHOTS, 2, (0, 8, 16)))


def test_not_more_lines_than_can_be_told_apart() -> None:
    figure = drawn(SIZES, 12, (100, 1000))
    kept = [panel["spec"]["layer"][0]["transform"][0]["filter"]["oneOf"] for panel in figure.spec["hconcat"]]
    assert [len(names) for names in kept] == [MOST, MOST]
    assert figure.data["technique"].nunique() == 12


@pytest.mark.parametrize("axis", AXES)
def test_one_value_is_no_comparison(axis: Axis) -> None:
    assert axis_figure(axis, table(axis, 3, (100,)), WHERE, "x") is None
    assert axis_figure(axis, table(axis, 0, (100,)), WHERE, "x") is None
