"""Display names: one line of visible text per name, and different texts for different names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench_lib.core.spec import digest
from bench_lib.report.cells import GROUP, SUFFIX, data_kinds, parse_spec
from bench_lib.report.formatting import shorten

NAMES = ("task", "technique", "model", "profile")
"""The columns of runs with names."""

LONGEST, LONGEST_TEXT = 120, 2000
"""Maximum length of a name, and of other texts of a run, in characters."""

NAMELESS = "(no name)"

HASH = re.compile(r"[:@]([0-9a-f]{8,})$")
"""The end of a fingerprint: the hash of a folder, or the commit of a model from the hub."""


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with display names, and with a fingerprint suffix for different models of one name in a group.

    Different names stay different: a digest is added if their cleaned texts are the same.
    """
    if runs.empty:
        return runs
    texts = {name: runs[name].map(shown(runs[name].unique())) for name in NAMES}
    for name, most in (("metric", LONGEST), ("reason", LONGEST_TEXT)):
        texts[name] = runs[name].map({text: shorten(text, most) for text in runs[name].unique()})
    cleaned = runs.assign(**texts)
    return cleaned.assign(model=_models(cleaned))


def shown(names: Iterable[str]) -> dict[str, str]:
    """The display name of each name: cleaned and cut if necessary, with a digest if it is not unique."""
    cleaned = {name: shorten(name, LONGEST) or NAMELESS for name in sorted(set(names))}
    own = {name for name, text in cleaned.items() if name == text}
    taken, found = set(own), {}
    for name, text in cleaned.items():
        # The first name with a cleaned text gets this text without a digest.
        found[name] = (
            text if name in own else next(one for one in _marked(text, digest(ascii(name))) if one not in taken)
        )
        taken.add(found[name])
    return found


def _marked(text: str, mark: str) -> Iterator[str]:
    """The text, then the text with ever longer prefixes of a digest."""
    yield text
    yield from (f"{text} ({mark[:width]})" for width in range(SUFFIX, len(mark) + 1))


def _models(runs: pd.DataFrame) -> pd.Series[str]:
    """Model names, with a fingerprint prefix if a group has several models of one name.

    Runs of another harness have names alone, which tell no models of one name apart.
    """
    specs = runs["spec"].astype("category").cat
    parsed = [parse_spec(str(text)) for text in specs.categories]
    prints = np.array([None if "harness" in s else fingerprint(s.get("model")) for s in parsed], dtype=object)
    known = runs.assign(data=data_kinds(runs["data_source"].to_numpy()), fingerprint=prints[specs.codes])
    apart = known.groupby(list(GROUP))["fingerprint"].transform("nunique") > 1
    if not apart.any():
        return runs["model"]
    marks = _marks({one for one in prints if one is not None})
    named = zip(runs["model"], known["fingerprint"], apart, strict=True)
    marked = [f"{model}@{marks[one]}" if several and one in marks else model for model, one, several in named]
    return pd.Series(marked, runs.index, dtype=runs["model"].dtype)


def _marks(prints: set[str]) -> dict[str, str]:
    """Unique prefixes of the hashes at the end of fingerprints, or of their digests."""
    digests = {text: digest(text) for text in prints}
    hashes = {text: found[1] if (found := HASH.search(text)) else digests[text] for text in prints}
    for known in (hashes, digests):
        for width in range(SUFFIX, len(max(digests.values(), default="")) + 1):
            marks = {text: one[:width] for text, one in known.items()}
            if len(set(marks.values())) == len(marks):
                return marks
    return digests


def visible(value: Any) -> Any:
    """A JSON value with all its texts cleaned for display."""
    if isinstance(value, str):
        return shorten(value, LONGEST_TEXT)
    if isinstance(value, Mapping):
        return {shorten(name, LONGEST): visible(part) for name, part in value.items()}
    return [visible(part) for part in value] if isinstance(value, list) else value


def fingerprint(value: object) -> str:
    """The fingerprint of a reference in a spec, or the text itself."""
    found = value.get("fingerprint") if isinstance(value, Mapping) else value
    return str(found or "")
