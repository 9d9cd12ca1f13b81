"""Every judged run is a mark on the figure, failures apart from the rest."""

from __future__ import annotations

from typing import Any

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.figure import Figure

from bench_lib.errors import BadValue, UnknownName
from bench_lib.report.figures import seeds_figure
from bench_lib.report.style import COLLAPSED, DIVERGED, DOT


def marks(figure: Figure, mark: dict[str, Any]) -> np.ndarray:
    """The horizontal positions of all marks of a kind."""
    lines = [line for axis in figure.axes for line in axis.lines if line.get_marker() == mark["marker"]]
    return np.concatenate([np.asarray(line.get_xdata(), dtype=float) for line in lines])


def test_every_judged_run_is_a_mark_at_its_score(sweep: Any) -> None:
    runs = sweep(30)
    own = runs[runs["task"] == "sst2"]
    figure = seeds_figure(runs, "sst2")
    for status, mark in (("converged", DOT), ("collapsed", COLLAPSED)):
        expected = 100 * own[own["status"] == status]["score"].astype(float)
        np.testing.assert_allclose(np.sort(marks(figure, mark)), np.sort(expected))
        assert len(expected) > 0
    assert len(marks(figure, DIVERGED)) == (own["status"] == "diverged").sum() > 0


def test_failed_marks_differ_in_shape_and_colour() -> None:
    assert len({DOT["marker"], COLLAPSED["marker"], DIVERGED["marker"]}) == 3
    assert DOT["color"] not in (COLLAPSED["color"], DIVERGED["color"])


def test_axes_are_labelled_with_units_and_rows_with_techniques_and_counts(sweep: Any) -> None:
    figure = seeds_figure(sweep(5), "squad")
    assert figure.axes[-1].get_xlabel() == "accuracy (percent points)"
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert names[0] == "adamw"
    assert len(names) == 9
    assert "n = 0, 5 unsupported" in [text.get_text() for text in figure.axes[-1].texts]


@pytest.mark.parametrize("status", ["diverged", "collapsed", "unsupported", "crashed"])
def test_a_task_of_nothing_but_failures_is_drawn(record: Any, frame: Any, status: str) -> None:
    runs = [record(i, 0.5 if status == "collapsed" else None, status=status) for i in range(3)]
    seeds_figure(frame(runs), "sst2").draw_without_rendering()


def test_one_seed_is_drawn(record: Any, frame: Any) -> None:
    figure = seeds_figure(frame([record(0)]), "sst2")
    figure.draw_without_rendering()
    assert marks(figure, DOT).tolist() == [80.0]


def test_names_are_no_mathematics(record: Any, frame: Any) -> None:
    figure = seeds_figure(frame([record(0, technique="a$^b$\n<c>")]), "sst2")
    figure.draw_without_rendering()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["a$^b$ <c>"]


def test_an_unknown_task_is_answered_with_the_nearest(record: Any, frame: Any) -> None:
    with pytest.raises(UnknownName, match="did you mean 'sst2'"):
        seeds_figure(frame([record(0)]), "sst3")


def test_two_groups_are_refused(record: Any, frame: Any) -> None:
    with pytest.raises(BadValue, match="one \\(data, model, profile\\)"):
        seeds_figure(frame([record(0), record(0, source="embedded")]), "sst2")


def test_the_global_settings_stay(record: Any, frame: Any) -> None:
    before = dict(mpl.rcParams)
    seeds_figure(frame([record(0)]), "sst2")
    assert dict(mpl.rcParams) == before
