"""JSON values that stand in several places, held once and referred to by number."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

MARK = "$shared"
"""The one name of a reference, whose value is a place in the list of shared values."""

LEAST = 60
"""Characters below which a value is no longer than what it would save."""


def shared(values: list[Any]) -> tuple[list[Any], list[Any]]:
    """The values with references in place of the larger parts that repeat, and these parts, which hold none."""
    counts = Counter(text for value in values for text, _ in _parts(value))
    places: dict[str, int] = {}
    found: list[Any] = []

    def told(value: Any) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        text = json.dumps(value)
        if len(text) >= LEAST and counts[text] > 1:
            if text not in places:
                places[text] = len(found)
                found.append(value)
            return {MARK: places[text]}
        if isinstance(value, dict):
            return {name: told(part) for name, part in value.items()}
        return [told(part) for part in value]

    return [told(value) for value in values], found


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """All objects and lists in a value, itself included, with their text."""
    if isinstance(value, (dict, list)):
        yield json.dumps(value), value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)
