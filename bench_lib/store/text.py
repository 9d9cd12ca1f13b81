"""Text as it can be stored and shown: what an exception or a library says may hold anything."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from bench_lib.core.record import RunRecord

_UNFIT = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_IDENTITY = frozenset({"run_id", "training_id", "spec", "predictions", "weights"})


def clean(text: str) -> str:
    """Text with U+FFFD for half characters of UTF-16 and for control characters but tabs and ends of lines."""
    return _UNFIT.sub("\ufffd", text)


def cleaned(record: RunRecord) -> RunRecord:
    """A record whose text can be stored, but for what its id is made of, which stays as it is."""
    found = {f.name: getattr(record, f.name) for f in dataclasses.fields(record) if f.name not in _IDENTITY}
    changed = {name: value for name, old in found.items() if (value := _cleaned(old)) is not old}
    return dataclasses.replace(record, **changed) if changed else record


def _cleaned(value: Any) -> Any:
    if isinstance(value, str):
        return clean(value) if _UNFIT.search(value) else value
    if isinstance(value, Mapping) and any(isinstance(t, str) and _UNFIT.search(t) for i in value.items() for t in i):
        return {_cleaned(key): _cleaned(entry) for key, entry in value.items()}
    return value
