from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import vl_convert

from bench_lib import api
from bench_lib.core.errors import BenchError
from bench_lib.core.record import RunRecord, Status
from bench_lib.report.notebook import Leaderboard
from bench_lib.store import Store

Make = Callable[..., RunRecord]


@pytest.fixture
def board(tmp_path: Path, record: Make) -> Leaderboard:
    store = Store(tmp_path / "store")
    for technique, width in (("adamw", 0.02), ("mixout", 0.01)):
        for seed in range(12):
            store.append(record(seed, 0.8 + width * (seed % 4), technique))
    store.append(record(12, 0.1, "mixout", status=Status.COLLAPSED, source="embedded", task="<b>"))
    return api.leaderboard(tmp_path / "store")


def test_it_shows_a_table_for_each_task(board: Leaderboard) -> None:
    page = board._repr_html_()
    assert page.index("<h3>embedded data, minilm, profile desk</h3>") < page.index(
        "<h3>real data, minilm, profile desk"
    )
    assert "<h4>sst2</h4>" in page
    assert "<h4>&lt;b&gt;</h4>" in page
    assert "<b>" not in page
    assert page.count("<table") == 2
    assert "<td>mixout</td>" in page


def test_frames_have_cells_and_runs(board: Leaderboard) -> None:
    frame = board.frame()
    assert list(frame["technique"].astype(str)) == ["mixout", "adamw", "mixout"]
    assert len(board.runs()) == 25
    frame["mad"] = 0.0
    assert (board.frame()["mad"].fillna(1) > 0).all()


def test_figures_are_charts_with_their_data(board: Leaderboard) -> None:
    charts = board.charts()
    (name,) = [name for name in charts if name.startswith("seeds-real")]
    spec = charts[name].to_dict(validate=False)
    assert len(spec["datasets"]["data"]) == 24
    json.dumps(spec, allow_nan=False)
    assert "<svg" in vl_convert.vegalite_to_svg(spec)
    assert {name.partition("-")[0] for name in charts} >= {"seeds", "cost", "power"}


def test_an_empty_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match="no runs in"):
        api.leaderboard(tmp_path)
