"""What runs call things, as a report shows it: one line of visible text each, and no two names alike."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from bench_lib.core.spec import digest
from bench_lib.report.cells import GROUP, SUFFIX, parse_spec
from bench_lib.report.formatting import shorten

NAMES = ("task", "technique", "model", "profile")
"""The columns of runs that name something."""

LONGEST, LONGEST_TEXT = 120, 2000
"""Characters of a name, and of what else is told of a run."""

NAMELESS = "(no name)"

HASH = re.compile(r"[:@]([0-9a-f]{8,})$")
"""What a fingerprint ends with: the hash of a folder, or the commit of a model from the hub."""


def named(runs: pd.DataFrame) -> pd.DataFrame:
    """The runs with all texts fit to be shown, and with models of one name apart where one group holds several.

    Names that differ stay different whatever is cleaned or cut away: a digest tells them apart.
    """
    if runs.empty:
        return runs
    texts = {name: runs[name].map(shown(runs[name].unique())) for name in NAMES}
    for name, most in (("metric", LONGEST), ("reason", LONGEST_TEXT)):
        texts[name] = runs[name].map({text: shorten(text, most) for text in runs[name].unique()})
    cleaned = runs.assign(**texts)
    return cleaned.assign(model=_models(cleaned))


def shown(names: Iterable[str]) -> dict[str, str]:
    """Each name as it is shown: itself where it is one line of visible text, else cleaned, cut, and told apart."""
    cleaned = {name: shorten(name, LONGEST) or NAMELESS for name in sorted(set(names))}
    own = {name for name, text in cleaned.items() if name == text}
    taken, found = set(own), {}
    for name, text in cleaned.items():
        # The first name that is cleaned to a text keeps it.
        found[name] = (
            text if name in own else next(one for one in _marked(text, digest(ascii(name))) if one not in taken)
        )
        taken.add(found[name])
    return found


def _marked(text: str, mark: str) -> Iterator[str]:
    """The text, then with ever more of a digest behind it."""
    yield text
    yield from (f"{text} ({mark[:width]})" for width in range(SUFFIX, len(mark) + 1))


def _models(runs: pd.DataFrame) -> pd.Series[str]:
    """The models' names, with digits of the fingerprint where one group holds several models of one name."""
    specs = runs["spec"].astype("category").cat
    prints = np.array([fingerprint(parse_spec(str(text)).get("model")) for text in specs.categories], dtype=object)
    known = runs.assign(embedded=runs["data_source"] == "embedded", fingerprint=prints[specs.codes])
    apart = known.groupby(["embedded", *GROUP[1:]])["fingerprint"].transform("nunique") > 1
    marked = runs["model"] + "@" + known["fingerprint"].map(_marks(set(prints)))
    return runs["model"].where(~apart, marked)


def _marks(prints: set[str]) -> dict[str, str]:
    """The first digits of the hash that each fingerprint ends with, or of a digest: as many as tell them apart."""
    digests = {text: digest(text) for text in prints}
    hashes = {text: found[1] if (found := HASH.search(text)) else digests[text] for text in prints}
    for known in (hashes, digests):
        for width in range(SUFFIX, len(max(digests.values(), default="")) + 1):
            marks = {text: one[:width] for text, one in known.items()}
            if len(set(marks.values())) == len(marks):
                return marks
    return digests


def visible(value: Any) -> Any:
    """A JSON value with all its texts fit to be shown."""
    if isinstance(value, str):
        return shorten(value, LONGEST_TEXT)
    if isinstance(value, Mapping):
        return {shorten(name, LONGEST): visible(part) for name, part in value.items()}
    return [visible(part) for part in value] if isinstance(value, list) else value


def fingerprint(value: object) -> str:
    """What a spec says that a thing is by value: the text itself, or the fingerprint of a reference."""
    found = value.get("fingerprint") if isinstance(value, Mapping) else value
    return str(found or "")
