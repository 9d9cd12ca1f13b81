"""The style sheet of all figures, in a light and a dark scheme."""

from __future__ import annotations

from typing import Any

FONT = "Atkinson Hyperlegible"
FALLBACK = f"{FONT}, system-ui, sans-serif"

SEED, FAILED, THIRD, FOURTH, FIFTH, SIXTH = "#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"
"""Colours of Okabe and Ito (2008), distinct under all common forms of colour blindness."""

INK = "#6e6e6e"
"""The baseline: no colour, and distinct from the background in both schemes."""

GREY = "#808080"
"""References and other marks without data: visible in both schemes."""

SERIES = (SEED, FAILED, THIRD, FOURTH, FIFTH, SIXTH, GREY, "#999933")

X = "M-1,-0.6L-0.6,-1L0,-0.4L0.6,-1L1,-0.6L0.4,0L1,0.6L0.6,1L0,0.4L-0.6,1L-1,0.6L-0.4,0Z"
BAR = "M-1,-0.3H1V0.3H-1Z"
"""Marks as SVG paths, which Vega does not name."""

STATUSES = {"converged": SEED, "collapsed": FAILED, "diverged": FAILED, "lost": GREY, "declined": GREY}
STATUS_SHAPES = {"converged": "circle", "collapsed": X, "diverged": "triangle-up", "lost": "square", "declined": BAR}
"""How a run ended: well, failed in one of two ways, lost to the machine, or not supported."""


def _scheme(ink: str, muted: str, grid: str, ground: str) -> dict[str, Any]:
    text = {"labelColor": ink, "titleColor": ink, "labelFontSize": 11, "titleFontSize": 12, "titleFontWeight": "normal"}
    return {
        "background": ground,
        "font": FALLBACK,
        "view": {"stroke": None},
        "axis": {**text, "gridColor": grid, "domainColor": muted, "tickColor": muted, "labelLimit": 260},
        "legend": {**text, "symbolStrokeWidth": 1.5, "orient": "top", "labelLimit": 260},
        "header": {**text, "labelFontSize": 12, "labelFontWeight": "bold", "labelAnchor": "start"},
        "title": {
            "anchor": "start",
            "color": ink,
            "fontSize": 14,
            "offset": 12,
            "subtitleColor": muted,
            "subtitleFontSize": 11,
            "subtitlePadding": 4,
        },
        "text": {"color": ink, "fontSize": 11},
        "rule": {"color": ink},
        "tick": {"color": ink},
        "range": {"category": list(SERIES)},
    }


LIGHT = _scheme("#222222", "#595959", "#e3e3e3", "#ffffff")
DARK = _scheme("#e8e8e8", "#b0b0b0", "#3a3d42", "#17191c")
