"""The pages that are written by hand: links lead somewhere, examples run, and what is said twice is said alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import bench_lib

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    page.relative_to(ROOT).as_posix()
    for pattern in ("*.md", "docs/**/*.md", "results/*.md", ".github/*.md")
    for page in ROOT.glob(pattern)
    if "site" not in page.parts[-2:]  # pieces that the site is made of
)
MOST_LINES = 200
"""Of the README: what is longer is for a page of its own."""


def anchors(page: Path) -> set[str]:
    """The names by which a code host links to a page's headings."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("name", PAGES)
def test_links_lead_to_files_and_headings_that_are_there(name: str) -> None:
    page = ROOT / name
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text()):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        place = page.parent / path if path else page
        assert place.exists(), f"{name} links to {target}"
        assert not heading or heading in anchors(place), f"{name} links to {target}"


def test_the_readme_is_short_and_leads_to_every_page() -> None:
    """Those in a folder of docs/ have an index there."""
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) <= MOST_LINES
    assert all(
        f"({name})" in text for name in PAGES if not name.startswith((".github", "README")) and name.count("/") < 2
    )


def test_the_example_of_a_task_is_a_task() -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL)
    names: dict[str, object] = {}
    exec(code, names)
    task = names["REVIEWS"]
    assert isinstance(task, bench_lib.Task)
    assert not task.hub_id


def test_the_citation_is_of_this_version() -> None:
    assert f"\nversion: {bench_lib.__version__}\n" in (ROOT / "CITATION.cff").read_text()
