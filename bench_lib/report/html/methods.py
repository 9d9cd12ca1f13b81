"""The method notes: what each number means, how the verdicts come about, and where the runs come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report import columns
from bench_lib.report import formatting as md
from bench_lib.report.analysis import calibration, provenance
from bench_lib.report.analysis.results import Summary
from bench_lib.report.cells import CELL_ID, GROUP, key_parts
from bench_lib.report.glossary import EMBEDDED, LEAST, OVER_TASKS, USE, VARIANCE
from bench_lib.stats.design import LEAST_FOR_EQUIVALENCE, Margins

READING = """Scores are in percent points of the task's metric. The unit of replication is the seed. Cells with at least
{few} converged runs, or with a verdict that failures decided, come first, by failure rate, then by MAD; the order is
not a claim, the verdicts are. All columns, with those that have no room here, are in the CSV file beside this page."""

VERDICT = """Two techniques are **equivalent** where the MAD ratio is within {inverse:g} and {ratio:g}, P(higher score)
within {low:g} and {high:g}, and the failure rates within {points:g} points of each other, each with its uncertainty;
nothing is called so on fewer than {least} seeds. What no test settles is **undecided** (underpowered in the CSV file),
which is no sign of equality."""

SHOWN = 3
"""Reasons that are named for the failures of a cell."""


@dataclass(frozen=True)
class Table:
    """A table of text: its caption, its head, and its rows, of which the first column heads the row."""

    caption: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def verdict_text() -> str:
    """When two techniques are called equivalent, as declared in `stats.design`."""
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
    return notes if summary.sources.empty else [*notes, VARIANCE]


def meanings() -> Table:
    """What the columns mean, of the tables here and of the files beside the page."""
    entries = [*columns.glossary(), *OVER_TASKS.items()]
    return Table("What the numbers mean, here and in the files beside this page", ("column", "meaning"), entries)


def calibration_table() -> Table:
    """What the comparison finds and what it claims wrongly, by scenario and ratio of spreads."""
    rows = [calibration.shown(row) for row in calibration.measured().rows]
    return Table("Measured false alarms and power", calibration.HEAD, rows)


def origins(runs: pd.DataFrame) -> list[Table]:
    """What the records say of where and with what they were made, and what the data and models were."""
    prints = provenance.fingerprints(runs)
    return [
        Table("Machines and versions", ("key", "value"), list(provenance.provenance(runs).items())),
        Table("Data and models by value", list(prints), prints.to_numpy().tolist()),
    ]


def failures(runs: pd.DataFrame) -> list[Table]:
    """Every run that failed, was lost or declined, by cell and status: real and embedded data have a table each."""
    rest = runs[runs["status"] != str(Status.CONVERGED)]
    return [_failures(str(data), own) for data, own in rest.groupby(rest["data"].astype(str), sort=True)]


def _failures(data: str, rest: pd.DataFrame) -> Table:
    rows = []
    for key, own in rest.groupby([*CELL_ID, "status"], sort=True, observed=True):
        named = dict(zip((*CELL_ID, "status"), key_parts(key), strict=True))
        names = [named[name] for name in ("label", "task", *GROUP, "status")]
        reasons = own["reason"].astype(str).value_counts()
        told = "; ".join(md.shorten(reason) for reason in list(reasons.index[:SHOWN]) if reason)
        more = f"; {len(reasons) - SHOWN} more" if len(reasons) > SHOWN else ""
        rows.append([*names, md.seeds(own["seed"].tolist()), told + more])
    head = ("technique", "task", *GROUP, "status", "seeds", "reasons")
    return Table(f"Runs on {data} data that failed, were lost or declined", head, rows)


def seeds_note(cells: pd.DataFrame) -> str:
    """How many cells have too few seeds."""
    tried = cells[cells["attempted"] > cells["unsupported"]]
    short = int((tried["converged"] < LEAST).sum())
    which = f"{short:,} of {len(tried):,} cells"
    return f"{which} have fewer than {LEAST} converged runs and are not ranked." if short else ""
