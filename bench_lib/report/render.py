"""The only writer into `reports/`: the leaderboard as a page, as Markdown and as tables, and its figures."""

from __future__ import annotations

import io
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.core.errors import BenchError
from bench_lib.executors.base import Executor, results
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report.analysis.results import summarise
from bench_lib.report.analysis.summary import BASELINE
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.plan import FIGURES, FigurePlan, planned
from bench_lib.report.formatting import csv_text, shorten
from bench_lib.report.html.build import build
from bench_lib.report.html.registry_entries import registered
from bench_lib.report.markdown.leaderboard import leaderboard
from bench_lib.report.markdown.sections import VARIANCE_TITLE
from bench_lib.store import Store

PAGE, LEADERBOARD, VARIANCE = "index.html", "leaderboard.md", "variance.csv"
DIGITS = ".10g"
SUFFIXES = (".svg", ".csv")
"""Of the files of a figure."""

EARLIER = (*SUFFIXES, ".png")
"""Those that an earlier version wrote as well."""

SHOWN = re.compile(rf"^!\[.*\]\({FIGURES}/([a-z0-9._-]+)\.svg\)$", re.MULTILINE)
"""A figure in a leaderboard, which has it on a line of its own."""

Files = dict[str, bytes]
"""What a report consists of: contents by their names relative to its folder."""


@dataclass(frozen=True)
class Stale:
    """How a folder differs from what would be rendered into it: names of files, sorted."""

    missing: tuple[str, ...]
    different: tuple[str, ...]
    superfluous: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.superfluous)


@dataclass(frozen=True)
class Rendered:
    """The files of a report, and the figures that it lacks since they could not be drawn, each with the reason."""

    files: Files
    undrawn: tuple[str, ...] = ()


def rendered(store: Store, baseline: str = BASELINE, executor: Executor | None = None) -> Rendered:
    """All files of the report of a store, from the store and the registries alone; the same runs give the same bytes.

    The executor works out the tables and draws the figures. Without a run of the default baseline nothing is compared.
    Raises `BenchError` for an empty store, `UnknownName` for another baseline that no run has.
    """
    executor = executor or InlineExecutor()
    summary = summarise(store, baseline, executor)
    drawings = results(executor, _drawn, planned(summary))
    figures = [drawing.figure for drawing in drawings if drawing.figure]
    undrawn = tuple(drawing.failed for drawing in drawings if drawing.failed)
    files = {name: content for drawing in drawings for name, content in drawing.files.items()}
    files["leaderboard.csv"] = _csv(summary.cells)
    files["leaderboard.parquet"] = _parquet(summary.cells)
    if not summary.sources.empty:
        files[VARIANCE] = _csv(summary.sources)
    files[LEADERBOARD] = leaderboard(summary, figures, undrawn).encode()
    files[PAGE] = build(summary, figures, registered(), undrawn).encode()
    return Rendered(files, undrawn)


def render(store: Store, out: Path, baseline: str = BASELINE, executor: Executor | None = None) -> list[Path]:
    """Write what `rendered` gives into a folder, and answer with the paths, the page first.

    Each file is replaced whole; figures of what is no longer there are removed. Raises what `rendered` does, and
    `BenchError` for a folder that cannot be written, and for figures that cannot be drawn: the rest is written.
    """
    found = rendered(store, baseline, executor)
    try:
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        # Before the leaderboard, by which an earlier report's figures are known, becomes another.
        for name in _superfluous(out, found.files):
            (out / name).unlink()
        for name, content in found.files.items():
            _write(out / name, content)
    except OSError as error:
        raise BenchError(f"the report cannot be written to {out}: {error}; name another folder") from error
    _demand_all(found, f"the report in {out} is whole but for")
    return [out / name for name in reversed(list(found.files))]


def stale(store: Store, out: Path, baseline: str = BASELINE, executor: Executor | None = None) -> Stale:
    """How a folder differs from the report that would be rendered into it now; nothing is written."""
    found = rendered(store, baseline, executor)
    _demand_all(found, "no report can be held against one without")
    files = found.files
    missing = [name for name in files if not (out / name).is_file()]
    different = [name for name in files if name not in missing and (out / name).read_bytes() != files[name]]
    return Stale(tuple(sorted(missing)), tuple(sorted(different)), tuple(_superfluous(out, files)))


def _demand_all(found: Rendered, lead: str) -> None:
    if found.undrawn:
        raise BenchError("\n".join(f"{lead} the figure {told}" for told in found.undrawn))


@dataclass(frozen=True, eq=False)
class _Drawn:
    """A figure and its files; neither where there is nothing to draw, or where it failed, with the reason."""

    figure: Figure | None = None
    files: Files = field(default_factory=dict)
    failed: str = ""


def _drawn(plan: FigurePlan) -> _Drawn:
    """A figure as SVG, and its data as CSV; one that fails takes no other with it."""
    try:
        figure = plan.figure()
        if figure is None:
            return _Drawn()
        contents = (svg(figure).encode(), _csv(figure.data))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # A panic of the renderer is no `Exception`.
        return _Drawn(failed=f"{plan.name}: {type(error).__name__}: {shorten(error)}")
    named = f"{FIGURES}/{plan.name}"
    return _Drawn(figure, {f"{named}{suffix}": content for suffix, content in zip(SUFFIXES, contents, strict=True)})


def _csv(table: pd.DataFrame) -> bytes:
    text: str = table.map(csv_text).to_csv(index=False, float_format=f"%{DIGITS}", lineterminator="\n")
    return text.encode()


def _parquet(table: pd.DataFrame) -> bytes:
    """The table with its types; without the metadata of pandas, which name its version."""
    sink = io.BytesIO()
    # As many digits as in the CSV: processors may differ in the last bits.
    floats = table.select_dtypes("float")
    rounded = table.assign(**floats.map(lambda value: float(f"{value:{DIGITS}}")))
    columns = pa.Table.from_pandas(rounded, preserve_index=False).replace_schema_metadata(None)
    pq.write_table(columns, sink, compression="zstd")
    return sink.getvalue()


def _superfluous(out: Path, files: Files) -> list[str]:
    """Files of an earlier report that are no part of this one; what else lies in the folder is its owner's.

    The earlier report's leaderboard, if there is one, says which are its own.
    """
    path = out / LEADERBOARD
    earlier = path.read_text(errors="replace") if path.is_file() else ""
    names = [f"{FIGURES}/{name}{suffix}" for name in sorted(set(SHOWN.findall(earlier))) for suffix in EARLIER]
    if VARIANCE_TITLE in earlier.splitlines():
        names.append(VARIANCE)
    return [name for name in names if name not in files and (out / name).is_file()]


def _write(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old bytes or the new ones."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
