"""Renders the report, and is the only module that writes it: page, Markdown, tables and figures."""

from __future__ import annotations

import io
import re
import zlib
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from bench_lib.core.atomic import replace_file
from bench_lib.core.errors import BenchError
from bench_lib.executors.base import Executor, results
from bench_lib.executors.inline import InlineExecutor
from bench_lib.report.analysis.across_models import TITLE as MODELS_TITLE
from bench_lib.report.analysis.across_models import across_models
from bench_lib.report.analysis.claim_outcomes import findings
from bench_lib.report.analysis.contrasts import contrasts
from bench_lib.report.analysis.declared import DeclaredPlan
from bench_lib.report.analysis.further_tables import FORGETTING_TITLE, FURTHER_TITLE
from bench_lib.report.analysis.opening import FILE as CONTRASTS
from bench_lib.report.analysis.opening import TITLE, in_order
from bench_lib.report.analysis.other_metric_tables import TITLE as OTHERS_TITLE
from bench_lib.report.analysis.published_claims import shipped
from bench_lib.report.analysis.results import Summary, summarise
from bench_lib.report.analysis.summary import BASELINE
from bench_lib.report.figures.draw import svg
from bench_lib.report.figures.figure import Figure
from bench_lib.report.figures.plan import FIGURES, FigurePlan, planned
from bench_lib.report.formatting import csv_text, shorten
from bench_lib.report.html.build import build
from bench_lib.report.html.payload import inflated
from bench_lib.report.html.registry_entries import registered
from bench_lib.report.markdown.claims import claims_page
from bench_lib.report.markdown.leaderboard import leaderboard
from bench_lib.report.markdown.optional import heading
from bench_lib.report.markdown.sections import VARIANCE_TITLE
from bench_lib.store import Store

PAGE, LEADERBOARD, CLAIMS, VARIANCE = "index.html", "leaderboard.md", "claims.md", "variance.csv"
MODELS, OTHERS, FURTHER, FORGETTING = "across_models.csv", "other_metrics.csv", "further.csv", "forgetting.csv"
DIGITS = ".10g"
SUFFIXES = (".svg", ".csv")
"""Suffixes of the files of a figure."""

EARLIER = (*SUFFIXES, ".png")
"""Suffixes of figure files, including those of an earlier version."""

LISTED = {
    VARIANCE_TITLE: VARIANCE,
    heading(TITLE): CONTRASTS,
    heading(MODELS_TITLE): MODELS,
    heading(OTHERS_TITLE): OTHERS,
    heading(FURTHER_TITLE): FURTHER,
    heading(FORGETTING_TITLE): FORGETTING,
}
"""Files of optional sections, by the lines of a leaderboard that begin them."""

SHOWN = re.compile(rf"^!\[.*\]\({FIGURES}/([a-z0-9._-]+)\.svg\)$", re.MULTILINE)
"""The line of a figure in a leaderboard."""

Files = dict[str, bytes]
"""The files of a report: contents by file name relative to its folder."""


@dataclass(frozen=True)
class Stale:
    """Differences of a folder from its current report: sorted file names."""

    missing: tuple[str, ...]
    different: tuple[str, ...]
    superfluous: tuple[str, ...]

    def __bool__(self) -> bool:
        return bool(self.missing or self.different or self.superfluous)


@dataclass(frozen=True)
class Report:
    """The files of a report, and the figures that could not be drawn, with the reasons."""

    files: Files
    undrawn: tuple[str, ...] = ()


def build_report(
    store: Store, baseline: str = BASELINE, executor: Executor | None = None, plan: DeclaredPlan | None = None
) -> Report:
    """Build all files of the report of a store, from the store and the registries; the same runs give the same bytes.

    With a plan it says how far the plan is, and decides the plan's contrasts from the stored runs.
    The executor computes the tables and draws the figures. Without the default baseline there are no comparisons.
    Raises `BenchError` for an empty store, `UnknownName` for another baseline that no run has.
    """
    executor = executor or InlineExecutor()
    summary = summarise(store, baseline, executor, plan)
    drawings = results(executor, _draw, planned(summary))
    figures = [drawing.figure for drawing in drawings if drawing.figure]
    undrawn = tuple(drawing.failed for drawing in drawings if drawing.failed)
    files = {name: content for drawing in drawings for name, content in drawing.files.items()}
    files["leaderboard.csv"] = _csv(summary.cells)
    files["leaderboard.parquet"] = _parquet(summary.cells)
    for name, table in _optional_tables(summary).items():
        if not table.empty:
            files[name] = _csv(table)
    found = findings(shipped(), summary.cells, summary.runs, summary.baseline)
    files[CLAIMS] = claims_page(found, summary.baseline).encode()
    files[LEADERBOARD] = leaderboard(summary, figures, undrawn).encode()
    files[PAGE] = build(summary, figures, registered(), undrawn).encode()
    return Report(files, undrawn)


def _optional_tables(summary: Summary) -> dict[str, pd.DataFrame]:
    """The tables that are files only where they have rows."""
    return {
        CONTRASTS: in_order(contrasts(summary.cells)),
        VARIANCE: summary.variance_components,
        MODELS: across_models(summary.cells),
        OTHERS: summary.other_metrics,
        FURTHER: summary.further,
        FORGETTING: summary.forgetting,
    }


def render(
    store: Store,
    out: Path,
    baseline: str = BASELINE,
    executor: Executor | None = None,
    plan: DeclaredPlan | None = None,
) -> list[Path]:
    """Write the report of a store into a folder; returns the paths, the page first.

    Files are replaced atomically; obsolete figures are removed. Raises as `build_report` does, and `BenchError` for a
    folder that cannot be written, and for figures that cannot be drawn, after writing all other files.
    """
    report = build_report(store, baseline, executor, plan)
    try:
        (out / FIGURES).mkdir(parents=True, exist_ok=True)
        # Before the leaderboard, which lists the figures of the earlier report, is replaced.
        for name in _superfluous(out, report.files):
            (out / name).unlink()
        for name, content in report.files.items():
            replace_file(out / name, content)
    except OSError as error:
        raise BenchError(f"the report cannot be written to {out}: {error}; name another folder") from error
    _demand_all(report, f"the report in {out} is whole but for")
    return [out / name for name in reversed(list(report.files))]


def stale(
    store: Store,
    out: Path,
    baseline: str = BASELINE,
    executor: Executor | None = None,
    plan: DeclaredPlan | None = None,
) -> Stale:
    """Compare a folder with its current report, without writing."""
    report = build_report(store, baseline, executor, plan)
    _demand_all(report, "no report can be held against one without")
    files = report.files
    missing = [name for name in files if not (out / name).is_file()]
    different = [n for n in files if n not in missing and not _equal(files[n], (out / n).read_bytes())]
    return Stale(tuple(sorted(missing)), tuple(sorted(different)), tuple(_superfluous(out, files)))


def _equal(new: bytes, old: bytes) -> bool:
    """Whether two files are equal, pages by their data before compression."""
    if new == old:
        return True
    with suppress(ValueError, zlib.error):  # no data that a page of ours has
        return inflated(new) == inflated(old)
    return False


def _demand_all(report: Report, lead: str) -> None:
    if report.undrawn:
        raise BenchError("\n".join(f"{lead} the figure {failure}" for failure in report.undrawn))


@dataclass(frozen=True, eq=False)
class _Drawing:
    """A figure and its files, both empty if there is nothing to draw, or if it failed for a reason."""

    figure: Figure | None = None
    files: Files = field(default_factory=dict)
    failed: str = ""


def _draw(plan: FigurePlan) -> _Drawing:
    """Draw a figure as SVG, with its data as CSV; an error is returned, so that other figures are drawn."""
    try:
        figure = plan.figure()
        if figure is None:
            return _Drawing()
        contents = (svg(figure).encode(), _csv(figure.data))
    except (KeyboardInterrupt, SystemExit, MemoryError):
        raise
    except BaseException as error:  # A panic of the renderer is no `Exception`.
        return _Drawing(failed=f"{plan.name}: {type(error).__name__}: {shorten(error)}")
    named = f"{FIGURES}/{plan.name}"
    return _Drawing(figure, {f"{named}{suffix}": content for suffix, content in zip(SUFFIXES, contents, strict=True)})


def _csv(table: pd.DataFrame) -> bytes:
    texts = table.select_dtypes(exclude="number").map(csv_text)
    text: str = table.assign(**texts).to_csv(index=False, float_format=f"%{DIGITS}", lineterminator="\n")
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
    """Files of an earlier report that are not part of this one; other files in the folder are not touched.

    The earlier report's leaderboard lists its files.
    """
    path = out / LEADERBOARD
    earlier = path.read_text(errors="replace") if path.is_file() else ""
    names = [f"{FIGURES}/{name}{suffix}" for name in sorted(set(SHOWN.findall(earlier))) for suffix in EARLIER]
    lines = set(earlier.splitlines())
    names += [name for title, name in LISTED.items() if title in lines]
    return [name for name in names if name not in files and (out / name).is_file()]
