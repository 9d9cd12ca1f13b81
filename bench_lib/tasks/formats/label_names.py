"""Labels by name, as files of a user's own have them: texts, or numbers that name classes."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from typing import Any

from bench_lib.tasks.formats.rows import RowReader

NUMBER = re.compile(r"-?\d{1,18}", re.ASCII)
"""A label that is a number; longer ones are texts."""


def found_names(rows: Sequence[RowReader]) -> tuple[str, ...]:
    """The different labels of rows: numbers in their order, texts in that of the alphabet.

    Raises `BadData` for a row with what is no label.
    """
    names: dict[str, None] = {}
    for row in rows:
        value = row.get(row.columns[-1])
        name = label_name(value)
        if name is None:
            raise row.wrong(row.columns[-1], value, "a label: text that is not blank, or a whole number")
        names[name] = None
    return tuple(sorted(names, key=int if _are_numbers(names) else str))


def are_on_a_scale(values: Sequence[Any]) -> bool:
    """Whether values are numbers and not names of labels: some number is a fraction. Empty values are left out."""
    numbers = [value for value in values if value is not None]
    if any(isinstance(value, bool) or not isinstance(value, (int, float)) for value in numbers):
        return False
    return any(isinstance(one, float) and math.isfinite(one) and not one.is_integer() for one in numbers)


def label_name(value: Any) -> str | None:
    """The name of a label; None for what is none, such as a fraction or a list."""
    if isinstance(value, str):
        return value if value.strip() else None
    return str(value) if isinstance(value, int) else None


def index_of(value: Any, labels: Sequence[str]) -> Any:
    """The index of a label that is given by name, or as an index where no label is a number; other values unchanged."""
    name = label_name(value)
    if name in labels:
        return labels.index(name)
    by_index = name is not None and NUMBER.fullmatch(name) and not any(map(NUMBER.fullmatch, labels))
    return int(name) if name is not None and by_index else value


def found_tags(rows: Sequence[RowReader], outside: str) -> tuple[str, ...]:
    """The tags of rows: `outside`, then those of IOB2 by type, each with its `B-` and `I-`, or others by name.

    Raises `BadData` for a row whose tags are no texts.
    """
    names: set[str] = set()
    for row in rows:
        for tag in row.items(row.columns[-1]):
            if not isinstance(tag, str) or not tag.strip():
                raise row.wrong(f"a tag in {row.columns[-1]}", tag, "the name of a tag, unless all `labels` are listed")
            names.add(tag)
    others = sorted(names - {outside})
    if all(name[:2] in ("B-", "I-") and name[2:] for name in others):
        others = [f"{prefix}-{kind}" for kind in sorted({name[2:] for name in others}) for prefix in "BI"]
    return (outside, *others)


def _are_numbers(names: Iterable[str]) -> bool:
    return all(map(NUMBER.fullmatch, names))
