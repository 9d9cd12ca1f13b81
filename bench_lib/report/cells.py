"""Cells: the runs of one spec, grouped by cell id, and labels for cells of one technique with different specs."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from bench_lib.core.errors import BadStore
from bench_lib.core.record import Status
from bench_lib.core.spec import digest

GROUP = ("data", "model", "profile")
"""The columns that identify a section of the report; `data` is `real`, `embedded` or `external`."""

EXTERNAL = "external"
"""What the data source of an imported run begins with, unless it is to stand beside this suite's own runs."""

CELL_ID = (*GROUP, "task", "technique", "setting", "variant", "label")
"""The columns of a cell id: `setting` digests the spec without seed and stack, `variant` without the seed."""

SUFFIX = 6

ROUNDING = 1e-6
"""Tolerance for scores above 1."""


@dataclass(frozen=True, eq=False)
class ColumnCache:
    """The columns of a frame as arrays, converted at first use; all cells of the frame slice them."""

    frame: pd.DataFrame
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def numbers(self, name: str) -> np.ndarray:
        """A column as float64, see the function `numbers`."""
        if name not in self.arrays:
            self.arrays[name] = numbers(self.frame[name])
        return self.arrays[name]

    def texts(self, name: str) -> np.ndarray:
        """A column as an array of strings."""
        if name not in self.arrays:
            self.arrays[name] = self.frame[name].astype(str).to_numpy(dtype=object)
        return self.arrays[name]


@dataclass(frozen=True, eq=False)
class Cell:
    """All runs of one spec, sorted by seed: a slice of rows of a sorted frame."""

    cell_id: tuple[str, ...]
    columns: ColumnCache
    rows: slice

    @functools.cached_property
    def runs(self) -> pd.DataFrame:
        return self.columns.frame.iloc[self.rows]

    @property
    def size(self) -> int:
        return int(self.rows.stop - self.rows.start)

    @property
    def seeds(self) -> list[int]:
        seeds: list[int] = self.columns.frame["seed"].to_numpy()[self.rows].tolist()
        return seeds

    def texts(self, column: str) -> list[str]:
        """A column of all runs as strings."""
        values: list[str] = self.columns.texts(column)[self.rows].tolist()
        return values

    def numbers(self, column: str) -> np.ndarray:
        """A column of all runs: (runs,) float64, NaN for missing values."""
        return self.columns.numbers(column)[self.rows]

    def id_fields(self) -> dict[str, str]:
        return dict(zip(CELL_ID, self.cell_id, strict=True))

    @functools.cached_property
    def statuses(self) -> tuple[str, ...]:
        return tuple(self.texts("status"))

    def count(self, *statuses: Status) -> int:
        return sum(self.statuses.count(str(status)) for status in statuses)

    def judged(self) -> int:
        return self.count(*(s for s in Status if s.completed))

    def failed(self) -> int:
        return self.count(*(s for s in Status if s.failed))

    @functools.cached_property
    def converged_mask(self) -> np.ndarray:
        """Which runs converged: (runs,) bool."""
        return np.array([status == Status.CONVERGED for status in self.statuses], dtype=bool)

    def converged_numbers(self, column: str) -> np.ndarray:
        """A column of the converged runs: (converged,) float64, NaN for missing values."""
        return np.asarray(self.numbers(column)[self.converged_mask], dtype=np.float64)

    def scores(self) -> np.ndarray:
        """Final scores of the converged runs, as fractions: (converged,) float64."""
        return self.converged_numbers("score")


def numbers(column: pd.Series[Any]) -> np.ndarray:
    """A column as float64, NaN for missing values."""
    return np.asarray(pd.to_numeric(column), dtype=np.float64)


def is_score(column: pd.Series[Any]) -> np.ndarray:
    """Which values are fractions, or correlations from -1 to 1: (runs,) bool."""
    return np.asarray(np.abs(numbers(column)) <= 1 + ROUNDING)


def key_parts(key: object) -> tuple[str, ...]:
    """The parts of a `groupby` key over several columns, as strings."""
    assert isinstance(key, tuple)
    return tuple(str(part) for part in key)


def group_runs(frame: pd.DataFrame) -> list[Cell]:
    """Group a frame of runs into cells, sorted by cell id; runs of different specs are never in one cell.

    Raises `BadStore` for a duplicate run, an unknown status, a spec that is not JSON, or a converged run without a
    score.
    """
    return split_cells(add_cell_ids(frame))


def split_cells(known: pd.DataFrame) -> list[Cell]:
    """Split the sorted rows of `add_cell_ids` into cells."""
    cells = known.groupby(list(CELL_ID), sort=False, observed=True).ngroup().to_numpy()
    starts = np.flatnonzero(np.diff(cells, prepend=-1, append=-1)).tolist()
    keys = zip(*(known[name].iloc[starts[:-1]].astype(str) for name in CELL_ID), strict=True)
    columns = ColumnCache(known)
    return [Cell(key, columns, slice(a, b)) for key, (a, b) in zip(keys, pairwise(starts), strict=True)]


def drop_unused_categories(known: pd.DataFrame) -> pd.DataFrame:
    """A part of a frame without unused categories, so that it is small to send to a worker."""
    coded = [name for name in known if isinstance(known[name].dtype, pd.CategoricalDtype)]
    return known.assign(**{str(name): known[name].cat.remove_unused_categories() for name in coded})


def add_cell_ids(frame: pd.DataFrame) -> pd.DataFrame:
    """Add the columns of `CELL_ID` to runs and sort them by these and the seed; specs may be with or without seed."""
    _check(frame)
    specs = frame["spec"].astype("category").cat
    digests = np.array([_digests(str(text)) for text in specs.categories], dtype=object).reshape(-1, 2)[specs.codes]
    sources = frame["data_source"].to_numpy()
    known = frame.assign(data=data_kinds(sources), setting=digests[:, 0], variant=digests[:, 1])
    # Categories in alphabetical order sort and group faster than strings.
    known = known.astype(dict.fromkeys(CELL_ID[:-1], "category"))
    known["label"] = _labels(known)
    return known.sort_values([*CELL_ID, "seed", "run_id"], ignore_index=True)


def data_kinds(sources: np.ndarray) -> np.ndarray:
    """`real`, `embedded` or `external` for each data source: (runs,)."""
    kinds = {
        source: "embedded" if source == "embedded" else EXTERNAL if _is_external(source) else "real"
        for source in set(sources)
    }
    return np.array([kinds[source] for source in sources], dtype=object)


def _is_external(source: object) -> bool:
    return str(source).startswith(f"{EXTERNAL}: ")


def _labels(known: pd.DataFrame) -> pd.Categorical:
    """Labels of the runs: the technique, with a digest suffix if several specs share the name."""
    named = [*GROUP, "task", "technique"]
    cells = known.groupby([*named, "setting", "variant"], sort=False, observed=True).ngroup().to_numpy()
    _, firsts = np.unique(cells, return_index=True)
    once = known[[*named, "setting", "variant"]].iloc[firsts].astype(str)
    settings = once.groupby(named)["setting"].transform("nunique") > 1
    variants = once.groupby([*named, "setting"])["variant"].transform("nunique") > 1
    several = zip(once["setting"], settings, once["variant"], variants, strict=True)
    parts = [[s[:SUFFIX]] * bool(by_s) + [v[:SUFFIX]] * bool(by_v) for s, by_s, v, by_v in several]
    suffixes = [f" ({' '.join(part)})" if part else "" for part in parts]
    labels = [f"{technique}{suffix}" for technique, suffix in zip(once["technique"], suffixes, strict=True)]
    coded = pd.Series(labels, dtype=str).astype("category").cat
    return pd.Categorical.from_codes(coded.codes.to_numpy()[cells], coded.categories)


@functools.lru_cache(maxsize=2**16)
def _digests(text: str) -> tuple[str, str]:
    """Setting and variant of a spec, with loaded objects identified by fingerprint instead of name."""
    parts = {k: _fingerprint_or_value(v) for k, v in parse_spec(text).items() if k not in ("seed", "profile_name")}
    return digest({k: v for k, v in parts.items() if k != "stack"}), digest(parts)


def parse_spec(text: str) -> Mapping[str, Any]:
    """Parse the spec of a stored run; `BadStore` for text that is no JSON object or has parts of another form."""
    try:
        spec = json.loads(text)
    except (ValueError, RecursionError):
        spec = None
    if not isinstance(spec, Mapping):
        raise BadStore(f"a run's spec is not a JSON object: {text[:60]!r}")
    for name, (is_valid, form) in FORMS.items():
        if name in spec and not is_valid(spec[name]):
            value = str(spec[name])[:60]
            raise BadStore(f"a run's spec has {value!r} for its {name}; allowed: {form}")
    return spec


def _is_stack(value: object) -> bool:
    parts = value if isinstance(value, list) else [None]
    return all(isinstance(part, list) and len(part) == 3 and isinstance(part[1], Mapping) for part in parts)


FORMS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "profile": (lambda value: isinstance(value, Mapping), "an object of the profile's fields"),
    "stack": (_is_stack, "a list of [technique, parameters, version]"),
    "task": (lambda value: isinstance(value, list) and len(value) == 2, "[task, version]"),
}
"""Validity check and description of each part of a spec that reports read."""


def _fingerprint_or_value(value: object) -> object:
    return value["fingerprint"] if isinstance(value, Mapping) and "fingerprint" in value else value


def _check(frame: pd.DataFrame) -> None:
    twice = frame["run_id"][frame["run_id"].duplicated()]
    if len(twice):
        raise BadStore(f"run {twice.iloc[0]} stands several times in the frame; each run counts once")
    unknown = frame[~frame["status"].isin([str(s) for s in Status])]
    if len(unknown):
        run = unknown.iloc[0]
        raise BadStore(f"run {run['run_id']} has status {run['status']!r}; known: {', '.join(Status)}")
    unscored = frame[(frame["status"] == Status.CONVERGED) & ~is_score(frame["score"])]
    if len(unscored):
        run = unscored.iloc[0]
        reason = (
            f"its score is {run['score']:g}" if np.isfinite(numbers(unscored["score"])[0]) else "has no finite score"
        )
        raise BadStore(f"run {run['run_id']} converged but {reason}; allowed: a fraction, from -1 to 1")
