"""Provenance of runs: machines, versions, fingerprints, and differing settings of cells of one name."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from bench_lib.core.machine import MACHINE, machine_of
from bench_lib.report.analysis.names import fingerprint
from bench_lib.report.cells import GROUP, Cell
from bench_lib.report.formatting import escape

IMMATERIAL = ("commit", "dirty", "imported_from")
"""Provenance keys that do not affect scores by themselves."""

SHOWN = 3
ABSENT = "not recorded"


def provenance(runs: pd.DataFrame) -> dict[str, str]:
    """Each provenance key with its values and their numbers of runs.

    Of more than `SHOWN` values only the smallest and the largest are shown.
    """
    entries = _entries(runs)
    found = {key: _values(_counted(entries, key)) for key in sorted({key for entry, _ in entries for key in entry})}
    started = Counter(runs["started"].to_numpy().tolist())
    return dict(sorted({**found, "started": _values(started)}.items())) if set(started) - {""} else found


def machines(runs: pd.DataFrame) -> int:
    """The number of different machines in the provenance."""
    return len({machine_of(entry) for entry, _ in _entries(runs)})


def mixed(runs: pd.DataFrame) -> list[str]:
    """Libraries and other keys with several values that may affect scores."""
    entries = _entries(runs)
    keys = sorted({key for entry, _ in entries for key in entry} - {*MACHINE, *IMMATERIAL})
    return [key for key in keys if len(_counted(entries, key)) > 1]


def warnings(runs: pd.DataFrame) -> list[str]:
    """Warnings about runs of several machines or versions, as Markdown sentences."""
    found = []
    if machines(runs) > 1:
        found.append(
            "The runs come from several machines: seconds, tokens/s and memory are not comparable; ratios of times are "
            "of runs on one machine."
        )
    if several := mixed(runs):
        found.append(
            f"The runs were made with several versions of {', '.join(map(escape, several))}: scores may differ by them "
            "alone."
        )
    return found


def fingerprints(runs: pd.DataFrame) -> pd.DataFrame:
    """Fingerprints of data and models, one row per (task, data source, model)."""
    rows = set()
    for task, source, model, text in (
        runs[["task", "data_source", "model", "spec"]].drop_duplicates().astype(str).values
    ):
        spec = json.loads(text)
        rows.add((task, source, fingerprint(spec.get("data")), model, fingerprint(spec.get("model"))))
    return pd.DataFrame(sorted(rows), columns=["task", "data", "data fingerprint", "model", "model fingerprint"])


def variants(known: list[Cell]) -> pd.DataFrame:
    """Cells with the same name and different specs, one row each, with the differing settings."""
    named = [*GROUP, "task", "technique"]
    shared: dict[tuple[str, ...], list[Cell]] = {}
    for cell in known:
        shared.setdefault(tuple(cell.id_fields()[name] for name in named), []).append(cell)
    rows = [row for cells in shared.values() if len(cells) > 1 for row in _differing(cells)]
    return pd.DataFrame(rows, columns=[*GROUP, "task", "label", "settings"])


def _differing(cells: list[Cell]) -> list[tuple[str, ...]]:
    settings = [_flat(_spec(cell)) for cell in cells]
    paths = sorted({path for flat in settings for path in flat})
    differing = [path for path in paths if len({flat.get(path, "none") for flat in settings}) > 1]
    return [
        (
            *(cell.id_fields()[name] for name in (*GROUP, "task", "label")),
            ", ".join(f"{path} = {flat.get(path, 'none')}" for path in differing),
        )
        for cell, flat in zip(cells, settings, strict=True)
    ]


def _flat(value: object, path: str = "") -> dict[str, str]:
    """Leaves of a JSON value by their dotted path."""
    if isinstance(value, Mapping):
        parts = value.items()
    elif isinstance(value, list):
        parts = {str(i): part for i, part in enumerate(value)}.items()
    else:
        return {path: str(value)}
    return {p: leaf for key, part in parts for p, leaf in _flat(part, f"{path}.{key}" if path else str(key)).items()}


def _spec(cell: Cell) -> dict[str, Any]:
    spec: dict[str, Any] = json.loads(cell.runs["spec"].iloc[0])
    return {key: value for key, value in spec.items() if key != "seed"}


def _entries(runs: pd.DataFrame) -> list[tuple[dict[str, Any], int]]:
    """Each distinct provenance with its number of runs."""
    counts = Counter(runs["provenance"].to_numpy().tolist())
    return [(json.loads(text), count) for text, count in sorted(counts.items())]


def _counted(entries: Iterable[tuple[dict[str, Any], int]], key: str) -> Counter[str]:
    counts: Counter[str] = Counter()
    for entry, count in entries:
        counts[str(entry.get(key, ABSENT))] += count
    return counts


def _values(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    if len(counts) > SHOWN:
        return f"{min(counts)} … {max(counts)} ({len(counts)} different values)"
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{value} ({count} runs)" for value, count in ordered)
