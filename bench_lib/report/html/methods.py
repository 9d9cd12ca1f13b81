"""The method notes: what each number means, how the verdicts come about, and where the runs come from."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from bench_lib.core.record import Status
from bench_lib.report import formatting as md
from bench_lib.report.analysis.calibration import COMMAND, HEAD, TEXT, measured
from bench_lib.report.analysis.cells import GROUP, KEY, texts
from bench_lib.report.analysis.names import fingerprint
from bench_lib.report.analysis.provenance import MACHINE
from bench_lib.report.analysis.results import Findings
from bench_lib.report.glossary import COLUMNS, EMBEDDED, LEAST, USE, VARIANCE
from bench_lib.stats.calibration import Calibration
from bench_lib.stats.design import LEAST_FOR_EQUIVALENCE, Margins

READING = """Scores are in percent points of the task's metric. The unit of replication is the seed. Cells with at least
{few} converged runs, or with a verdict that failures decided, come first, by failure rate, then by MAD; the order is
not a claim, the verdicts are. All columns, with those that have no room here, are in the CSV file beside this page."""

VERDICT = """Two techniques are **equivalent** where the MAD ratio is within {inverse:g} and {ratio:g}, P(higher score)
within {low:g} and {high:g}, and the failure rates within {points:g} points of each other, each with its uncertainty;
nothing is called so on fewer than {least} seeds. What no test settles is **undecided** (underpowered in the CSV file),
which is no sign of equality."""

SHOWN = 3
"""Reasons that are named for the failures of a cell, and values for a key of the provenance."""


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


def paragraphs(findings: Findings) -> list[str]:
    """The notes before the tables."""
    notes = [READING.format(few=LEAST), verdict_text(), USE]
    if (findings.cells["data"] == "embedded").any():
        notes.append(EMBEDDED)
    return notes if findings.sources.empty else [*notes, VARIANCE]


def columns() -> Table:
    """What the columns of the tables mean."""
    return Table(
        "What the numbers mean, here and in the files beside this page", ("column", "meaning"), list(COLUMNS.items())
    )


def calibration_text() -> str:
    """What was measured of the comparison's own errors."""
    known = measured()
    return TEXT.format(
        command=COMMAND,
        repetitions=known.rows[0].repetitions,
        seeds=known.design["looks"][-1],
        alpha=known.design["alpha"],
    )


def calibration() -> Table:
    """What the comparison finds and what it claims wrongly, by scenario and ratio of spreads."""
    return Table("Measured false alarms and power", HEAD, [_measured(row) for row in measured().rows])


def _measured(row: Calibration) -> list[str]:
    claims = f"{md.percent(row.claims)} {md.interval(row.low, row.high)}"
    found = md.DASH if row.ratio == 1 else md.percent(row.found, 1)
    named = [row.scenario, str(row.tasks), md.number(row.ratio, 1), claims]
    return [*named, found, md.percent(row.equivalent, 1), md.number(row.seeds, 1)]


def origin(runs: pd.DataFrame) -> Table:
    """What the records say of where and with what they were made, each key with its values and how many runs each."""
    counts = runs["provenance"].astype(str).value_counts()
    maps = [(json.loads(str(text)), int(number)) for text, number in counts.items()]
    keys = sorted({key for known, _ in maps for key in known})
    return Table("Machines and versions", ("key", "value"), [(key, _values(key, maps)) for key in keys])


def machines(runs: pd.DataFrame) -> int:
    """How many machines, as far as the records tell them apart."""
    maps = [json.loads(text) for text in runs["provenance"].astype(str).unique()]
    return len({tuple(known.get(key, "") for key in MACHINE) for known in maps})


def _values(key: str, maps: Sequence[tuple[dict[str, Any], int]]) -> str:
    counts: dict[str, int] = {}
    for known, number in maps:
        value = str(known.get(key, "not recorded"))
        counts[value] = counts.get(value, 0) + number
    if len(counts) == 1:
        return next(iter(counts))
    if len(counts) > SHOWN:
        return f"{min(counts)} … {max(counts)} ({len(counts)} different values)"
    most_first = sorted(counts.items(), key=lambda entry: (-entry[1], entry[0]))
    return ", ".join(f"{value} ({number} runs)" for value, number in most_first)


def fingerprints(runs: pd.DataFrame) -> Table:
    """What the tasks' data and the models were."""
    firsts = runs[["task", "data_source", "model", "spec"]].astype(str).drop_duplicates()
    rows = set()
    for task, source, model, text in firsts.itertuples(index=False):
        spec = json.loads(text)
        rows.add((task, source, fingerprint(spec.get("data")), model, fingerprint(spec.get("model"))))
    head = ("task", "data from", "data fingerprint", "model", "model fingerprint")
    return Table("Data and models by value", head, sorted(rows))


def failures(runs: pd.DataFrame) -> list[Table]:
    """Every run that failed, was lost or declined, by cell and status: real and embedded data have a table each."""
    rest = runs[runs["status"] != str(Status.CONVERGED)]
    return [_failures(str(data), own) for data, own in rest.groupby(rest["data"].astype(str), sort=True)]


def _failures(data: str, rest: pd.DataFrame) -> Table:
    rows = []
    for key, own in rest.groupby([*KEY, "status"], sort=True, observed=True):
        named = dict(zip((*KEY, "status"), texts(key), strict=True))
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
