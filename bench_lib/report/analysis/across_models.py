"""Techniques across models: scores and failures side by side, and how well the models agree on the ranking."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from bench_lib.report import formatting as md
from bench_lib.report.analysis.ranking import places_by
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TableSection, TextTable
from bench_lib.report.cells import key_parts, numbers
from bench_lib.report.columns import as_rows
from bench_lib.report.glossary import ACROSS_MODELS, FEW, LEAST
from bench_lib.report.prose import name_list
from bench_lib.report.values import Row
from bench_lib.stats.ranks import average_ranks, friedman, kendall_w

TITLE = "Across models"
PLACE = ("data", "profile", "task")
MEASURES = ("mean", "mad", "failure_rate", "failed", "judged", "converged")
AGREEMENT = ("models", "ranked", "kendall_w", "friedman_p")
ACROSS = (*PLACE, "technique", "model", "label", *MEASURES, "rank", *AGREEMENT)
HEAD = ("task", "models", "techniques", "Kendall's W", "p", "ranked first")


def across_models(cells: pd.DataFrame) -> pd.DataFrame:
    """One row per judged cell of a (data, profile, task) that was run with several models; columns are `ACROSS`.

    `rank` is the technique's with the model, 1 is best, by failure rate, then MAD, among the `ranked` techniques that
    each of the `models` holds once; nan for others. `kendall_w` says how well these ranks agree, and `friedman_p`
    (Iman and Davenport) whether they could do so by chance; both are nan for fewer than two techniques.
    """
    tables = [_task(own) for own in _places(cells)]
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=list(ACROSS))


def models_section(summary: Summary) -> TableSection:
    """A table of techniques by models for each task, and the agreement; without tables where there is one model."""
    table = across_models(summary.cells)
    tables = [_side_by_side(own, summary.baseline) for _, own in table.groupby(list(PLACE), sort=True)]
    return TableSection("across-models", TITLE, ACROSS_MODELS, [*_agreements(table), *tables])


def _places(cells: pd.DataFrame) -> Iterator[pd.DataFrame]:
    judged = cells[numbers(cells["judged"]) > 0]
    for _, own in judged.groupby(list(PLACE), sort=True, observed=True):
        if own["model"].nunique() > 1:
            yield own


def _task(own: pd.DataFrame) -> pd.DataFrame:
    places = places_by("model", own)
    models, ranked = places.shape
    ranks = {
        (model, technique): rank
        for model, row in zip(places.index, places.to_numpy(), strict=True)
        for technique, rank in zip(places.columns, average_ranks([row], higher_is_better=False), strict=True)
    }
    named = zip(own["model"].astype(str), own["technique"].astype(str), strict=True)
    found = own.assign(
        rank=[ranks.get(name, math.nan) for name in named],
        models=models,
        ranked=ranked,
        kendall_w=kendall_w(places.to_numpy()),
        friedman_p=friedman(places.to_numpy()).f_p,
    )
    return found[list(ACROSS)].astype(dict.fromkeys((*PLACE, "technique", "model", "label"), str))


def _agreements(table: pd.DataFrame) -> Iterator[TextTable]:
    """A table for each kind of data and profile, with a row for each task."""
    for key, group in table.groupby(list(PLACE[:2]), sort=True):
        rows = []
        for task, own in group.groupby("task", sort=True):
            one = own.iloc[0]
            counts = [str(int(one[name])) for name in ("models", "ranked")]
            rows.append([str(task), *counts, md.number(one["kendall_w"]), md.p_value(one["friedman_p"]), _first(own)])
        yield TextTable(f"Agreement on the ranking of techniques ({', '.join(key_parts(key))})", HEAD, rows)


def _first(own: pd.DataFrame) -> str:
    """The technique that each model ranks first; several where they tie."""
    best = own[own["rank"] == own.groupby("model")["rank"].transform("min")]
    names = {str(model): sorted(set(one["technique"])) for model, one in best.groupby("model", sort=True)}
    return "; ".join(f"{model}: {name_list(techniques, 3)}" for model, techniques in names.items()) or md.DASH


def _side_by_side(own: pd.DataFrame, baseline: str) -> TextTable:
    data, profile, task = (str(own[name].iloc[0]) for name in PLACE)
    models = sorted(set(own["model"]))
    cells: dict[tuple[str, str], list[Row]] = {}
    for row in as_rows(own):
        cells.setdefault((row["technique"], row["model"]), []).append(row)
    ranks = own.groupby("technique")["rank"].mean().to_dict()
    names = sorted(set(own["technique"]), key=lambda name: (name != baseline, _last(ranks[name]), name))
    rows = [[name, *(_shown(cells.get((name, model), ())) for model in models)] for name in names]
    return TextTable(f"{task} ({data}, {profile})", ("technique", *models), rows)


def _shown(cells: Sequence[Row]) -> str:
    """Mean and MAD in percent points, and the failures of the runs that were judged; of several specs in turn."""
    return "; ".join(map(_cell, cells)) or md.DASH


def _cell(row: Row) -> str:
    few = FEW if row["converged"] < LEAST else ""
    return f"{md.percent(row['mean'])} \u00b1 {md.percent(row['mad'])}{few} ({row['failed']}/{row['judged']})"


def _last(value: Any) -> float:
    return math.inf if math.isnan(value) else float(value)
