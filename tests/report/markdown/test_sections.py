"""The tables as a reader sees them, cell by cell."""

from __future__ import annotations

from typing import Any

import pandas as pd

from bench_lib.report.analysis.diagnostics import diagnostics
from bench_lib.report.analysis.summary import add_contrasts, cells, compare_cells, summarise_cells
from bench_lib.report.analysis.verdicts import add_verdicts
from bench_lib.report.cells import CELL_ID, GROUP, add_cell_ids, group_runs
from bench_lib.report.formatting import DASH
from bench_lib.report.markdown import sections


def table(runs: pd.DataFrame, baseline: str | None = "adamw") -> pd.DataFrame:
    known = group_runs(runs)
    whole = add_contrasts(summarise_cells(known), None if baseline is None else compare_cells(known, baseline))
    return add_verdicts(whole, known, baseline or "adamw").merge(diagnostics(known), on=list(CELL_ID))


def row(text: str, name: str) -> list[str]:
    """The cells of the row that starts with a name."""
    (line,) = [line for line in text.splitlines() if line.startswith(f"| {name} |")]
    return [cell.strip() for cell in line.strip("|").split(" | ")]


def test_a_task_by_hand(record: Any, frame: Any) -> None:
    runs = [record(i, s) for i, s in enumerate((0.80, 0.82))]
    runs += [record(i, s, "fgm", seconds=20) for i, s in enumerate((0.80, 0.81))]
    runs.append(record(2, None, "fgm", status="diverged"))
    text = sections.task_table(table(frame(runs)), "adamw")
    base = ["adamw", "2†", "0/2 [0.0, 65.8]", "1.00", "80.00", "81.00 [80.00, 82.00]"]
    assert row(text, "adamw") == [*base, "baseline, 2 seeds: too few to rank", *[DASH] * 5, "1.00", DASH, DASH, "900"]
    ours = ["fgm", "3†", "1/3 [6.1, 79.2]", "0.50", "80.00", "80.50 [80.00, 81.00]"]
    assert row(text, "fgm")[:7] == [*ours, "2 seeds: too few to rank"]
    ratio, difference, *_, time, _steps, _passes, memory = row(text, "fgm")[7:]
    assert ratio == DASH  # of two seeds nothing is known
    assert (difference, time, memory) == ("-0.50", "2.00", "900")


def test_a_proven_difference_is_named(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8 + (i * 7 % 30) / 300) for i in range(30)]
    runs += [record(i, 0.9 + (i * 11 % 30) / 3000, "fgm") for i in range(30)]
    text = sections.task_table(table(frame(runs)), "adamw")
    assert row(text, "fgm")[6] == "more stable, scores higher"
    assert float(row(text, "fgm")[7].split(" [")[0]) < 0.2


def test_twenty_survivors_have_no_mark_and_nineteen_have(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8 + i / 1000) for i in range(20)]
    runs += [record(i, 0.8 + i / 1000, "fgm") for i in range(19)] + [record(19, None, "fgm", status="timeout")]
    text = sections.task_table(table(frame(runs)), "adamw")
    assert (row(text, "adamw")[1], row(text, "fgm")[1]) == ("20", "19 of 20†")
    assert row(text, "fgm")[10].endswith("†")


def test_a_contrast_says_what_it_could_have_seen(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8 + (i * 7 % 30) / 1000, name) for name in ("adamw", "fgm") for i in range(30)]
    runs += [record(i, 0.8 + (i * 7 % 30) / 1000, "ema") for i in range(5)]
    text = sections.task_table(table(frame(runs)), "adamw")
    assert 1.4 < float(row(text, "fgm")[11]) < 2.2
    assert row(text, "ema")[11] == "∞"


def test_no_spread_in_the_baseline_gives_an_infinite_ratio(record: Any, frame: Any) -> None:
    runs = [record(i, 0.8) for i in range(3)] + [record(i, 0.8 + i / 100, "fgm") for i in range(3)]
    assert row(sections.task_table(table(frame(runs)), "adamw"), "fgm")[7] == "∞"


def test_nothing_undefined_is_printed_as_nan(record: Any, frame: Any) -> None:
    runs = [record(0), record(0, None, "fgm", status="oom"), record(0, None, "lora", status="diverged")]
    for baseline in ("adamw", "fgm", None):
        whole = table(frame(runs), baseline)
        text = sections.task_table(whole, "adamw") + sections.overview(whole, "adamw")
        assert "nan" not in text.lower()
        assert row(text.splitlines(keepends=True)[0] + sections.task_table(whole, "adamw"), "fgm")[3] == DASH


def test_the_overview_marks_techniques_on_fewer_tasks(sweep: Any) -> None:
    text = sections.overview(table(sweep(4)), "adamw")
    assert row(text, "fgm")[-1] == "3"
    assert row(text, "fgm")[-2].endswith("‡")
    assert row(text, "fgm")[3] == DASH
    assert not row(text, "adamw")[-2].endswith("‡")


def test_seed_counts_say_what_they_decide(record: Any, frame: Any) -> None:
    few = sections.seed_counts(cells(frame([record(i) for i in range(5)])))
    assert few.startswith("Judged seeds per cell: 5. **1 of 1 cells: fewer than 20 runs")
    assert sections.seed_counts(cells(frame([record(i) for i in range(20)]))) == "Judged seeds per cell: 20."
    declined = cells(frame([record(0, None, status="unsupported")]))
    assert sections.seed_counts(declined) == "Every technique declined."


def test_runs_that_did_not_converge_are_listed_with_seeds_and_reason(record: Any, frame: Any) -> None:
    runs = [record(i, None, status="diverged", reason="a | b\n<c>") for i in (0, 1, 2, 7)] + [record(3)]
    assert r"| real | minilm | desk | sst2 | adamw | 0-2, 7 | diverged | a \| b &lt;c&gt; |" in sections.not_converged(
        add_cell_ids(frame(runs))
    )
    assert sections.not_converged(add_cell_ids(frame([record(0)]))) == "None: every run converged.\n"


def test_lines_of_a_task(record: Any, frame: Any) -> None:
    runs = [record(0), record(0, None, "fgm", status="unsupported", reason="spans only")]
    lines = sections.task_lines(table(frame(runs)), "adamw")
    assert lines == ["Metric: accuracy, constant baseline 51.00. Compared with: adamw.", "fgm declines: spans only."]
    assert "No run of adamw: not compared." in sections.task_lines(table(frame(runs), None), "adamw")[0]


def test_where_the_variance_comes_from_by_hand() -> None:
    key = {**dict.fromkeys((*GROUP, "task", "technique", "setting", "variant", "label"), "x"), "design": "init+order"}
    ends = {"low": 0.0001, "high": 0.0009, "share": 0.8, "runs": 10, "failed": 2, "note": "a|b"}
    lines = [{**key, "source": "init", "variance": 0.0004, **ends}]
    lines.append({**key, "source": "rest", "variance": -0.0001, **ends, "low": float("nan"), "share": float("nan")})
    text = sections.variance(pd.DataFrame(lines))
    assert "| init+order | init | 2.00 [1.00, 3.00] | 80 % | 10 | 2 | a\\|b |" in text
    assert f"| init+order | rest | 0.00 | {DASH} | 10 | 2 |" in text
    assert sections.variance(pd.DataFrame(lines).iloc[:0]) == ""
