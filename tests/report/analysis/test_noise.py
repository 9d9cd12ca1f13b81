"""The noise floor of cells, from stores with repeats."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from bench_lib.core.record import RunRecord
from bench_lib.report.analysis.noise import repeat_scores
from bench_lib.report.analysis.results import summarise
from bench_lib.report.markdown.sections import noise_known
from bench_lib.report.render import render
from bench_lib.report.values import within_noise
from bench_lib.store import Store, kind_of_machine, store_of_repeats

Make = Callable[..., RunRecord]
SEEDS = range(8)


def repeat(store: Store, record: RunRecord, cpu: str = "other", number: int = 1) -> None:
    where = {"cpu": cpu}
    store_of_repeats(store, kind_of_machine(where), number).append(dataclasses.replace(record, provenance=where))


@pytest.fixture
def store(tmp_path: Path, record: Make) -> Store:
    """Two techniques of eight seeds: mixout's repeats are as far away as its seeds are, those of adamw are equal."""
    filled = Store(tmp_path / "store")
    for seed in SEEDS:
        filled.append(record(seed, 0.8 + seed / 100))
        filled.append(record(seed, 0.8 + seed % 2 / 1000, "mixout"))
    for seed in (0, 1):
        repeat(filled, record(seed, 0.8 + seed / 100))
        repeat(filled, record(seed, 0.8 - seed % 2 / 1000 + 0.003, "mixout"))
    return filled


def test_the_floor_stands_beside_the_spread_and_is_nan_without_repeats(store: Store, record: Make) -> None:
    store.append(record(0, 0.7, "llrd"))
    cells = summarise(store).cells.set_index("technique")
    assert cells.loc["adamw", "noise_floor"] == cells.loc["adamw", "noise_sd"] == 0
    assert cells.loc["mixout", "noise_floor"] == pytest.approx((0.003 + 0.001) / (2 * math.sqrt(2)))
    assert cells["noise_seeds"].to_dict() == {"adamw": 2, "llrd": 0, "mixout": 2}
    assert math.isnan(cells.loc["llrd", "noise_floor"])
    marked = {name: within_noise(row) for name, row in zip(cells.index, cells.to_dict("records"), strict=True)}
    assert marked == {"adamw": False, "llrd": False, "mixout": True}


def test_equal_results_of_one_kind_count_once_and_failed_ones_not(store: Store, record: Make) -> None:
    first = record(5, 0.85)
    repeat(store, record(5, 0.9))
    repeat(store, record(5, 0.9), number=2)
    repeat(store, record(5, 0.4, status="collapsed"), cpu="third")
    repeat(store, record(55, 0.9))
    scores = repeat_scores(store)
    assert scores[first.run_id] == [0.9]
    assert record(55).run_id not in scores


def test_the_report_marks_a_spread_that_is_not_above_its_floor(store: Store, tmp_path: Path) -> None:
    render(store, tmp_path / "out")
    text, page = ((tmp_path / "out" / name).read_text() for name in ("leaderboard.md", "index.html"))
    assert "known for 2 of 2 cells; 1 of these cells have a spread that is not above it (§)." in text
    assert "| noise floor |" in text
    assert [line for line in text.splitlines() if line.startswith("| mixout |") and "| 0.05§ [" in line]
    assert ">noise floor</th>" in page
    assert "<td>0.05§ <small>" in page
    table = pd.read_csv(tmp_path / "out" / "leaderboard.csv")
    assert table["noise_seeds"].tolist() == [2, 2]


def test_without_repeats_no_table_has_the_column(tmp_path: Path, record: Make) -> None:
    store = Store(tmp_path / "store")
    for seed in SEEDS:
        store.append(record(seed, 0.8 + seed / 100))
    render(store, tmp_path / "out")
    text, page = ((tmp_path / "out" / name).read_text() for name in ("leaderboard.md", "index.html"))
    assert "The noise floor is known for no cell" in text
    assert "§ [" not in text
    assert text.count("noise floor |") == 1  # its meaning
    assert page.count(">noise floor</th>") == 1
    assert noise_known(summarise(store).cells).startswith("The noise floor is known for no cell")
