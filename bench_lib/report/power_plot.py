"""The power curve of the comparison: what it finds, and how many seeds it takes, by how different the arms are."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench_lib.report.style import REFERENCE, SERIES, styled
from bench_lib.stats.calibration import Calibration


def power_figure(rows: Sequence[Calibration], alpha: float, seeds: int) -> Figure:
    """Share of claims and mean seeds used against the ratio of the standard deviations, a line a scenario.

    Where the ratio is 1 a claim is a false alarm, and alpha is drawn.
    """
    names = list(dict.fromkeys(row.scenario for row in rows))
    with styled():
        figure = Figure(figsize=(9.0, 0.16 * len(names) + 3.6), layout="constrained")
        left, right = figure.subplots(1, 2)
        for name, look in zip(names, SERIES, strict=False):
            own = sorted((row for row in rows if row.scenario == name), key=lambda row: row.ratio)
            ratios = [row.ratio for row in own]
            left.plot(ratios, [row.claims if row.ratio == 1 else row.found for row in own], label=name, **look)
            right.plot(ratios, [row.seeds for row in own], **look)
        left.axhline(alpha, **REFERENCE)
        left.set_ylim(-0.02, 1.02)
        left.set_ylabel("share of comparisons")
        left.set_title(f"Difference found (dashes: {alpha:g})")
        right.axhline(seeds, **REFERENCE)
        right.set_ylim(0, seeds * 1.06)
        right.set_ylabel("seeds used, mean")
        right.set_title(f"Seeds used, of {seeds}")
        for axes in (left, right):
            _ratios(axes, sorted({row.ratio for row in rows}))
        figure.legend(loc="outside lower center", ncols=2)
    return figure


def _ratios(axes: Axes, ratios: Sequence[float]) -> None:
    axes.set_xlabel("ratio of the standard deviations")
    axes.set_xticks(ratios, [f"{ratio:g}" for ratio in ratios])
