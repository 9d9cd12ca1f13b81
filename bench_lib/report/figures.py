"""The report's figures: data in, a matplotlib `Figure` out; nothing is shown or written."""

from bench_lib.report.cost_plot import cost_figure
from bench_lib.report.power_plot import power_figure
from bench_lib.report.seeds_plot import seeds_figure

__all__ = ["cost_figure", "power_figure", "seeds_figure"]
