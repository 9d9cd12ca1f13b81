"""Each cell with a spread is a labelled point; each without is named all the same."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Annotation

from bench_lib.errors import BadValue
from bench_lib.report.figures import cost_figure
from bench_lib.report.tables import cells, compare, joined


def table(runs: pd.DataFrame) -> pd.DataFrame:
    return joined(cells(runs), compare(runs))


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for axis in figure.axes for text in axis.texts if text.get_text()]


def test_a_panel_a_task_and_a_label_a_cell(sweep: Any) -> None:
    figure = cost_figure(table(sweep(30)))
    assert [axis.get_title(loc="left") for axis in figure.axes] == ["conll2003", "imdb", "squad", "sst2"]
    for axis, without in zip(figure.axes, (0, 0, 1, 0), strict=True):
        assert len(axis.lines) == 9 - without
        assert len(axis.texts) == 9 - without + 1
        assert axis.get_xlabel() == "training time relative to adamw"
        assert axis.get_ylabel().startswith("MAD over seeds (percent points")
    assert "no spread or time: fgm (unsupported)" in texts(figure)


def test_failures_are_said(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8 + i / 100) for i in range(3)] + [record(3, None, status="diverged")]
    assert "adamw, 1/4 failed" in texts(cost_figure(table(frame(runs))))


def test_labels_do_not_overlap(sweep: Any) -> None:
    figure = cost_figure(table(sweep(5)))
    for axis in figure.axes:
        boxes = [t.get_window_extent() for t in axis.texts if isinstance(t, Annotation) and t.arrow_patch is None]
        assert len(boxes) > 3
        for i, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[:i])


def test_without_a_baseline_time_is_in_seconds(sweep: Any) -> None:
    figure = cost_figure(joined(cells(sweep(3)), None))
    assert figure.axes[0].get_xlabel() == "training time, median (s)"


@pytest.mark.parametrize(("low", "scale"), [(0.001, "log"), (0.02, "linear"), (0.0, "linear")])
def test_the_scale_is_logarithmic_where_small_spreads_would_be_hidden(
    record: Any, frame: Any, low: float, scale: str
) -> None:
    runs = [record(i, 0.8 + low * i) for i in range(3)] + [record(i, 0.7 + 0.05 * i, "fgm") for i in range(3)]
    (axis,) = cost_figure(table(frame(runs))).axes
    assert axis.get_yscale() == scale
    assert axis.get_ylabel().endswith(", log scale)") == (scale == "log")


def test_nothing_but_single_seeds_is_drawn(record: Any, frame: Any) -> None:
    figure = cost_figure(table(frame([record(0), record(0, technique="fgm")])))
    figure.draw_without_rendering()
    assert texts(figure) == ["no spread or time: adamw, fgm"]


def test_sd_is_the_other_measure(sweep: Any) -> None:
    assert cost_figure(table(sweep(3)), "sd").axes[0].get_ylabel().startswith("SD")


def test_other_measures_and_several_groups_are_refused(record: Any, frame: Any) -> None:
    with pytest.raises(BadValue, match="allowed: mad, sd"):
        cost_figure(table(frame([record(0)])), "iqr")
    with pytest.raises(BadValue, match="one \\(data, model, profile\\)"):
        cost_figure(table(frame([record(0), record(0, source="embedded")])))
