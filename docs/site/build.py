"""Build the documentation as a site: `python docs/site/build.py [FOLDER]`, by default into `site/`.

All pages are put into a folder that has the layout of the repository, so that their links hold, together with the
reference, which is made from the registries and docstrings. Warnings are errors, and so is anything that a page would
load from elsewhere. Nothing is fetched.
"""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
OUT = ROOT / "site"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md", "results/README.md")
FILES = ("examples/*.py", "results/*.toml", "LICENSE")
REPORT = "reports/index.html"
"""What links into the folder of the report lead to."""

MADE = re.compile(r"reference/index\.md#([\w-]+)")
"""Links to what the reference says of a page that is made here; in the site they lead to the page itself."""

LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
CODE = re.compile(r"^( *)```.*?^\1```", re.MULTILINE | re.DOTALL)
LOADED = re.compile(
    r"""<(?:script|img|iframe|source)\b[^>]*\bsrc=["'](?:https?:)?//|<link\b[^>]*\brel=["'](?:stylesheet|preload|icon)["']"""
    r"""[^>]*\bhref=["'](?:https?:)?//|@import\s+(?:url\()?["']?(?:https?:)?//|url\(["']?(?:https?:)?//"""
)
"""What a browser would fetch from another machine."""


def stage(folder: Path) -> None:
    """Put all pages into the folder, with those that are made here."""
    import reference

    names = [*PAGES, *(page.relative_to(ROOT).as_posix() for page in (ROOT / "docs").rglob("*.md"))]
    own = {name for name in names if not name.startswith("docs/site/")}
    for name in own:
        _write(folder / name, (ROOT / name).read_text())
    shutil.copytree(ROOT / "docs" / "notebooks", folder / "docs" / "notebooks", dirs_exist_ok=True)
    for path in (path for pattern in FILES for path in ROOT.glob(pattern)):
        _write(folder / path.relative_to(ROOT), path.read_text())
    for name, text in reference.pages().items():
        _write(folder / "docs" / name, text)
    lines = (HERE / "index.md").read_text().splitlines(keepends=True)
    shutil.copytree(ROOT / "results" / "runs", folder / "results" / "runs")  # which a notebook reads
    index = folder / "docs" / "how-to" / "index.md"
    index.write_text(index.read_text() + (HERE / "how-to.md").read_text())
    _write(folder / "index.md", "".join(line for line in lines if not _vacant(line, folder)))
    for page in folder.rglob("*.md"):
        page.write_text(_linked(page, folder))


def _vacant(line: str, folder: Path) -> bool:
    """Whether it keeps a place in the navigation for pages that are not there yet, which Sphinx takes for an error."""
    return line.startswith("docs/") and "*" in line and not any(folder.glob(line.strip() + ".*"))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def _linked(page: Path, folder: Path) -> str:
    """The text of a page in which links to what is no part of the site are words, or lead to the report."""
    text = page.read_text()
    if page.name != "index.md" or "reference" not in page.parts:
        text = MADE.sub(lambda found: f"reference/{found[1]}.md".replace("reference/techniques", "techniques"), text)
    parts, end = [], 0

    def target(found: re.Match[str]) -> str:
        words, link = found.groups()
        path = link.partition("#")[0]
        if "://" in link or not path or (page.parent / path).is_file():
            return found.group()
        place = (page.parent / path).resolve().relative_to(folder.resolve())
        if place.parts[0] == "reports":
            up = "../" * (len(page.relative_to(folder).parts) - 1)
            return f'<a href="{up}{REPORT}">{words}</a>'
        if not (ROOT / place).exists():
            raise SystemExit(f"{page.relative_to(folder)} links to {link}, which is not there")
        return f"{words} (`{place}`)"

    for block in CODE.finditer(text):
        parts += [LINK.sub(target, text[end : block.start()]), block.group()]
        end = block.end()
    return "".join([*parts, LINK.sub(target, text[end:])])


def build(out: Path) -> int:
    """Build the site into the folder, and return the exit code."""
    from sphinx.cmd.build import main

    with tempfile.TemporaryDirectory() as work:
        source, made = Path(work, "source"), Path(work, "made")
        stage(source)
        options = ["-q", "-W", "--keep-going", "-E", "-c", str(HERE)]
        if code := main([*options, "-d", str(Path(work, "read")), str(source), str(made)]):
            return code
        shutil.copytree(ROOT / "reports", made / "reports", ignore=shutil.ignore_patterns("*.parquet"))
        if outside := fetched(made):
            print("loaded from elsewhere:", *outside, sep="\n  ", file=sys.stderr)
            return 1
        shutil.rmtree(out, ignore_errors=True)
        shutil.copytree(made, out, ignore=shutil.ignore_patterns(".buildinfo*", "jupyter_execute", "_sources"))
    print(f"{out / 'index.html'}: {sum(1 for _ in out.rglob('*.html'))} pages")
    return 0


def fetched(site: Path) -> list[str]:
    """What the pages and style sheets of a site would load from another machine."""
    files = [path for path in site.rglob("*") if path.suffix in (".html", ".css") and "reports" not in path.parts]
    return [
        f"{path.relative_to(site)}: {found.group()}"
        for path in sorted(files)
        for found in LOADED.finditer(path.read_text())
    ]


if __name__ == "__main__":
    sys.path.insert(0, str(HERE))
    raise SystemExit(build(Path(sys.argv[1]) if len(sys.argv) > 1 else OUT))
