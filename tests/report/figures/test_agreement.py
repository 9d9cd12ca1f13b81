"""How many items two seeds predict differently."""

from __future__ import annotations

import numpy as np
import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.agreement import COLUMNS, agreement_figure
from bench_lib.report.figures.draw import svg


def test_churn_in_percent(summary: Summary) -> None:
    cells = summary.cells.assign(churn=np.linspace(0.01, 0.5, len(summary.cells)), kappa=0.7)
    figure = agreement_figure(cells, "adamw", "disagreement")
    assert figure is not None
    assert tuple(figure.data) == COLUMNS
    assert figure.data["churn"].tolist() == pytest.approx((100 * cells["churn"]).round(3).tolist())
    assert set(figure.data[figure.data["role"] == "baseline"]["technique"]) == {"adamw"}
    assert "50.0 %" in figure.alt
    svg(figure)


def test_without_predictions_no_figure(summary: Summary) -> None:
    assert agreement_figure(summary.cells, "adamw", "disagreement") is None
