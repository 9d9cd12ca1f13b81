"""Every figure of a report: Vega-Lite that holds against its schema, made anywhere from what it is sent with."""

from __future__ import annotations

import dataclasses
import pickle
import re

import altair as alt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import ValidationError

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.plan import BY_TASK, OF_GROUPS, figures, name, planned
from bench_lib.report.figures.style import LIGHT


@pytest.fixture(scope="module")
def made_figures(summary: Summary) -> list[Figure]:
    return figures(summary)


@pytest.fixture(scope="module")
def made(made_figures: list[Figure]) -> dict[str, list[dict[str, object]]]:
    specs: dict[str, list[dict[str, object]]] = {}
    for figure in made_figures:
        specs.setdefault(figure.kind, []).append(figure.spec)
    return specs


def test_every_figure_is_valid_vega_lite(made: dict[str, list[dict[str, object]]]) -> None:
    assert {"cost", "profiles", "ranks", "seeds", "curves", "power"} <= made.keys()
    assert made.keys() <= {*OF_GROUPS, *BY_TASK, "variance", "power"}
    for specs in made.values():
        for spec in specs:
            alt.TopLevelSpec.validate({**spec, "config": LIGHT})


def test_a_broken_figure_would_be_found(made: dict[str, list[dict[str, object]]]) -> None:
    with pytest.raises(ValidationError, match="'blob'"):
        alt.TopLevelSpec.validate({**made["power"][0], "mark": "blob"})


def test_a_plan_holds_all_that_it_takes(summary: Summary, made_figures: list[Figure]) -> None:
    found = [*planned(summary)]
    assert {plan.kind for plan in found} >= {*OF_GROUPS, *BY_TASK}
    assert len({(plan.kind, plan.place) for plan in found}) == len(found)
    sent = [pickle.loads(pickle.dumps(plan)) for plan in found]
    made_elsewhere = [figure for plan in sent if (figure := plan.figure())]
    for figure, known in zip(made_elsewhere, made_figures, strict=True):
        assert (figure.kind, figure.place, figure.spec) == (known.kind, known.place, known.spec)
        assert figure.data.equals(known.data)


def test_no_spec_and_no_provenance_is_sent(summary: Summary) -> None:
    for plan in planned(summary):
        for argument in plan.arguments:
            assert not {"spec", "provenance"} & set(getattr(argument, "columns", ()))


def test_a_store_of_one_group_with_no_cell_to_rank_has_its_other_figures(
    summary: Summary, made_figures: list[Figure]
) -> None:
    bare = [*planned(dataclasses.replace(summary, ranks=summary.ranks.iloc[:0]))]
    assert [(plan.kind, plan.place) for plan in bare] == [(one.kind, one.place) for one in planned(summary)]
    # Those of tasks take no ranks.
    known = {plan.kind for plan in bare if plan.kind in OF_GROUPS and plan.figure()}
    assert {"ranks"} == {figure.kind for figure in made_figures if figure.kind in OF_GROUPS} - known


PARTS = st.text() | st.sampled_from(["a", "a-b", "A", "b", "", "-", "a b", "x" * 90, "x" * 91])


@settings(deadline=None)
@given(st.lists(st.tuples(PARTS, PARTS, PARTS), unique=True, min_size=2))
def test_figures_of_different_places_have_different_names_on_any_system(places: list[tuple[str, ...]]) -> None:
    names = [name("seeds", place) for place in places]
    assert len({one.lower() for one in names}) == len(places)
    assert all(re.fullmatch(r"[a-z0-9._-]{1,100}", one) for one in names)


def test_what_is_called_differs_by_kind_and_by_the_number_of_parts() -> None:
    places: list[tuple[str, tuple[str, ...]]] = [("cost", ("a", "b")), ("cost", ("a", "b", "")), ("seeds", ("a", "b"))]
    assert len({name(*one) for one in places}) == len(places)
