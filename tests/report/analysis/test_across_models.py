from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench_lib.core.spec import canonical_json, digest
from bench_lib.report import formatting as md
from bench_lib.report.analysis.across_models import ACROSS, HEAD, across_models, models_section
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.glossary import FEW
from bench_lib.report.render import LISTED, MODELS, _optional_tables
from bench_lib.store import Store


@pytest.fixture
def cells(cell: Any) -> Any:
    """Cells of techniques by model, with the MAD of each."""

    def make(mads: dict[str, dict[str, float]], **changes: Any) -> pd.DataFrame:
        rows = [
            cell(model=model, technique=technique, mad=mad, **changes)
            for model, own in mads.items()
            for technique, mad in own.items()
        ]
        return pd.DataFrame(rows)

    return make


def test_models_that_rank_alike_agree_wholly(cells: Any) -> None:
    order = {"adamw": 0.03, "mixout": 0.02, "sam": 0.01}
    table = across_models(cells({"minilm": order, "roberta": {name: 2 * mad for name, mad in order.items()}}))
    assert tuple(table.columns) == ACROSS
    assert len(table) == 6
    assert set(table["kendall_w"]) == {1.0}
    assert set(table["models"]) == {2}
    assert [*table[table["model"] == "minilm"].set_index("technique")["rank"][[*order]]] == [3, 2, 1]


def test_models_that_rank_the_other_way_round_do_not_agree(cells: Any) -> None:
    table = across_models(cells({"a": {"x": 0.1, "y": 0.2, "z": 0.3}, "b": {"x": 0.3, "y": 0.2, "z": 0.1}}))
    assert set(table["kendall_w"]) == {0.0}


def test_a_failure_rate_ranks_before_the_spread(cells: Any) -> None:
    steady = cells({"a": {"x": 0.1, "y": 0.2}, "b": {"x": 0.1, "y": 0.2}})
    steady.loc[(steady["model"] == "b") & (steady["technique"] == "x"), "failure_rate"] = 0.5
    assert set(across_models(steady)["kendall_w"]) == {0.0}


def test_techniques_that_a_model_lacks_are_shown_and_not_ranked(cells: Any) -> None:
    table = across_models(cells({"a": {"x": 0.1, "y": 0.2, "z": 0.3}, "b": {"x": 0.1, "y": 0.2}}))
    assert set(table["ranked"]) == {2}
    assert table.set_index("technique").loc["z", "rank"] != table.set_index("technique").loc["z", "rank"]


def test_one_technique_in_common_leaves_the_agreement_unknown(cells: Any) -> None:
    (w,) = {str(value) for value in across_models(cells({"a": {"x": 0.1}, "b": {"x": 0.2, "y": 0.1}}))["kendall_w"]}
    assert w == "nan"


def test_no_technique_in_common_is_no_error(cells: Any) -> None:
    table = across_models(cells({"a": {"x": 0.1}, "b": {"y": 0.2}}))
    assert set(table["ranked"]) == {0}
    assert table["rank"].isna().all()


def test_one_model_has_no_table(summary: Summary) -> None:
    assert across_models(summary.cells).empty
    assert not models_section(summary).tables


def test_real_and_embedded_data_are_not_set_side_by_side(cells: Any) -> None:
    real, made = cells({"a": {"x": 0.1}}), cells({"b": {"x": 0.1}}, data="embedded")
    assert across_models(pd.concat([real, made])).empty


def test_the_section_has_the_baseline_first_and_a_column_a_model(tmp_path: Path, record: Any) -> None:
    store = Store(tmp_path)
    for model in ("minilm", "roberta"):
        for technique in ("adamw", "fgm"):
            for seed in range(2):
                run = record(seed, 0.8 + 0.01 * seed * (technique == "adamw"), technique)
                store.append(_of_model(run, model))
    section = models_section(summarise(store))
    agreement, scores = section.tables
    assert agreement.head == HEAD
    assert [*agreement.rows[0]] == ["sst2", "2", "2", "1.00", *agreement.rows[0][4:5], "minilm: fgm; roberta: fgm"]
    assert scores.head == ("technique", "minilm", "roberta")
    assert [row[0] for row in scores.rows] == ["adamw", "fgm"]
    assert scores.rows[1][1] == f"80.00 \u00b1 0.00{FEW} (0/2)"
    assert not _optional_tables(summarise(store))[MODELS].empty
    assert LISTED["## Across models"] == MODELS


def test_a_technique_without_runs_of_a_model_is_a_dash(cells: Any, summary: Summary) -> None:
    changed = dataclasses.replace(summary, cells=cells({"a": {"x": 0.1, "y": 0.2}, "b": {"x": math.nan}}))
    rows = {row[0]: row[1:] for row in models_section(changed).tables[1].rows}
    assert rows["y"][1] == md.DASH
    assert md.DASH in rows["x"][1]


def _of_model(run: Any, model: str) -> Any:
    spec = json.loads(run.spec) | {"model": f"weights of {model}"}
    text = canonical_json(spec)
    return run.changed({"spec": text, "run_id": digest(spec), "training_id": digest(spec), "model": model})
