"""Deduplication of JSON values: repeated parts are stored once and referred to by index."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

MARK = "$shared"
"""The key of a reference, whose value is an index into the list of shared values."""

LEAST = 60
"""Minimum length of a shared value, in characters."""


def shared(values: list[Any]) -> tuple[list[Any], list[Any]]:
    """Replace larger repeated parts of the values by references; also returns these parts, without references."""
    counts = Counter(text for value in values for text, _ in _parts(value))
    places: dict[str, int] = {}
    found: list[Any] = []

    def deduplicated(value: Any) -> Any:
        if not isinstance(value, (dict, list)):
            return value
        text = json.dumps(value)
        if len(text) >= LEAST and counts[text] > 1:
            if text not in places:
                places[text] = len(found)
                found.append(value)
            return {MARK: places[text]}
        if isinstance(value, dict):
            return {name: deduplicated(part) for name, part in value.items()}
        return [deduplicated(part) for part in value]

    return [deduplicated(value) for value in values], found


def _parts(value: Any) -> Iterator[tuple[str, Any]]:
    """All objects and lists in a value, including itself, with their JSON text."""
    if isinstance(value, (dict, list)):
        yield json.dumps(value), value
        for part in value.values() if isinstance(value, dict) else value:
            yield from _parts(part)
