"""Where the runs come from: machines and versions, fingerprints, and what tells cells of one name apart."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from bench_lib.report.keys import GROUP, Cell

MACHINE = ("cpu", "cores", "memory_gib", "device")
"""Provenance on which speed and memory depend."""

SHOWN = 3
ABSENT = "not recorded"


def provenance(frame: pd.DataFrame) -> dict[str, str]:
    """What the records say of where and with what they were made: each key with its values, and how many runs each.

    Of more than `SHOWN` values only the first and the last in their order are named.
    """
    maps = [dict(entry) for entry in frame["provenance"]]
    keys = sorted({str(key) for entry in maps for key in entry})
    return {key: _values(Counter(str(entry.get(key, ABSENT)) for entry in maps)) for key in keys}


def machines(frame: pd.DataFrame) -> int:
    """How many different machines, as far as the provenance tells them apart."""
    return len({tuple(dict(entry).get(key, "") for key in MACHINE) for entry in frame["provenance"]})


def fingerprints(known: list[Cell]) -> pd.DataFrame:
    """What the tasks' data and the models were: one row a (task, data source, model) with their fingerprints."""
    rows: dict[tuple[str, ...], None] = {}
    for cell in known:
        named, spec = cell.named(), _spec(cell)
        for source in sorted(set(cell.runs["data_source"])):
            prints = (_print(spec.get("data")), _print(spec.get("model")))
            rows[(named["task"], source, prints[0], named["model"], prints[1])] = None
    return pd.DataFrame(sorted(rows), columns=["task", "data", "data fingerprint", "model", "model fingerprint"])


def variants(known: list[Cell]) -> pd.DataFrame:
    """The cells that share a name but not a spec, one row each, with the settings in which they differ."""
    named = [*GROUP, "task", "technique"]
    shared: dict[tuple[str, ...], list[Cell]] = {}
    for cell in known:
        shared.setdefault(tuple(cell.named()[name] for name in named), []).append(cell)
    rows = [row for cells in shared.values() if len(cells) > 1 for row in _differing(cells)]
    return pd.DataFrame(rows, columns=[*GROUP, "task", "label", "settings"])


def _differing(cells: list[Cell]) -> list[tuple[str, ...]]:
    settings = [_flat(_spec(cell)) for cell in cells]
    paths = sorted({path for flat in settings for path in flat})
    differing = [path for path in paths if len({flat.get(path, "none") for flat in settings}) > 1]
    return [
        (
            *(cell.named()[name] for name in (*GROUP, "task", "label")),
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


def _print(value: object) -> str:
    return str(value.get("fingerprint", "")) if isinstance(value, Mapping) else str(value or "")


def _values(counts: Counter[str]) -> str:
    if len(counts) == 1:
        return next(iter(counts))
    if len(counts) > SHOWN:
        return f"{min(counts)} … {max(counts)} ({len(counts)} different values)"
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{value} ({count} runs)" for value, count in ordered)
