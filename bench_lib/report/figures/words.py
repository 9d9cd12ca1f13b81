"""What titles and alternative texts say in the same way."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from bench_lib.report.cells import GROUP
from bench_lib.report.formatting import shorten

MOST_NAMED = 3
LONGEST = 40
"""Characters of a name in a text."""


def place(rows: pd.DataFrame, task: bool = False) -> str:
    """Where rows of one group come from, such as `sst2 (minilm, desk)`; embedded data are said to be."""
    data, *names = (str(rows[name].iloc[0]) for name in GROUP)
    group = ", ".join(shorten(name, LONGEST) for name in names) + (", embedded data" if data == "embedded" else "")
    return f"{shorten(rows['task'].iloc[0], LONGEST)} ({group})" if task else group


def listed(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """The first names, and how many more there are."""
    shown = [shorten(name, LONGEST) for name in names[:most]]
    return ", ".join(shown) + (f" and {len(names) - most} more" if len(names) > most else "")


def plural(count: int, noun: str) -> str:
    """A number with its noun, such as `1 run` and `2,000 runs`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"
