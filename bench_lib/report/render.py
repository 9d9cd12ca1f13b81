"""The only writer into `reports/`: leaderboard as Markdown and CSV, and its figures."""

from __future__ import annotations

import io
import os
import re
from pathlib import Path

import pandas as pd
from matplotlib.figure import Figure

from bench_lib.errors import BenchError
from bench_lib.report.figures import cost_figure, seeds_figure
from bench_lib.report.keys import GROUP, keyed, texts
from bench_lib.report.leaderboard import Pictures, Results, leaderboard
from bench_lib.report.markdown import csv_text
from bench_lib.report.style import styled
from bench_lib.report.tables import BASELINE, cells, compare, joined
from bench_lib.spec import digest
from bench_lib.store import Store

FIGURES = "figures"


def render(store: Store, out: Path, baseline: str = BASELINE) -> list[Path]:
    """Write `leaderboard.md`, `leaderboard.csv` and `figures/*.png` from the stored runs, and answer with their paths.

    The same runs give the same bytes. Each file is replaced whole; figures of cells that are no longer there are
    removed. Without a run of the default baseline nothing is compared. Raises `BenchError` for an empty store and a
    folder that cannot be written, `UnknownName` for another baseline that no run has.
    """
    results = _results(store, baseline)
    known = keyed(results.frame)
    seeds = {texts(key): _name("seeds", texts(key)) for key in _keys(known, [*GROUP, "task"])}
    cost = {texts(key): _name("cost", texts(key)) for key in _keys(known, list(GROUP))}
    files = {name: _png(seeds_figure(_part(known, key), key[-1], baseline)) for key, name in seeds.items()}
    files.update({name: _png(cost_figure(_part(results.table, key))) for key, name in cost.items()})
    pictures = Pictures(seeds, cost)
    files["leaderboard.csv"] = _csv(results.table)
    files["leaderboard.md"] = leaderboard(results, pictures).encode()
    return _write_all(out, files)
