"""The site of the documentation: what is made for it. `make docs` builds it, in CI, where warnings are errors."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

import bench_lib
from bench_lib.core.record import COLUMNS
from bench_lib.report.columns import COLUMNS as LEADERBOARD
from bench_lib.tasks import TASKS
from bench_lib.techniques import TECHNIQUES

ROOT = Path(__file__).parents[1]
SITE = ROOT / "docs" / "site"


def _module(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"site_{name}", SITE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def build() -> ModuleType:
    return _module("build")


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return _module("reference").pages()


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("techniques.md", [technique.name for technique in TECHNIQUES]),
        ("reference/tasks.md", [task.name for task in TASKS]),
        ("reference/profiles.md", ["smoke", "quick-stress", "train_examples", "few1k"]),
        ("reference/models.md", ["minilm", "bert-base-uncased", "inline", "--workers"]),
        ("reference/columns.md", [column.name for column in LEADERBOARD]),
        ("reference/store.md", [column.name for column in COLUMNS]),
        ("reference/command-line.md", ["stabbench run", "--until-decided", "stabbench store", "--max-seeds"]),
        ("reference/python.md", [*bench_lib.__all__, "Configures", "verdicts"]),
    ],
)
def test_the_reference_has_all_that_is_registered(page: str, names: list[str], pages: dict[str, str]) -> None:
    assert not [name for name in names if name not in pages[page]]


def test_tables_have_as_many_cells_as_heads(pages: dict[str, str]) -> None:
    for page, text in pages.items():
        width = 0
        for line in text.splitlines():
            cells = line.replace("\\|", "").count("|") if line.startswith("|") else 0
            assert not (width and cells) or cells == width, f"{page}: {line}"
            width = cells


@pytest.mark.parametrize("page", ["README.md", "docs/architecture.md"])
def test_the_charts_of_the_pages_can_be_drawn(page: str) -> None:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    flowchart = _module("flowchart")
    (text,) = (ROOT / page).read_text().split("```mermaid\n")[1:]
    chart = flowchart.read(text.split("```")[0])
    drawn = flowchart.draw(chart)
    assert drawn.count("<rect") == len(chart.boxes) > 5
    assert drawn.count("<path d") - 1 == len(chart.edges)
    places = [(box.x, box.y) for box in chart.boxes.values()]
    assert len(set(places)) == len(places)


@pytest.mark.parametrize("line", ["a ==> b", "subgraph x", 'a["x"', "a --> b --> c"])
def test_what_is_no_chart_is_refused(line: str) -> None:
    pytest.importorskip("sphinx", reason="needs the extra docs")
    with pytest.raises(ValueError, match="not a node or an edge"):
        _module("flowchart").read(f"flowchart LR\n  {line}\n")


def test_links_out_of_the_site_are_words_and_links_to_the_report_lead_to_the_page(
    build: ModuleType, tmp_path: Path
) -> None:
    page = tmp_path / "docs" / "page.md"
    page.parent.mkdir()
    (page.parent / "there.md").write_text("# There\n")
    page.write_text(
        "[a](there.md#there) [b](../bench_lib/tasks) [c](../reports/leaderboard.md) [d](https://x.org)\n"
        "```md\n[e](../bench_lib)\n```\n"
    )
    assert build._linked(page, tmp_path) == (
        '[a](there.md#there) b (`bench_lib/tasks`) <a href="../reports/index.html">c</a> [d](https://x.org)\n'
        "```md\n[e](../bench_lib)\n```\n"
    )
    page.write_text("[x](nowhere.md)")
    with pytest.raises(SystemExit, match=r"docs/page\.md links to nowhere\.md"):
        build._linked(page, tmp_path)


def test_what_a_page_loads_from_elsewhere_is_found(build: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "good.html").write_text('<a href="https://x.org">x</a><script src="own.js"></script>')
    assert not build.fetched(tmp_path)
    (tmp_path / "bad.html").write_text('<script src="https://cdn.org/x.js"></script><link rel="icon" href="//x/y">')
    (tmp_path / "bad.css").write_text("@import url(https://fonts.org/x.css);")
    assert [found.partition(":")[0] for found in build.fetched(tmp_path)] == ["bad.css", "bad.html", "bad.html"]


def test_every_page_is_in_the_navigation() -> None:
    shown = (SITE / "index.md").read_text() + (ROOT / "docs" / "how-to" / "index.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert any(page.match(f"{line.strip()}.md") for line in shown.splitlines() if line.startswith("docs/")), page
