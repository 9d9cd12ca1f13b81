"""The page whole: the same text for the same results, and nothing in it but what was meant."""

from __future__ import annotations

import base64
import dataclasses
import json
import re
import zlib
from html.parser import HTMLParser
from typing import Any

import pandas as pd
import pytest

from bench_lib.report.analysis.results import Summary
from bench_lib.report.figures.figure import Figure
from bench_lib.report.html import payload as records
from bench_lib.report.html.build import build
from bench_lib.report.html.registry_entries import Catalogue, registered
from bench_lib.report.html.views import SEVERAL, UNKNOWN, Views
from bench_lib.tasks import TASKS


class Reader(HTMLParser):
    """Elements by name, and the text outside scripts."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: dict[str, list[dict[str, str | None]]] = {}
        self.words: list[str] = []
        self.scripts: list[str] = []
        self.inside = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.setdefault(tag, []).append(dict(attrs))
        self.inside = tag

    def handle_endtag(self, tag: str) -> None:
        self.inside = ""

    def handle_data(self, data: str) -> None:
        (self.scripts if self.inside in ("script", "style") else self.words).append(data)


@pytest.fixture(scope="module")
def figures(summary: Summary) -> list[Figure]:
    cells = summary.cells[["task", "label", "mad"]].astype({"label": str, "task": str})
    spec, group = {"mark": "point", "encoding": {}}, ("real", "minilm", "desk")
    loss = pd.DataFrame({"loss": [1.0]})
    return [
        Figure("cost-all", "Cost <b>", "It costs.", spec, cells, "cost", group),
        Figure("curves-by-any-name", "Curves", "They fall.", spec, loss, "curves", (*group, "sst2")),
    ]


@pytest.fixture(scope="module")
def page(summary: Summary, figures: list[Figure], catalogue: Catalogue) -> str:
    return build(summary, figures, catalogue)


@pytest.fixture(scope="module")
def read(page: str) -> Reader:
    return Reader(page)


def payload(html: str) -> dict[str, Any]:
    found = re.search(r'<script type="text/plain" id="data">([A-Za-z0-9+/=]*)</script>', html)
    assert found is not None
    return json.loads(zlib.decompress(base64.b64decode(found.group(1))))


def test_the_same_results_give_the_same_text(
    page: str, summary: Summary, figures: list[Figure], catalogue: Catalogue
) -> None:
    assert build(summary, figures, catalogue) == page


def test_nothing_is_loaded_from_elsewhere(read: Reader) -> None:
    assert not {"link", "img", "iframe", "object"} & set(read.elements)
    assert all("src" not in script for script in read.elements["script"])
    policy = read.elements["meta"][1]["content"]
    assert policy is not None
    assert policy.startswith("default-src 'none'; script-src 'sha256-")
    assert "unsafe-eval" not in policy


def test_a_hostile_name_is_text(page: str, read: Reader) -> None:
    from html import escape

    name = "<b onclick='x'>=1\"&"
    assert name in "".join(read.words)
    assert "<b onclick" not in page.replace(escape(name), "")
    assert all("onclick" not in attributes for tags in read.elements.values() for attributes in tags)
    assert name in {cell["label"] for cell in payload(page)["cells"]}


def test_every_link_within_the_page_leads_somewhere(read: Reader) -> None:
    ids = [one["id"] for tags in read.elements.values() for one in tags if "id" in one]
    assert len(ids) == len(set(ids))
    targets = {str(a["href"])[1:] for a in read.elements["a"] if str(a["href"]).startswith("#")}
    assert targets <= set(ids)


def test_tables_have_captions_and_scopes(read: Reader) -> None:
    assert len(read.elements["caption"]) == len(read.elements["table"])
    assert all(head.get("scope") in ("col", "row") for head in read.elements["th"])


def test_real_and_embedded_data_never_share_a_table(read: Reader) -> None:
    assert [table["id"] for table in read.elements["table"] if "id" in table] == ["cells-real", "cells-embedded"]


def test_a_page_of_too_many_runs_says_what_it_holds(
    summary: Summary, catalogue: Catalogue, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records.page_runs, "__defaults__", (8,))
    text = build(summary, [], catalogue)
    assert "This page holds 8 of the 17 runs" in text
    assert len(payload(text)["runs"]["id"]) == 8


def test_without_the_baseline_nothing_is_compared(summary: Summary, catalogue: Catalogue) -> None:
    other = dataclasses.replace(summary, baseline="sgd", cells=summary.cells.assign(against=""))
    assert "Nothing is compared: sgd was not run here" in build(other, [], catalogue)


def test_answers_of_profiles_with_settings_are_folded_away(summary: Summary, catalogue: Catalogue) -> None:
    assert "settings of their own" not in build(summary, [], catalogue)
    tables = {}
    for name in ("cells", "runs"):
        own = getattr(summary, name).astype({"profile": str})
        embedded = own["data"].astype(str) == "embedded"
        assert 0 < embedded.sum() < len(own)
        tables[name] = own.assign(profile=own["profile"].where(~embedded, "smoke:per_class=8"))
    folded = Reader(build(dataclasses.replace(summary, **tables), [], catalogue))
    assert "1 more, of profiles with settings of their own" in folded.words


def test_damaged_files_are_named(summary: Summary, catalogue: Catalogue) -> None:
    text = build(dataclasses.replace(summary, quarantined=["a<b>.parquet"]), [], catalogue)
    assert "a&lt;b&gt;.parquet" in text


def test_a_technique_is_what_its_spec_says(summary: Summary, catalogue: Catalogue) -> None:
    views = {view.name: view for view in Views(summary, catalogue).techniques()}
    assert next(iter(views)) == "adamw"
    assert views["mixout"].family == "regularisation"
    assert [section.title for section in views["mixout"].sections] == [
        "real data, minilm, profile desk", "embedded data, minilm, profile desk",
    ]  # fmt: skip
    unknown = views["<b onclick='x'>=1\"&"]
    assert (unknown.family, unknown.parts[0].entry) == (UNKNOWN, None)


def test_a_stack_is_of_its_parts(summary: Summary, catalogue: Catalogue) -> None:
    spec = json.dumps({"stack": [["adamw", {}, "1"], ["mixout", {"p": 0.9}, "1"]]})
    stacked = summary.runs.assign(spec=spec)
    view = next(iter(Views(dataclasses.replace(summary, runs=stacked), catalogue).techniques()))
    assert view.family == SEVERAL
    assert [part.name for part in view.parts] == ["adamw", "mixout"]
    assert view.title == "Baselines and controls, Regularisation"


def test_the_catalogue_is_that_of_the_registries() -> None:
    known = registered()
    assert known.techniques["mixout"].defaults
    assert known.techniques["mixout"].equation
    assert all(entry.sentence and entry.paper and entry.title for entry in known.techniques.values())
    assert set(known.tasks) == set(TASKS.names())


def csv_files(html: str, view: str) -> list[str]:
    """The names of the data files of the figures of a view."""
    (section,) = re.findall(rf'<section class="view" id="{view}".*?</section>', html, re.DOTALL)
    return re.findall(r">([^<>]+)\.csv</a>", section)


def test_a_figure_is_in_the_view_of_its_kind_and_on_the_page_of_its_task(
    page: str, summary: Summary, figures: list[Figure], catalogue: Catalogue
) -> None:
    assert csv_files(page, "task=sst2") == ["cost-all", "curves-by-any-name"]
    two, place = pd.DataFrame({"task": ["sst2", "rte"]}), ("real", "minilm", "desk")
    kinds = {"cost": two, "sizes": two[:1], "profiles": pd.DataFrame({"tau": [1.0]}), "something": two}
    drawn = [
        dataclasses.replace(figures[0], name=kind, kind=kind, data=data, place=place) for kind, data in kinds.items()
    ]
    text = build(summary, drawn, catalogue)
    shown = {view: csv_files(text, view) for view in ("cost", "sizes", "profiles", "more", "task=sst2")}
    assert shown == {kind: [kind] for kind in list(kinds)[:3]} | {"more": ["something"], "task=sst2": ["sizes"]}


def test_a_figure_is_of_the_task_of_its_place_whatever_its_name(figures: list[Figure]) -> None:
    for task in ("a-task-with-hyphens", "Task of/any name"):
        assert dataclasses.replace(figures[1], place=("real", "minilm", "desk", task)).task == task
