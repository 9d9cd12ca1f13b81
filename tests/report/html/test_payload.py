"""The data of the page: the embedded runs, their cells, and the figures; read back as the page's script does."""

from __future__ import annotations

import base64
import json
import math
import zlib

import numpy as np
import pandas as pd
import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import CELL_ID
from bench_lib.report.figures.figure import Figure
from bench_lib.report.html.payload import (
    FASTER,
    LARGE,
    SMALLEST,
    cells,
    compressed,
    figure_data,
    inflated,
    json_value,
    page_runs,
    provenances,
    run_columns,
)
from bench_lib.report.html.registry_entries import Catalogue
from bench_lib.report.html.reproduce import Commands


def made(cells: int, seeds: int, fails: int) -> pd.DataFrame:
    """So many cells whose last seeds fail."""
    key = dict.fromkeys(CELL_ID, "x")
    places = [(cell, seed) for cell in range(cells) for seed in range(seeds)]
    statuses = ["collapsed" if seed >= seeds - fails else "converged" for _, seed in places]
    rows = [
        {**key, "label": f"t{cell}", "seed": seed, "status": s}
        for (cell, seed), s in zip(places, statuses, strict=True)
    ]
    return pd.DataFrame(rows)


def test_all_runs_are_held_where_there_is_room() -> None:
    assert page_runs(made(3, 4, 1), most=12).all()


def test_of_too_many_the_first_seeds_and_the_failures_are_held() -> None:
    table = made(3, 10, 2)
    keep = page_runs(table, most=15)
    assert table[keep]["seed"].tolist() == [0, 1, 2, 8, 9] * 3


def test_too_many_failures_are_cut_like_the_rest() -> None:
    table = made(2, 10, 9)
    assert table[page_runs(table, most=8)]["seed"].tolist() == [0, 1, 2, 3] * 2


def test_each_cell_keeps_a_run() -> None:
    table = made(4, 5, 0)
    assert table[page_runs(table, most=1)]["seed"].tolist() == [0] * 4


def test_compressed_json_is_read_back_and_the_same_every_time() -> None:
    value = {"text": "</script>\u2028é🙂", "numbers": [0.1, -1e-300, 10**18], "nothing": [None, {}, [], False]}
    text = compressed(value)
    assert json.loads(zlib.decompress(base64.b64decode(text, validate=True))) == value
    assert compressed(dict(value)) == text


def test_much_data_are_compressed_less() -> None:
    value = {"numbers": np.random.default_rng(0).integers(0, 99, 2_000_000).tolist()}
    text = json.dumps(value, separators=(",", ":")).encode()
    assert len(text) > LARGE
    assert base64.b64decode(compressed(value)) == zlib.compress(text, FASTER)
    small = {"numbers": value["numbers"][:100]}
    assert base64.b64decode(compressed(small)) == zlib.compress(
        json.dumps(small, separators=(",", ":")).encode(), SMALLEST
    )


def test_pages_are_equal_before_compression_whatever_library_compressed_them() -> None:
    text = b'{"seed":[0,1,2]}'
    fast, small = (base64.b64encode(zlib.compress(text, level)) for level in (0, 9))
    pages = [b'<b>data</b><script type="text/plain" id="data">' + data + b"</script>" for data in (fast, small)]
    assert fast != small
    assert [inflated(page) for page in pages] == [
        b'<b>data</b><script type="text/plain" id="data">' + text + b"</script>"
    ] * 2
    assert inflated(b"a,b\n1,2\n") == b"a,b\n1,2\n"


def test_numbers_that_json_does_not_have_are_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        compressed({"value": math.nan})


def test_runs_are_rounded_to_what_the_page_shows(summary: Summary) -> None:
    runs = run_columns(summary.runs, summary.loss)
    assert {len(column) for column in runs.values()} == {len(summary.runs)}
    assert runs["id"] == summary.runs["run_id"].tolist()
    assert runs["seed"] == summary.runs["seed"].tolist()
    for score, own in zip(runs["score"], summary.runs["score"], strict=True):
        assert score is None if math.isnan(own) else score == pytest.approx(own, abs=5e-6)
    assert runs["score"].count(None) == 2
    assert set(runs["seconds"]) == {10.0}
    assert set(runs["memory_mib"]) == {900.0}
    json.dumps(runs, allow_nan=False)


def test_losses_are_rounded_and_unknown_ones_null(summary: Summary) -> None:
    loss = np.full((len(summary.runs), 2), 1.23456, dtype=np.float32)
    loss[0] = [math.nan, math.inf]
    assert run_columns(summary.runs, loss)["loss"][:2] == [[None, None], [1.23, 1.23]]


def test_reasons_belong_to_the_runs_that_have_one(summary: Summary) -> None:
    reasons = run_columns(summary.runs, summary.loss)["reason"]
    assert reasons == summary.runs["reason"].tolist()
    assert len(list(filter(None, reasons))) == 2


@pytest.mark.parametrize(
    ("started", "text"),
    [
        ("", ""),
        ("yesterday", ""),
        ("2026-01-01T00:00:01.9+00:00", "2026-01-01 00:00:01 UTC"),
        ("2026-01-01T01:00:00+01:00", "2026-01-01 00:00:00 UTC"),
        ("9999-12-31T23:59:59+00:00", "9999-12-31 23:59:59 UTC"),
    ],
)
def test_the_start_of_a_run_is_in_utc_or_empty(summary: Summary, started: str, text: str) -> None:
    runs = summary.runs.assign(started=started)
    runs.loc[1:, "started"] = "2026-01-01T00:00:01+00:00"
    assert run_columns(runs, summary.loss)["started"][0] == text


def test_each_run_has_the_index_of_its_cell_and_of_its_provenance(summary: Summary, catalogue: Catalogue) -> None:
    other = json.dumps({"machine": "other"})
    runs = summary.runs.assign(provenance=[other, *summary.runs["provenance"][1:]])
    columns, found = run_columns(runs, summary.loss), cells(runs, Commands(catalogue))
    assert [found[cell]["label"] for cell in columns["cell"]] == runs["label"].tolist()
    assert [found[cell]["data"] for cell in columns["cell"]] == runs["data"].tolist()
    known = provenances(runs)
    assert [known[index] for index in columns["provenance"]] == [json.loads(text) for text in runs["provenance"]]
    assert len(known) == 2


def test_a_cell_has_its_spec_without_the_seed(summary: Summary, catalogue: Catalogue) -> None:
    first = summary.runs.drop_duplicates(list(CELL_ID))
    found = cells(summary.runs, Commands(catalogue))
    assert [cell["spec"] for cell in found] == [json.loads(text) for text in first["spec"]]
    assert not any("seed" in cell["spec"] for cell in found)


def figure(data: pd.DataFrame) -> Figure:
    return Figure("cost-real-other", "A title", "What is to be seen.", {"mark": "point"}, data, "cost", ())


def test_a_figure_has_its_data_by_column() -> None:
    data = pd.DataFrame({"name": ["x", "y"], "value": [1.0, np.nan], "note": [None, "n"], "count": [1, 2]})
    assert figure_data(figure(data), ()) == {
        "spec": {"mark": "point"},
        "columns": {"name": ["x", "y"], "value": [1.0, None], "note": [None, "n"], "count": [1, 2]},
    }
    assert figure_data(figure(pd.DataFrame({"a": []})), ())["columns"] == {"a": []}


def test_runs_of_a_figure_are_indices_and_runs_that_are_not_embedded_are_left_out() -> None:
    data = pd.DataFrame({"run": ["b", "unknown", "a"], "score": [1.0, 2.0, 3.0]})
    assert figure_data(figure(data), ("a", "b"))["columns"] == {"run": [1, 0], "score": [1.0, 3.0]}


def test_values_are_as_json_takes_them() -> None:
    values = (np.float64(1 / 3), math.nan, math.inf, np.int64(3), np.bool_(True), None, "a")
    assert [json_value(value) for value in values] == [0.33333, None, None, 3, True, None, "a"]
