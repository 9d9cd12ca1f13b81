"""What a file of a store must hold to be what its name says."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Predictions
from bench_lib.store.damage import Damaged, damage_named
from bench_lib.store.objects import Location
from bench_lib.store.schema import to_predictions

_RUN_ID = "[A-Za-z0-9_-]{1,64}"
_SPEC = ("run_id", "spec")
_SAID = (*_SPEC, "task", "technique", "seed")


def is_id(text: str) -> bool:
    """Whether text may be a run id, and so part of a file's name."""
    return re.fullmatch(_RUN_ID, text) is not None


def checked_id(run_id: str) -> str:
    """A run id that may be part of a file's name; any other raises `BadStore`."""
    if not is_id(run_id):
        raise BadStore(f"run id is {run_id!r}; allowed: letters, digits, _ and -, at most 64")
    return run_id


def check_ids(path: Location, table: pa.Table) -> None:
    """Raise `Damaged` for a run id that may not be part of a file's name."""
    good = pc.match_substring_regex(table["run_id"], rf"\A{_RUN_ID}\z")
    if table.num_rows and not pc.all(good).as_py():
        bad = table["run_id"].filter(pc.invert(good))[0].as_py()
        raise Damaged(path, f"run id is {bad!r}; allowed: letters, digits, _ and -, at most 64")


def check_single(path: Location, table: pa.Table) -> None:
    """Raise `Damaged` unless a single file holds one row, of the run by which it is named."""
    check_count(path, table.num_rows)
    if table["run_id"][0].as_py() != path.stem:
        raise Damaged(path, f"it holds run {table['run_id'][0].as_py()!r}, not the one that it is named by")


def check_count(path: Location, rows: int) -> None:
    """Raise `Damaged` unless a single file holds so many rows as a run has."""
    if rows != 1:
        raise Damaged(path, f"it holds {rows} rows; the file of a run holds 1")


def check_runs(path: Location, table: pa.Table, single: bool) -> None:
    """Raise `Damaged` for rows of runs that are not what they say, as far as the columns that were read tell."""
    with damage_named(path):
        check_ids(path, table)
        if single and table.num_rows:
            check_single(path, table)
        # The rows of a compacted file were single ones when they were checked against their specs.
        wanted = _SAID if single else _SPEC
        if set(wanted) <= set(table.column_names):
            for row in table.select(wanted).filter(pa.array(_suspect(table, single), pa.bool_())).to_pylist():
                for why in contradictions(row):
                    raise Damaged(path, why)
        for name in table.column_names:
            if pa.types.is_map(table.schema.field(name).type) and _repeats_keys(table[name].combine_chunks()):
                raise Damaged(path, f"a key stands twice in a row of column {name}")


def _suspect(table: pa.Table, single: bool) -> list[bool]:
    """The rows to be looked at: all of a single file, and those whose id is not the digest of their spec."""
    specs = table["spec"].cast(pa.binary()).to_pylist()
    ids = table["run_id"].to_pylist()
    return [single or hashlib.sha256(spec).hexdigest()[:20] != run_id for run_id, spec in zip(ids, specs, strict=True)]


def contradictions(row: Mapping[str, Any]) -> Iterator[str]:
    """What in a row of runs is not as its spec says; only the id where there is nothing else in the row."""
    run_id, text = row["run_id"], row["spec"]
    if hashlib.sha256(text.encode()).hexdigest()[:20] != run_id:
        yield f"run {run_id} is not the digest of its spec"
        return
    if "seed" not in row:
        return
    spec = json.loads(text)
    if not isinstance(spec, dict):
        yield f"run {run_id} has a spec that is no JSON object"
        return
    task = spec.get("task", row["task"])
    said = {"task": task[0] if isinstance(task, list) and task else task, "seed": spec.get("seed", row["seed"])}
    for name, value in said.items():
        if row[name] != value:
            yield f"run {run_id} is of {name} {row[name]!r}, its spec of {value!r}"
    if "stack" in spec and not re.fullmatch(_label(spec["stack"]), row["technique"], re.DOTALL):
        stack = "+".join(technique[0] for technique in spec["stack"])
        yield f"run {run_id} is of technique {row['technique']!r}, its spec of {stack!r}"


def predicted(path: Location, table: pa.Table, run_id: str, attempts: int | None = None) -> Predictions:
    """The predictions in a table of one row; `Damaged` unless they are those of a run, and of an attempt if given."""
    with damage_named(path):
        check_count(path, table.num_rows)
        held, attempt = table["run_id"][0].as_py(), table["attempts"][0].as_py()
        if held != run_id or attempts not in (None, attempt):
            asked = f"{run_id}" if attempts is None else f"{run_id}, attempt {attempts}"
            raise Damaged(
                path, f"it holds the predictions of run {held}, attempt {attempt}, where those of {asked} stood"
            )
        width, values = table["width"][0].as_py(), len(table["values"][0].values)
        if width < 1 or values % width:
            raise Damaged(path, f"the {values} values of run {run_id} are no rows of width {width}")
        found = to_predictions(table)
        if found.lengths is not None and (found.lengths.min(initial=0) < 0 or found.lengths.sum() != len(found.values)):
            raise Damaged(path, f"the lengths of run {run_id} do not add up to its {len(found.values)} rows")
        return found


def _label(stack: list[Any]) -> str:
    # A label is a name, or a name with settings; that of a tuned stack has its budget in place of the last name.
    names = [f"{re.escape(technique[0])}(?::.*)?" for technique in stack]
    return r"\+".join(names) + "|" + r"\+".join(names[:-1]) + r"\[tuned@\d+\]"


def _repeats_keys(column: pa.MapArray) -> bool:
    if not len(column):
        return False
    rows = np.repeat(np.arange(len(column)), np.diff(column.offsets.to_numpy()))
    begin, end = column.offsets[0].as_py(), column.offsets[-1].as_py()
    keys = column.keys.slice(begin, end - begin).dictionary_encode()
    # Sorting is several times faster than `np.unique`, which hashes.
    pairs = np.sort(rows * (len(keys.dictionary) + 1) + keys.indices.to_numpy())
    return bool((pairs[1:] == pairs[:-1]).any())
