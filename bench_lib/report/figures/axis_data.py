"""Cells that differ in one axis of the profile only, whatever the names of their profiles."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from bench_lib.core.spec import digest
from bench_lib.report.cells import GROUP, SUFFIX, parse_spec
from bench_lib.report.figures.axes import Axis


def along(axis: Axis, cells: pd.DataFrame, runs: pd.DataFrame, group: tuple[str, ...]) -> pd.DataFrame:
    """Rows for `charts.axes` of the group's profile and its variants, such as `desk:label_noise=0.1`.

    They stand at the group with the fewest settings: at another there are none. A cell whose value is not known, such
    as that of all training examples, has no place on an axis. A technique that was run along it under several settings
    of another kind is named with them.
    """
    own = _family(cells, group)
    first = min(own["profile"].astype(str).unique(), key=lambda name: (name.count(":"), name), default="")
    if first != group[GROUP.index("profile")] or own.groupby(["task", "technique"]).size().max() < 2:
        return pd.DataFrame(columns=list(axis.columns))
    specs = _specs(runs, set(own["variant"].astype(str)))
    values, rest = zip(*(_parted(axis, specs[str(variant)]) for variant in own["variant"]), strict=True)
    found = own.assign(**{axis.field: values, "rest": rest}, seeds=own["converged"])
    found = found[found[axis.field].notna()]
    found = found[found.groupby(["task", "technique", "rest"])[axis.field].transform("nunique") > 1]
    return found.assign(technique=_lines(axis, found))[list(axis.columns)]


def _lines(axis: Axis, rows: pd.DataFrame) -> list[str]:
    """The techniques of the rows, with their other settings if a technique has several."""
    settings = [str(name).split(":")[1:] for name in rows["profile"]]
    shared = set(settings[0]).intersection(*settings) if settings else set()
    others = [
        ", ".join(part for part in parts if part not in shared and part.partition("=")[0] != axis.field)
        for parts in settings
    ]
    known = rows.assign(technique=rows["technique"].astype(str), other=others)
    alike = known.groupby(["task", "technique", "other"])["rest"].transform("nunique") > 1
    # The names of the profiles may be equal although their settings differ.
    digests = [text[:SUFFIX] * again for text, again in zip(known["rest"], alike, strict=True)]
    known["other"] = [", ".join(filter(None, parts)) for parts in zip(known["other"], digests, strict=True)]
    several = known.groupby(["task", "technique"])["other"].transform("nunique") > 1
    named = zip(known["technique"], known["other"], several, strict=True)
    return [f"{name} ({other})" if other and also else name for name, other, also in named]


def _family(cells: pd.DataFrame, group: tuple[str, ...]) -> pd.DataFrame:
    """The cells of the same data and model whose profile has the same base."""
    data, model, profile = group
    base = cells["profile"].astype(str).str.partition(":")[0]
    same = (cells["data"].astype(str) == data) & (cells["model"].astype(str) == model)
    return cells[same & (base == profile.partition(":")[0])]


def _specs(runs: pd.DataFrame, variants: Iterable[str]) -> dict[str, str]:
    own = runs.loc[runs["variant"].isin(list(variants)), ["variant", "spec"]].drop_duplicates("variant")
    return dict(zip(own["variant"].astype(str), own["spec"].astype(str), strict=True))


def _parted(axis: Axis, text: str) -> tuple[object, str]:
    """The value of a spec on the axis, and a digest of its other parts."""
    parts = dict(parse_spec(text))
    profile = dict(parts.get("profile") or {})
    value = profile.pop(axis.field, axis.default)
    return value, digest({**parts, "profile": profile, "seed": 0})
