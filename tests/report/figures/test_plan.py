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

from bench_lib.report.analysis.results import Findings
from bench_lib.report.figures.plan import BY_TASK, OF_GROUPS, Picture, drafts, illustrate, name
from bench_lib.report.figures.style import LIGHT


@pytest.fixture(scope="module")
def pictures(findings: Findings) -> list[Picture]:
    return illustrate(findings)


@pytest.fixture(scope="module")
def made(pictures: list[Picture]) -> dict[str, list[dict[str, object]]]:
    specs: dict[str, list[dict[str, object]]] = {}
    for picture in pictures:
        specs.setdefault(picture.kind, []).append(picture.figure.spec)
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


def test_a_draft_holds_all_that_it_takes(findings: Findings, pictures: list[Picture]) -> None:
    found = drafts(findings)
    assert {draft.kind for draft in found} >= {*OF_GROUPS, *BY_TASK}
    assert len({(draft.kind, draft.place) for draft in found}) == len(found)
    sent = [pickle.loads(pickle.dumps(draft)) for draft in found]
    made_elsewhere = [picture for draft in sent if (picture := draft.picture())]
    for picture, known in zip(made_elsewhere, pictures, strict=True):
        assert (picture.kind, picture.place, picture.figure.spec) == (known.kind, known.place, known.figure.spec)
        assert picture.figure.data.equals(known.figure.data)


def test_no_spec_and_no_provenance_is_sent(findings: Findings) -> None:
    for draft in drafts(findings):
        for argument in draft.arguments:
            assert not {"spec", "provenance"} & set(getattr(argument, "columns", ()))


def test_a_store_of_one_group_with_no_cell_to_rank_has_its_other_figures(
    findings: Findings, pictures: list[Picture]
) -> None:
    bare = drafts(dataclasses.replace(findings, ranks=findings.ranks.iloc[:0]))
    assert [(draft.kind, draft.place) for draft in bare] == [(one.kind, one.place) for one in drafts(findings)]
    # Those of tasks take no ranks.
    known = {draft.kind for draft in bare if draft.kind in OF_GROUPS and draft.picture()}
    assert {"ranks"} == {picture.kind for picture in pictures if picture.kind in OF_GROUPS} - known


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
