"""What is written: the same bytes from the same runs, whole files, and nothing for nothing."""

from __future__ import annotations

import base64
import dataclasses
import io
import re
import subprocess
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from bench_lib.core.errors import BenchError, UnknownName
from bench_lib.executors.local import LocalExecutor
from bench_lib.report import render as module
from bench_lib.report.analysis.results import summarise
from bench_lib.report.figures.figure import Figure
from bench_lib.report.markdown.leaderboard import leaderboard
from bench_lib.report.render import render, stale
from bench_lib.store import Store

MARKUP = "a|b<script>$x$"
FORMULA = "=cmd|' /C calc'!A0"


def store(root: Path, records: Iterable[Any]) -> Store:
    made = Store(root)
    for record in records:
        made.append(record)
    return made


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def few(record: Any) -> list[Any]:
    """Two tasks, two techniques and embedded data, with a failure."""
    runs = [record(i, 0.8 + i / 100, t, task=k) for i in range(3) for t in ("adamw", "fgm") for k in ("sst2", "imdb")]
    failed = record(3, None, "fgm", status="diverged", reason="not finite at step 3")
    return [*runs, failed, record(0, source="embedded"), record(1, source="embedded")]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: Any, record: Any) -> Path:
    """The folder into which a few runs were rendered once."""
    root: Path = tmp_path_factory.mktemp("rendered")
    paths = render(store(root / "s", few(record)), root / "deep" / "out")
    assert {p.relative_to(root / "deep" / "out").as_posix() for p in paths} == set(contents(root / "deep" / "out"))
    return root / "deep" / "out"


@pytest.fixture
def written(monkeypatch: Any) -> dict[str, bytes]:
    """What every report consists of in a test of the folder alone, which changes it as it likes."""
    files = {
        "figures/seeds-x.svg": b"drawn",
        "leaderboard.md": b"![Seeds.](figures/seeds-x.svg)\n",
        "index.html": b"page",
    }
    monkeypatch.setattr(module, "build_report", lambda *_: module.Report(files))
    return files


def test_the_same_runs_give_the_same_bytes_in_another_order_and_process(
    tmp_path: Path, record: Any, rendered: Path
) -> None:
    assert not stale(store(tmp_path / "s", reversed(few(record))), rendered, executor=LocalExecutor(1))


def test_what_is_written(rendered: Path) -> None:
    figures = (
        *("cost-real-minilm-desk", "cost-embedded-minilm-desk", "profiles-real-minilm-desk", "power"),
        *("seeds-real-minilm-desk-sst2", "seeds-real-minilm-desk-imdb", "seeds-embedded-minilm-desk-sst2"),
    )
    assert set(contents(rendered)) == {
        *("index.html", "leaderboard.md", "claims.md", "contrasts.csv", "leaderboard.csv", "leaderboard.parquet"),
        *(f"figures/{name}.{suffix}" for name in figures for suffix in ("svg", "csv")),
    }


def test_every_figure_is_embedded_with_a_text_and_free_of_dates_and_versions(rendered: Path) -> None:
    text = (rendered / "leaderboard.md").read_text()
    pictures = sorted((rendered / "figures").glob("*.svg"))
    assert len(pictures) == 7
    for path in pictures:
        (told,) = re.findall(rf"!\[([^\n]*)\]\(figures/{path.name}\)", text)
        assert len(told) > 40, told
        drawn = path.read_text()
        assert "<metadata" not in drawn
        assert 'aria-label="' in drawn
        assert len(pd.read_csv(path.with_suffix(".csv"))) > 0


def test_the_parquet_file_is_the_csv_with_types(rendered: Path) -> None:
    typed, text = pd.read_parquet(rendered / "leaderboard.parquet"), pd.read_csv(rendered / "leaderboard.csv")
    assert list(typed) == list(text)
    assert typed["mad"].tolist() == pytest.approx(text["mad"].tolist(), nan_ok=True)
    assert typed["judged"].tolist() == text["judged"].tolist()
    assert b"pandas" not in (rendered / "leaderboard.parquet").read_bytes()


def test_what_is_stale_is_named(tmp_path: Path, written: dict[str, bytes]) -> None:
    made, out = Store(tmp_path / "s"), tmp_path / "out"
    render(made, out)
    assert not stale(made, out)
    (out / "figures" / "seeds-x.svg").unlink()
    for name in ("seeds-gone.svg", "seeds-of-love.svg"):
        (out / "figures" / name).write_text("old")
    (out / "leaderboard.md").write_text("![Old. It is.](figures/seeds-gone.svg)\n")
    before = contents(out)
    found = stale(made, out)
    assert found.missing == ("figures/seeds-x.svg",)
    assert found.different == ("leaderboard.md",)
    assert found.superfluous == ("figures/seeds-gone.svg",)
    assert contents(out) == before


@pytest.mark.parametrize("data", [b"AAAA", b"A", b""])
def test_a_page_whose_data_were_spoiled_is_stale(tmp_path: Path, written: dict[str, bytes], data: bytes) -> None:
    made, out = Store(tmp_path / "s"), tmp_path / "out"
    element = b'<script type="text/plain" id="data">%s</script>'
    written["index.html"] = element % base64.b64encode(zlib.compress(b"{}", 9))
    render(made, out)
    (out / "index.html").write_bytes(element % base64.b64encode(zlib.compress(b"{}", 0)))
    assert not stale(made, out)
    (out / "index.html").write_bytes(element % data)
    assert stale(made, out).different == ("index.html",)


@pytest.mark.exhaustive
def test_another_run_makes_a_report_stale(tmp_path: Path, record: Any, rendered: Path) -> None:
    more = store(tmp_path / "s", [*few(record), record(9, 0.9)])
    assert {"index.html", "leaderboard.csv"} <= set(stale(more, rendered).different)


def test_embedded_data_have_a_section_of_their_own_that_says_so(rendered: Path) -> None:
    text = (rendered / "leaderboard.md").read_text()
    embedded, real = text.index("## embedded data"), text.index("## real data")
    assert embedded < text.index("**Embedded data**") < real
    assert "fgm" not in text[embedded:real]


def test_the_csv_holds_every_cell_with_all_columns(rendered: Path, record: Any) -> None:
    table = pd.read_csv(rendered / "leaderboard.csv")
    assert len(table) == 5
    assert table["attempted"].sum() == len(few(record))
    assert {"mad", "p_failure", "p_spread_holm", "mad_ratio", "cost_ratio"} <= set(table.columns)


@pytest.fixture
def undrawn(monkeypatch: Any) -> None:
    """Figures are planned and described, and not drawn."""
    monkeypatch.setattr(module, "svg", lambda figure: "<svg>")


@pytest.mark.usefixtures("undrawn")
def test_names_are_text_everywhere(tmp_path: Path, record: Any) -> None:
    runs = [
        record(i, 0.8 + i / 100, t, task=k) for i in range(2) for t in ("adamw", FORMULA) for k in (MARKUP, FORMULA)
    ]
    paths = render(store(tmp_path / "s", runs), tmp_path / "out")
    text = (tmp_path / "out" / "leaderboard.md").read_text()
    assert "<script>" not in text
    assert r"a\|b&lt;script&gt;\$x\$" in text
    tables = [block for block in text.split("\n\n") if block.startswith("| ")]
    assert len(tables) == 8, tables
    for block in tables:
        assert len({line.replace("\\|", "").count("|") for line in block.splitlines()}) == 1
    table = pd.read_csv(io.BytesIO((tmp_path / "out" / "leaderboard.csv").read_bytes()), dtype=str)
    cells = table.to_numpy().ravel().tolist()
    assert not any(str(cell).startswith(("=", "@")) for cell in cells)
    assert f"'{FORMULA}" in cells
    page = (tmp_path / "out" / "index.html").read_text()
    assert "b<script>" not in page
    assert FORMULA.replace("'", "&#39;") in page
    assert len({p.name for p in paths}) == len(paths)


@pytest.mark.exhaustive
@pytest.mark.usefixtures("undrawn")
def test_names_that_read_alike_have_figures_of_their_own(tmp_path: Path, record: Any) -> None:
    paths = render(store(tmp_path / "s", [record(0, task=t) for t in ("a b", "a/b", "A-b", "a-b")]), tmp_path / "out")
    assert len({p.name.lower() for p in paths}) == len(paths)
    assert len([p for p in paths if p.name.startswith("seeds-") and p.suffix == ".svg"]) == 4


def earlier(out: Path, leaderboard: str) -> set[str]:
    """A folder with a leaderboard and files of many names; the names."""
    (out / "figures").mkdir(parents=True)
    names = ("mine.png", "seeds-of-love.svg", "seeds-real-old.svg", "seeds-real-old.csv", "cost.svg", "power.png")
    for name in names:
        (out / "figures" / name).write_bytes(b"old")
    (out / "variance.csv").write_bytes(b"old")
    (out / "leaderboard.md").write_text(leaderboard)
    return {"variance.csv", *(f"figures/{name}" for name in names)}


def test_figures_that_the_earlier_leaderboard_shows_go_and_other_files_stay(
    tmp_path: Path, written: dict[str, bytes]
) -> None:
    written |= {"figures/power.svg": b"new", "figures/power.png": b"new"}
    shown = (
        "![Seeds. Dots.](figures/seeds-real-old.svg)",
        "![Of \\](figures/mine.svg) and \\![x\\](figures/seeds-of-love.svg). Dots.](figures/power.svg)",
        "text ![not on a line of its own](figures/seeds-of-love.svg)",
        "![out of the folder](figures/../../../mine.svg)",
    )
    names = earlier(tmp_path / "out", "\n\n".join((*shown, "## Where the variance comes from", "")))
    render(Store(tmp_path / "s"), tmp_path / "out")
    gone = {"figures/seeds-real-old.svg", "figures/seeds-real-old.csv", "variance.csv"}
    assert set(contents(tmp_path / "out")) == set(written) | names - gone
    assert contents(tmp_path / "out")["figures/power.png"] == b"new"


def test_without_an_earlier_report_nothing_is_removed(tmp_path: Path, written: dict[str, bytes]) -> None:
    names = earlier(tmp_path / "out", "my own notes on variance\n")
    render(Store(tmp_path / "s"), tmp_path / "out")
    assert names <= set(contents(tmp_path / "out"))


class Panic(BaseException):
    """What a panic of the renderer looks like: no `Exception`."""


def test_a_figure_that_cannot_be_drawn_is_named_and_the_rest_is_written(
    tmp_path: Path, record: Any, monkeypatch: Any
) -> None:
    def fail(figure: Figure) -> str:
        if "embedded" in figure.name:
            raise Panic("no \x07 such\nglyph")
        return "<svg>"

    monkeypatch.setattr(module, "svg", fail)
    made = store(tmp_path / "s", [record(0), record(0, source="embedded"), record(1, source="embedded")])
    told = "seeds-embedded-minilm-desk-sst2: Panic: no such glyph"
    with pytest.raises(BenchError, match="whole but for the figure cost-embedded.*\n.*" + told):
        render(made, tmp_path / "out")
    names = set(contents(tmp_path / "out"))
    assert {"index.html", "leaderboard.md", "figures/seeds-real-minilm-desk-sst2.svg"} <= names
    assert not [name for name in names if "embedded" in name]
    for name in ("index.html", "leaderboard.md"):
        text = (tmp_path / "out" / name).read_text()
        assert told in text.replace("\\", "")
        assert "figures/seeds-embedded" not in text
    monkeypatch.setattr(module, "build_report", lambda *_: module.Report({}, (told,)))
    with pytest.raises(BenchError, match="no report can be held against.*" + told):
        stale(made, tmp_path / "out")


def test_an_interrupt_is_no_failure_of_a_figure(tmp_path: Path, record: Any, monkeypatch: Any) -> None:
    def interrupt(figure: Figure) -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "svg", interrupt)
    with pytest.raises(KeyboardInterrupt):
        render(store(tmp_path / "s", [record(0)]), tmp_path / "out")


@pytest.mark.parametrize("status", ["diverged", "unsupported", "oom"])
def test_a_store_of_nothing_but_failures_is_rendered(tmp_path: Path, record: Any, status: str) -> None:
    runs = [record(i, None, status=status, reason="that is why") for i in range(2)]
    render(store(tmp_path / "s", runs), tmp_path / "out")
    text = (tmp_path / "out" / "leaderboard.md").read_text()
    assert f"| adamw | 0-1 | {status} | that is why |" in text
    assert not re.search(r"\bnan\b", text)


def text_of(made: Store) -> str:
    """The leaderboard of a store as Markdown, without figures."""
    return leaderboard(summarise(made), [])


def test_without_the_default_baseline_the_report_says_so(tmp_path: Path, record: Any) -> None:
    text = text_of(store(tmp_path / "s", [record(i, 0.8, "fgm") for i in range(2)]))
    assert "**No run of the baseline adamw is stored: nothing is compared.**" in text
    assert not re.search(r"\bnan\b", text)


def test_a_baseline_asked_for_that_is_not_there_is_refused(tmp_path: Path, record: Any) -> None:
    with pytest.raises(UnknownName, match="did you mean 'fgm'"):
        render(store(tmp_path / "s", [record(0), record(0, technique="fgm")]), tmp_path / "out", "fgn")
    assert not (tmp_path / "out").exists()


def test_several_machines_are_said(tmp_path: Path, record: Any) -> None:
    runs = [dataclasses.replace(record(i), provenance={"cpu": f"model {i}"}) for i in range(2)]
    assert "several machines" in text_of(store(tmp_path / "s", runs))


def test_several_versions_are_named_as_text(tmp_path: Path, record: Any) -> None:
    runs = [dataclasses.replace(record(i), provenance={"<b>|torch": f"{i}"}) for i in range(2)]
    assert "several versions of &lt;b&gt;\\|torch: scores" in text_of(store(tmp_path / "s", runs))


def test_variants_have_rows_and_an_explanation(tmp_path: Path, record: Any) -> None:
    text = text_of(store(tmp_path / "s", [record(i, rate=rate) for i in range(2) for rate in (2e-5, 3e-5)]))
    assert "profile.learning_rate = 3e-05" in text
    assert text.count("baseline, 2 seeds") == 2


def test_damaged_files_are_named(tmp_path: Path, record: Any) -> None:
    made = store(tmp_path / "s", [record(0), record(1)])
    made.path("runs", record(1)).write_bytes(b"not parquet")
    for _ in range(2):
        text = text_of(made)
        assert f"{record(1).run_id}.parquet.**" in text
        assert text.startswith("# Leaderboard\n\n1 runs: 1 converged.")


def test_an_empty_store_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"no runs in .*nothing: fill it with `stabbench run --store .*nothing`"):
        render(Store(tmp_path / "nothing"), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, written: dict[str, bytes]) -> None:
    (tmp_path / "file").write_text("in the way")
    for out in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(BenchError, match="the report cannot be written to"):
            render(Store(tmp_path / "s"), out)
    assert (tmp_path / "file").read_text() == "in the way"


def test_a_write_that_fails_leaves_the_old_file_and_no_rest(
    tmp_path: Path, written: dict[str, bytes], monkeypatch: Any
) -> None:
    render(Store(tmp_path / "s"), tmp_path / "out")
    before = contents(tmp_path / "out")
    written |= dict.fromkeys(before, b"new")

    def refuse(path: Path, target: Path) -> Path:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(BenchError, match="No space left"):
        render(Store(tmp_path / "s"), tmp_path / "out")
    assert contents(tmp_path / "out") == before


def test_the_report_imports_no_torch() -> None:
    code = "import sys, bench_lib.report.render; print({'torch', 'transformers', 'datasets'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_drawings_in_pixels_of_an_earlier_version_go(tmp_path: Path, written: dict[str, bytes]) -> None:
    render(Store(tmp_path / "s"), tmp_path / "out")
    (tmp_path / "out/figures/seeds-x.png").write_bytes(b"old")
    assert stale(Store(tmp_path / "s"), tmp_path / "out").superfluous == ("figures/seeds-x.png",)
    render(Store(tmp_path / "s"), tmp_path / "out")
    assert not (tmp_path / "out/figures/seeds-x.png").exists()
