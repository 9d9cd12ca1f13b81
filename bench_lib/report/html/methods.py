"""Method notes: meanings of the columns, rules of the verdicts, and provenance of the runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report import columns
from bench_lib.report import formatting as md
from bench_lib.report.analysis import calibration, provenance
from bench_lib.report.analysis.optional_sections import optional_sections
from bench_lib.report.analysis.results import Summary
from bench_lib.report.analysis.table_sections import TableSection
from bench_lib.report.analysis.tuning_tables import tables
from bench_lib.report.cells import CELL_ID, GROUP, key_parts
from bench_lib.report.glossary import EMBEDDED, LEAST, USE, VARIANCE
from bench_lib.stats.design import LEAST_FOR_EQUIVALENCE, Margins

READING = """Scores are in percent points of the task's metric. The unit of replication is the seed. Cells with at least
{few} converged runs, or with a verdict that failures decided, come first, by failure rate, then by MAD; the order is
not a claim, the verdicts are. All columns, with those that have no room here, are in the CSV file beside this page."""

VERDICT = """Two techniques are **equivalent** where the MAD ratio is within {inverse:g} and {ratio:g}, P(higher score)
within {low:g} and {high:g}, and the failure rates within {points:g} points of each other, each with its uncertainty;
nothing is called so on fewer than {least} seeds. What no test settles is **undecided** (underpowered in the CSV file),
which is no sign of equality."""

SHOWN = 3
"""Maximum number of failure reasons shown per cell."""


@dataclass(frozen=True)
class Table:
    """A text table: caption, column headings and rows, each with its first cell as heading."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def verdict_text() -> str:
    """The criterion of equivalence, with the margins of `stats.design`."""
    margins = Margins()
    return VERDICT.format(
        least=LEAST_FOR_EQUIVALENCE,
        ratio=margins.ratio,
        inverse=round(1 / margins.ratio, 2),
        low=round(1 - margins.superiority, 2),
        high=margins.superiority,
        points=100 * margins.failures,
    )


def paragraphs(summary: Summary) -> list[str]:
    """The notes before the tables."""
    notes = [READING.format(few=LEAST), verdict_text(), USE]
    if (summary.cells["data"] == "embedded").any():
        notes.append(EMBEDDED)
    return notes if summary.variance_components.empty else [*notes, VARIANCE]


def meanings() -> Table:
    """Meanings of the columns of the page and of the files beside it."""
    title = "What the numbers mean, here and in the files beside this page"
    return Table(title, ("column", "meaning"), columns.glossary())


def calibration_table() -> Table:
    """Power and false alarms of the comparison, by scenario and ratio of spreads."""
    rows = [calibration.shown(row) for row in calibration.measured().rows]
    return Table("Measured false alarms and power", calibration.HEAD, rows)


def tuning_tables(summary: Summary) -> list[Table]:
    """Default and tuned arms, and the searches, for each task with trials."""
    return [Table(one.title, one.head, one.rows) for one in tables(summary)]


def optional(summary: Summary) -> list[tuple[TableSection, list[Table]]]:
    """The sections that only some stores have, with their tables."""
    found = optional_sections(summary)
    return [(section, [Table(t.title, t.head, t.rows) for t in section.tables]) for section in found]


def provenance_tables(runs: pd.DataFrame) -> list[Table]:
    """Provenance of the runs, and fingerprints of data and models."""
    prints = provenance.fingerprints(runs)
    return [
        Table("Machines and versions", ("key", "value"), list(provenance.provenance(runs).items())),
        Table("Data and models by value", list(prints), prints.to_numpy().tolist()),
    ]


def failures(runs: pd.DataFrame) -> list[Table]:
    """Runs that failed, were lost or declined, by cell and status, in one table each for real and embedded data."""
    rest = runs[runs["status"] != str(Status.CONVERGED)]
    return [_failures(str(data), own) for data, own in rest.groupby(rest["data"].astype(str), sort=True)]


def _failures(data: str, rest: pd.DataFrame) -> Table:
    rows = []
    for key, own in rest.groupby([*CELL_ID, "status"], sort=True, observed=True):
        named = dict(zip((*CELL_ID, "status"), key_parts(key), strict=True))
        names = [named[name] for name in ("label", "task", *GROUP, "status")]
        reasons = own["reason"].astype(str).value_counts()
        shown = "; ".join(md.shorten(reason) for reason in list(reasons.index[:SHOWN]) if reason)
        more = f"; {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        rows.append([*names, md.seeds(own["seed"].tolist()), shown + more])
    head = ("technique", "task", *GROUP, "status", "seeds", "reasons")
    return Table(f"Runs on {data} data that failed, were lost or declined", head, rows)


def seeds_note(cells: pd.DataFrame) -> str:
    """The number of cells with too few seeds; empty if none."""
    tried = cells[cells["attempted"] > cells["unsupported"]]
    short = int((tried["converged"] < LEAST).sum())
    which = f"{short:,} of {len(tried):,} cells"
    return f"{which} have fewer than {LEAST} converged runs and are not ranked." if short else ""
