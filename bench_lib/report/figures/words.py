"""Phrases shared by the titles and alternative texts of figures."""

from __future__ import annotations

import functools

import pandas as pd

from bench_lib.report.cells import GROUP
from bench_lib.report.formatting import shorten
from bench_lib.report.prose import name_list

MOST_NAMED = 3
LONGEST = 40
"""Maximum length of a name, in characters."""


MARKS = {"embedded": ", embedded data", "external": ", external runs"}


def place(rows: pd.DataFrame, task: bool = False) -> str:
    """Task, model and profile of the rows of one group, such as `sst2 (minilm, desk)`, and data if not real."""
    data, *names = (str(rows[name].iloc[0]) for name in GROUP)
    group = ", ".join(shorten(name, LONGEST) for name in names) + MARKS.get(data, "")
    return f"{shorten(rows['task'].iloc[0], LONGEST)} ({group})" if task else group


short_name_list = functools.partial(name_list, limit=MOST_NAMED, width=LONGEST, last=", ")
"""`prose.name_list` with short names, as figures write it."""
