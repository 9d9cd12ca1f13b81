"""The report's figures: data in, a matplotlib `Figure` out; nothing is shown or written."""

from bench_lib.report.cost_plot import cost_figure
from bench_lib.report.seeds_plot import seeds_figure

__all__ = ["cost_figure", "seeds_figure"]
