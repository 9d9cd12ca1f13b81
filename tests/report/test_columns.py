"""A column is declared once, and stands wherever its declaration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from bench_lib.cli import main
from bench_lib.report import columns, values
from bench_lib.report.column import Column, View
from bench_lib.report.render import render
from bench_lib.store import Store


@pytest.fixture
def span(monkeypatch: pytest.MonkeyPatch) -> Column:
    """A column of one declaration, which is all that a new column takes."""
    column = Column(
        "span",
        "span of scores",
        "The highest score less the lowest.",
        values.percent("span"),
        compute=lambda cell, row: np.ptp(cell.scores()),
        shown_in=frozenset(View),
    )
    monkeypatch.setattr(columns, "COLUMNS", (*columns.COLUMNS, column))
    return column


def test_a_column_is_added_by_one_declaration(
    tmp_path: Path, record: Any, span: Column, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "store")
    for seed in range(4):
        store.append(record(seed, 0.8 + seed / 1000))
        store.append(record(seed, 0.8 + seed / 800, "mixout"))
    render(store, tmp_path / "out")
    for table in (pd.read_csv(tmp_path / "out/leaderboard.csv"), pd.read_parquet(tmp_path / "out/leaderboard.parquet")):
        assert table["span"].tolist() == pytest.approx([0.003, 0.00375])
    markdown, page = ((tmp_path / "out" / name).read_text() for name in ("leaderboard.md", "index.html"))
    assert f"| {span.title} | {span.meaning} |" in markdown
    assert f"| {span.title} |\n| :-- |" in markdown  # it is the last of its table
    assert "| 0.38 |" in markdown
    assert page.count(f'class="n">{span.title}</th>') == 4  # all cells, a task, and two techniques
    assert page.count("<td>0.38</td>") == 3
    assert f'<th scope="row">{span.title}</th><td>{span.meaning}</td>' in page
    for command in (["recommend", "--task-like", "sst2"], ["compare", "mixout", "adamw"]):
        assert main([*command, "--store", str(store.root)]) == 0
        printed = capsys.readouterr().out
        assert span.title in printed
        assert "0.38" in printed
        assert f"{span.title}: {span.meaning}" in printed


def test_every_column_has_a_name_of_its_own_and_a_meaning() -> None:
    names = [column.name for column in columns.COLUMNS]
    assert len(set(names)) == len(names)
    assert all(column.title and column.meaning.endswith(".") for column in columns.COLUMNS)
    for view in View:
        titles = [column.title for column in columns.shown_in(view)]
        assert titles
        assert len(set(titles)) == len(titles)


def test_the_glossary_begins_with_what_tables_show() -> None:
    titles = [title for title, _ in columns.glossary()]
    assert titles[0] == "seeds"
    assert titles.index("P(higher)") < titles.index("sd")
    assert len(titles) == len(columns.COLUMNS) + len(columns.OVER_TASKS)
    assert titles[-2:] == ["MAD over tasks", "time, mean"]


def test_reading_order_puts_the_baseline_first_and_what_has_no_figures_last() -> None:
    rates, mads = [0.2, 0.0, 0.1, 0.1, None], [0.1, 0.2, 0.4, 0.3, None]
    labels = ["base", "b", "d", "c", "a"]
    table = pd.DataFrame({"technique": labels, "label": labels, "failure_rate": rates, "mad": mads})
    assert columns.default_order() == ["failure_rate", "mad"]
    assert columns.in_order(table, "base")["label"].tolist() == ["base", "b", "c", "d", "a"]
