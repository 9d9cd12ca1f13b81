"""What models are worth in use: medians and means of what the records say, and only where they say it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from bench_lib.core.record import Status
from bench_lib.report import columns
from bench_lib.report.analysis.efficiency import MEASURES, efficiency_metrics, with_efficiency_metrics
from bench_lib.report.cells import group_runs
from bench_lib.report.column import View
from bench_lib.report.formatting import DASH
from bench_lib.report.markdown.sections import efficiency_table

MIB = 2**20


def smaller(run: Any, size: int, latency: float, **changes: object) -> Any:
    measured = {"saved_bytes": size * MIB, "uncompressed_bytes": 80 * MIB, "sparsity": 0.25}
    times = {"latency_1": latency, "uncompressed_latency_1": 0.02, "latency_32": 0.3, "uncompressed_latency_32": 0.2}
    return run.changed({"parameters": 1000, "trainable_parameters": 1000, **measured, **times, **changes})


def test_ratios_are_medians_of_the_runs_that_converged(record: Any, frame: Any) -> None:
    runs = [smaller(record(i, 0.8, "layer_drop"), 40 + i, 0.01 * (i + 1)) for i in range(3)]
    lost = record(3, None, "layer_drop", status=Status.CRASHED, reason="gone")
    (row,) = efficiency_metrics(group_runs(frame([*runs, lost]))).to_dict("records")
    assert row["saved_mib"] == 41
    assert row["size_ratio"] == pytest.approx(41 / 80)
    assert (row["latency_1_ratio"], row["latency_32_ratio"]) == pytest.approx((1.0, 1.5))
    assert (row["sparsity"], row["trained_share"]) == (0.25, 1.0)
    assert np.isnan([row["robust"], row["adversarial"]]).all()


def test_robust_scores_are_means(record: Any, frame: Any) -> None:
    runs = [record(i).changed({"robust_score": 0.7 + i / 10, "adversarial_score": 0.5}) for i in range(2)]
    (row,) = efficiency_metrics(group_runs(frame(runs))).to_dict("records")
    assert (row["robust"], row["adversarial"]) == pytest.approx((0.75, 0.5))


def test_runs_of_earlier_versions_say_nothing_of_it(record: Any, frame: Any) -> None:
    table = efficiency_metrics(group_runs(frame([record(0), record(1)])))
    assert table[list(MEASURES)].isna().all(axis=None)
    assert with_efficiency_metrics(table.assign(mean=0.8)).empty
    assert efficiency_table(table.assign(mean=0.8), "adamw") == ""


def test_a_table_has_what_is_smaller_what_trains_less_and_what_was_attacked(record: Any, frame: Any) -> None:
    few = {"parameters": 1000, "trainable_parameters": 10, "saved_bytes": MIB}
    whole = {"parameters": 1000, "trainable_parameters": 1000, "saved_bytes": 80 * MIB}
    runs = [
        smaller(record(0, 0.8, "layer_drop"), 40, 0.01),
        record(0, 0.8, "lora").changed(few),
        record(0, 0.8, "fgm").changed({**whole, "adversarial_score": 0.6}),
        record(0, 0.8, "adamw").changed(whole),
    ]
    table = efficiency_metrics(group_runs(frame(runs))).assign(mean=0.8, failure_rate=0.0, mad=0.01)
    assert sorted(with_efficiency_metrics(table)["technique"]) == ["fgm", "layer_drop", "lora"]
    lora = next(row for _, row in table.iterrows() if row["technique"] == "lora")
    shown = [str(column.format(lora)) for column in columns.shown_in(View.EFFICIENCY)]
    assert shown == ["80.00", DASH, DASH, "1.00", "1.0", *[DASH] * 4]
    assert "| lora | 80.00 |" in efficiency_table(table, "adamw")
