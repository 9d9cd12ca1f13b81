"""Figures as SVG, with the same bytes on every machine, since the fonts are in a package."""

from __future__ import annotations

import functools
import math
import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

import fontpkg_atkinson_hyperlegible as font
import numpy as np
import pandas as pd
import vl_convert

from bench_lib.report.figures.figure import ROWS, Figure
from bench_lib.report.figures.style import LIGHT
from bench_lib.report.formatting import plain

TAG = re.compile(r"<[^<>]*>")
GEOMETRY = re.compile(r' (?:transform|d|[xy][12]?|width|height)="[^"<>]*"')
LONG = re.compile(r"-?\d+\.\d{3,}(?:e-?\d+)?")


def svg(figure: Figure) -> str:
    """The figure in the light scheme as SVG, with its alternative text as label."""
    _register_font()
    drawing = vl_convert.vegalite_to_svg(
        {**_drawable(figure.spec), "config": LIGHT, "datasets": {ROWS: _records(figure)}}
    )
    # Hundredths of a pixel are enough; all digits would be a third of the file.
    short = TAG.sub(lambda tag: GEOMETRY.sub(_rounded, tag[0]), str(drawing))
    return short.replace("<svg ", f'<svg role="img" aria-label={quoteattr(plain(figure.alt))} ', 1)


def _drawable(value: Any) -> Any:
    """A JSON value without characters that XML forbids, which would abort the process of the renderer."""
    if isinstance(value, str):
        return value if value.isprintable() else plain(value)
    if isinstance(value, dict):
        return {name: _drawable(part) for name, part in value.items()}
    return [_drawable(part) for part in value] if isinstance(value, list) else value


def _rounded(attribute: re.Match[str]) -> str:
    return LONG.sub(lambda number: f"{float(number[0]):.2f}", attribute[0])


def _records(figure: Figure) -> list[dict[str, Any]]:
    """The rows as JSON; missing values and values that are not finite are null."""
    columns = {str(name): _values(figure.data[name]) for name in figure.data}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _values(column: pd.Series) -> list[Any]:
    if column.dtype == np.float64:
        # The longest columns are of numbers.
        return [value if math.isfinite(value) else None for value in column.tolist()]
    return [None if _unknown(value) else _drawable(value) for value in column.tolist()]


def _unknown(value: Any) -> bool:
    return value is pd.NA or (isinstance(value, float) and not math.isfinite(value))


@functools.cache
def _register_font() -> None:
    vl_convert.register_font_directory(str(Path(font.__file__).parent / "files"))
