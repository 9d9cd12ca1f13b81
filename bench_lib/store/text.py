"""Text that can be stored and shown: messages of exceptions and libraries may hold any character."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bench_lib.core.record import RunRecord

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_IDENTITY = frozenset({"run_id", "training_id", "spec"})


def clean(text: str) -> str:
    """Text with U+FFFD for half characters of UTF-16 and for control characters but tabs and ends of lines."""
    return _UNFIT.sub("\ufffd", text)


def cleaned(record: RunRecord) -> RunRecord:
    """The record with text that can be stored; the text that its id is computed from stays as it is."""
    found = ((name, old, _cleaned(old)) for name, old in record.columns().items() if name not in _IDENTITY)
    changed = {name: new for name, old, new in found if new is not old}
    return record.changed(changed) if changed else record


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value) if _UNFIT.search(value) else value
    if isinstance(value, Mapping) and any(isinstance(t, str) and _UNFIT.search(t) for i in value.items() for t in i):
        return {_cleaned(key): _cleaned(entry) for key, entry in value.items()}
    return value
