"""How figures look; applied around drawing and saving, never to matplotlib's global settings."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Any

import matplotlib.style

INK = "#222222"
MUTED = "#6b6b6b"
GRID = "#dddddd"
LOW = "#f3f3f3"
SEED = "#0072b2"
FAILED = "#d55e00"
"""Colours of Okabe and Ito (2008), told apart under all common forms of colour blindness, and greys."""

_MARKS: dict[str, Any] = {"linestyle": "none", "zorder": 3}
DOT: dict[str, Any] = {**_MARKS, "marker": "o", "color": SEED, "markersize": 4.5, "alpha": 0.55, "markeredgewidth": 0}
COLLAPSED: dict[str, Any] = {**_MARKS, "marker": "x", "color": FAILED, "markersize": 6.5, "markeredgewidth": 1.8}
DIVERGED: dict[str, Any] = {**_MARKS, "marker": "^", "color": FAILED, "markersize": 6.0, "markerfacecolor": "white"}
MEAN: dict[str, Any] = {**_MARKS, "marker": "|", "color": INK, "markersize": 14.0, "markeredgewidth": 2.2, "zorder": 5}
POINT: dict[str, Any] = {**_MARKS, "marker": "o", "color": SEED, "markersize": 7.0}
POINT_FAILED: dict[str, Any] = {**_MARKS, "marker": "X", "color": FAILED, "markersize": 8.0, "markeredgewidth": 0}
POINT_BASELINE: dict[str, Any] = {**_MARKS, "marker": "s", "color": INK, "markersize": 7.0}
REFERENCE: dict[str, Any] = {"color": MUTED, "linestyle": (0, (4, 3)), "linewidth": 1.2}
_HUES = (SEED, FAILED, "#009e73", "#cc79a7", "#e69f00", "#56b4e9", INK, MUTED)
_SHAPES = ("o", "s", "^", "D", "v", "P", "X", "*")
SERIES: tuple[dict[str, Any], ...] = tuple(
    {"color": hue, "marker": shape, "markersize": 5.0, "linewidth": 1.4, "alpha": 0.9}
    for hue, shape in zip(_HUES, _SHAPES, strict=True)
)
"""Looks of lines that share a panel: told apart by colour and by mark."""

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10.0,
    "axes.titlesize": 11.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 10.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "xtick.labelsize": 9.0,
    "ytick.labelsize": 10.0,
    "legend.fontsize": 9.0,
    "legend.frameon": False,
    "text.color": INK,
    "text.parse_math": False,
    "figure.dpi": 100.0,
    "figure.facecolor": "white",
    "savefig.dpi": 150.0,
    "savefig.facecolor": "white",
}
"""Settings of every figure, on top of matplotlib's own defaults and of nobody's `matplotlibrc`."""


def styled() -> AbstractContextManager[None]:
    """A context in which the style holds; what held before holds again after it."""
    return matplotlib.style.context(STYLE, after_reset=True)
