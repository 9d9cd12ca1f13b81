"""Names beside points, placed so that they hide neither each other nor the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from bench_lib.report.style import MUTED

Label = tuple[float, float, str]
"""A point in data coordinates and its text."""

DISTANCES = (7.0, 16.0, 26.0, 38.0, 52.0)
DIRECTIONS = ((1.0, 0.0), (0.7, 0.7), (0.7, -0.7), (0.0, 1.0), (0.0, -1.0), (-1.0, 0.0), (-0.7, 0.7), (-0.7, -0.7))
PLACES = tuple((distance, direction) for distance in DISTANCES for direction in DIRECTIONS)
GAP = 4.0
"""Pixels kept free on either side of a text."""
LEADER: dict[str, Any] = {"arrowstyle": "-", "color": MUTED, "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}


def place(figure: Figure, panels: Sequence[tuple[Axes, Sequence[Label]]]) -> None:
    """Label the points of each panel, each at the free place nearest to it; freezes the figure's layout.

    Where no place is free, the one with the least overlap is taken.
    """
    FigureCanvasAgg(figure)
    figure.draw_without_rendering()
    figure.set_layout_engine("none")
    for axis, labels in panels:
        points = axis.transData.transform(np.array([label[:2] for label in labels]).reshape(-1, 2))
        taken = [Bbox.from_bounds(x - 5, y - 5, 10, 10) for x, y in points]
        for label, point in zip(labels, points, strict=True):
            taken.append(_label(axis, label, point, taken, figure.dpi / 72))


def _label(axis: Axes, label: Label, point: np.ndarray, taken: Sequence[Bbox], pixels: float) -> Bbox:
    """Adds the text at the first place without overlap, or with the least; answers with its box.

    Point and boxes are in pixels, of which `pixels` make a typographic point.
    """
    text = axis.annotate(label[2], label[:2], fontsize=8.5)
    size = text.get_window_extent()
    text.remove()
    boxes = [_box(point, size, np.array(way) * step * pixels) for step, way in PLACES]
    costs = [_cost(box, taken, axis.get_window_extent()) for box in boxes]
    best = int(np.argmin(costs))
    step, (across, up) = PLACES[best]
    axis.annotate(
        label[2],
        label[:2],
        xytext=(step * across, step * up),
        textcoords="offset points",
        fontsize=8.5,
        ha=("right", "center", "left")[_side(across)],
        va=("top", "center", "bottom")[_side(up)],
        arrowprops=LEADER if step > DISTANCES[0] else None,
    )
    return boxes[best]


def _box(point: np.ndarray, size: Bbox, offset: np.ndarray) -> Bbox:
    """Where a text of that size lies when the end that faces the point is so far from it."""
    sides = np.array([_side(offset[0]), _side(offset[1])])
    corner = point + offset - np.array([size.width, size.height]) * (1 - sides / 2)
    return Bbox.from_bounds(float(corner[0]) - GAP, float(corner[1]), float(size.width) + 2 * GAP, float(size.height))


def _side(part: float) -> int:
    """0 for the left or below, 1 for the middle, 2 for the right or above."""
    return 1 + int(part > 0.1) - int(part < -0.1)


def _cost(box: Bbox, taken: Sequence[Bbox], frame: Bbox) -> float:
    """Area of the box, in pixels, that hides something or lies outside the frame."""
    within = _shared(box, frame)
    return float(box.width * box.height - within) + sum(_shared(box, other) for other in taken)


def _shared(one: Bbox, other: Bbox) -> float:
    width = min(one.x1, other.x1) - max(one.x0, other.x0)
    height = min(one.y1, other.y1) - max(one.y0, other.y0)
    return float(max(width, 0.0) * max(height, 0.0))
