"""The only writer into `reports/`: the leaderboard as a page, as Markdown and as tables, and its figures."""

from __future__ import annotations

import io
import os
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.errors import BenchError
from bench_lib.executors.base import Executor, results
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report.charts.draw import png, svg
from bench_lib.report.findings import find
from bench_lib.report.illustrate import FIGURES, KINDS, Draft, Picture, drafts
from bench_lib.report.leaderboard import leaderboard
from bench_lib.report.markdown import csv_text
from bench_lib.report.page.build import build
from bench_lib.report.page.catalogue import registered
from bench_lib.report.tables import BASELINE
from bench_lib.store import Store

PAGE, LEADERBOARD, VARIANCE = "index.html", "leaderboard.md", "variance.csv"
DIGITS = ".10g"
FORMATS = (".svg", ".png", ".csv")

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


def rendered(store: Store, baseline: str = BASELINE, executor: Executor | None = None) -> Files:
    """All files of the report of a store, from the store and the registries alone; the same runs give the same bytes.

    The executor works out the tables and draws the figures. Without a run of the default baseline nothing is compared.
    Raises `BenchError` for an empty store, `UnknownName` for another baseline that no run has.
    """
    executor = executor or InlineExecutor()
    findings = find(store, baseline, executor)
    drawings = results(executor, _drawing, drafts(findings))
    pictures = [drawing.picture for drawing in drawings if drawing.picture]
    figures = [picture.figure for picture in pictures]
    files = {name: content for drawing in drawings for name, content in drawing.files.items()}
    files["leaderboard.csv"] = _csv(findings.cells)
    files["leaderboard.parquet"] = _parquet(findings.cells)
    if not findings.sources.empty:
        files[VARIANCE] = _csv(findings.sources)
    files[LEADERBOARD] = leaderboard(findings, pictures).encode()
    files[PAGE] = build(findings, figures, registered()).encode()
    return files


def render(store: Store, out: Path, baseline: str = BASELINE, executor: Executor | None = None) -> list[Path]:
    """Write what `rendered` gives into a folder, and answer with the paths, the page first.

    Each file is replaced whole; figures of what is no longer there are removed. Raises what `rendered` does, and
    `BenchError` for a folder that cannot be written.
    """
    files = rendered(store, baseline, executor)
    try:
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            _write(out / name, content)
        for name in _superfluous(out, files):
            (out / name).unlink()
    except OSError as error:
        raise BenchError(f"the report cannot be written to {out}: {error}; name another folder") from error
    return [out / name for name in reversed(list(files))]


def stale(store: Store, out: Path, baseline: str = BASELINE, executor: Executor | None = None) -> Stale:
    """How a folder differs from the report that would be rendered into it now; nothing is written."""
    files = rendered(store, baseline, executor)
    missing = [name for name in files if not (out / name).is_file()]
    different = [name for name in files if name not in missing and (out / name).read_bytes() != files[name]]
    return Stale(tuple(sorted(missing)), tuple(sorted(different)), tuple(_superfluous(out, files)))


@dataclass(frozen=True, eq=False)
class _Drawing:
    """A picture and its files; neither where there is nothing to draw."""

    picture: Picture | None
    files: Files


def _drawing(draft: Draft) -> _Drawing:
    """A figure as SVG and PNG, and its data as CSV."""
    picture = draft.picture()
    if picture is None:
        return _Drawing(None, {})
    drawing = svg(picture.figure)
    contents = (drawing.encode(), png(drawing), _csv(picture.figure.data))
    named = f"{FIGURES}/{picture.figure.name}"
    return _Drawing(picture, {f"{named}{suffix}": content for suffix, content in zip(FORMATS, contents, strict=True)})


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
    """Files of an earlier report that are no part of this one; what else lies in the folder is its owner's."""
    figures = [path for path in sorted((out / FIGURES).glob("*")) if path.suffix in FORMATS]
    ours = [path for path in figures if path.stem.split("-")[0] in KINDS]
    names = [f"{FIGURES}/{path.name}" for path in ours] + [VARIANCE] * (out / VARIANCE).is_file()
    return [name for name in names if name not in files]


def _write(path: Path, content: bytes) -> None:
    """Replace a file whole: a reader sees the old bytes or the new ones."""
    staged = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        staged.write_bytes(content)
        staged.replace(path)
    finally:
        staged.unlink(missing_ok=True)
