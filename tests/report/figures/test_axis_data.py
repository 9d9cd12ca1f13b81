"""Cells along an axis of the profile, from records whose profiles differ in a field."""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench_lib.core.record import RunRecord
from bench_lib.core.spec import canonical_json, digest
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.figures.axes import AXES
from bench_lib.report.figures.axis_data import along
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.plan import planned
from bench_lib.report.markdown.leaderboard import leaderboard
from bench_lib.store import Store

Make = Callable[..., RunRecord]
SIZES, SHOTS, NOISE = AXES
DESK = ("real", "minilm", "desk")


@pytest.fixture
def arm(record: Make) -> Callable[..., list[RunRecord]]:
    """Three runs under a profile with some fields changed, named as `find_profile` names it."""

    def make(technique: str = "adamw", name: str = "desk", **changed: Any) -> list[RunRecord]:
        made = []
        for seed in range(3):
            run = record(seed, 0.8 + 0.01 * seed, technique)
            identity = json.loads(run.spec)
            identity["profile"] |= changed
            label = ":".join([name, *(f"{key}={value}" for key, value in changed.items())])
            ids = {"run_id": digest(identity), "training_id": digest(identity)}
            made.append(dataclasses.replace(run, **ids, spec=canonical_json(identity), profile=label))
        return made

    return make


@pytest.fixture
def found(tmp_path: Path) -> Callable[..., Summary]:
    def make(*arms: list[RunRecord]) -> Summary:
        store = Store(tmp_path / "results")
        for run in (run for runs in arms for run in runs):
            store.append(run)
        return summarise(store)

    return make


def values(summary: Summary, axis: Any, group: tuple[str, ...] = DESK) -> list[tuple[str, float]]:
    rows = along(axis, summary.cells, summary.runs, group)
    assert list(rows.columns) == list(axis.columns)
    return sorted(zip(rows["technique"].astype(str), rows[axis.field], strict=True))


def test_runs_from_before_there_was_noise_have_none(arm: Any, found: Any) -> None:
    summary = found(arm(), arm(label_noise=0.1), arm(label_noise=0.2), arm("lion", label_noise=0.2), arm("lion"))
    assert values(summary, NOISE) == [("adamw", 0.0), ("adamw", 0.1), ("adamw", 0.2), ("lion", 0.0), ("lion", 0.2)]
    assert values(summary, SIZES) == values(summary, SHOTS) == []


def test_they_stand_at_the_first_profile_of_a_family_alone(arm: Any, found: Any) -> None:
    summary = found(arm(per_class=8), arm(per_class=16), arm(name="deskless", per_class=99))
    first = (*DESK[:2], "desk:per_class=16")
    assert values(summary, SHOTS, first) == [("adamw", 8), ("adamw", 16)]
    for other in ("desk:per_class=8", "desk", "deskless:per_class=99"):
        assert values(summary, SHOTS, (*DESK[:2], other)) == []


def test_cells_that_differ_in_more_are_no_axis(arm: Any, found: Any) -> None:
    summary = found(arm(label_noise=0.1), arm(label_noise=0.2, epochs=9), arm(train_examples=100, label_noise=0.1))
    assert values(summary, NOISE, (*DESK[:2], "desk:label_noise=0.1")) == []


def test_sizes_under_one_name_are_an_axis_too_and_all_examples_have_no_place(arm: Any, found: Any) -> None:
    sized = [[dataclasses.replace(r, profile="desk") for r in arm(train_examples=n)] for n in (None, 0, 100, 1000)]
    assert values(found(*sized), SIZES) == [("adamw", 0), ("adamw", 100), ("adamw", 1000)]


def test_a_technique_is_a_line_for_each_setting_of_another_axis(arm: Any, found: Any) -> None:
    crossed = [arm(**both) for n in (0.1, 0.2) for both in ({"label_noise": n}, {"attack": 1.0, "label_noise": n})]
    rows = values(found(*crossed, arm("lion", label_noise=0.1), arm("lion")), NOISE)
    assert rows == [
        *[("adamw", 0.1), ("adamw", 0.2), ("adamw (attack=1.0)", 0.1), ("adamw (attack=1.0)", 0.2)],
        *[("lion", 0.0), ("lion", 0.1)],
    ]


def test_what_all_of_them_share_is_not_told(arm: Any, found: Any) -> None:
    noises = ({}, {"label_noise": 0.2})
    summary = found(*(arm(attack=1.0, train_examples=n, **noise) for n in (8, 16) for noise in noises))
    rows = values(summary, NOISE, (*DESK[:2], "desk:attack=1.0:train_examples=16"))
    assert {name for name, _ in rows} == {"adamw (train_examples=8)", "adamw (train_examples=16)"}


def test_settings_that_no_name_tells_apart_have_a_digest(arm: Any, found: Any, tmp_path: Path) -> None:
    crossed = [arm(label_noise=n, epochs=e) for n in (0.1, 0.2) for e in (3, 9)]
    renamed = [[dataclasses.replace(r, profile=r.profile.rpartition(":")[0]) for r in runs] for runs in crossed]
    rows = values(found(*renamed), NOISE, (*DESK[:2], "desk:label_noise=0.1"))
    assert [value for _, value in rows] == [0.1, 0.2] * 2
    assert len({name for name, _ in rows}) == 2
    assert all(re.fullmatch(r"adamw \([0-9a-f]{6}\)", name) for name, _ in rows)


def drawn_along(summary: Summary) -> list[Figure]:
    """The figures along axes of a report."""
    made = [plan.figure() for plan in planned(summary) if plan.kind in ("sizes", "shots", "noise")]
    return [figure for figure in made if figure]


def test_the_report_draws_them_once(arm: Any, found: Any) -> None:
    summary = found(arm(), arm(label_noise=0.2), arm(per_class=8), arm(per_class=16))
    drawn = drawn_along(summary)
    assert [(figure.kind, figure.place) for figure in drawn] == [("shots", DESK), ("noise", DESK)]
    text = leaderboard(summary, drawn)
    assert text.count("stability against the share of wrong training labels") == 1
    assert text.count("stability against the number of training examples per class") == 1


def test_a_report_without_axes_has_none(summary: Summary) -> None:
    assert not drawn_along(summary)
