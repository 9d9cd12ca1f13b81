"""Settings as text, such as `llrd:decay=0.9`: read by the types that the fields of a dataclass declare."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from bench_lib.errors import BadValue, BenchError, UnknownName
from bench_lib.spec import Scalar


def read_settings(parts: Sequence[str], declared: type, kind: str, name: str) -> dict[str, Scalar]:
    """The values of `field=value` texts by field of a dataclass, which messages call by its kind and name.

    An unknown field raises `UnknownName` with the nearest ones, a value of another type `BadValue`.
    """
    known, owner = {f.name: f for f in fields(declared)}, f"{kind} {name}"
    found: dict[str, Scalar] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise BadValue(f"setting of {owner}", part, "field=value")
        check_field(key, declared, owner)
        if key in found:
            raise BenchError(f"field {key!r} of {owner} stands twice in {':'.join(parts)!r}; give it once")
        found[key] = read_value(value, known[key], f"{name}:{key}")
    return found


def check_field(key: str, declared: type, owner: str) -> None:
    """Raise `UnknownName` for what is no field of a dataclass."""
    known = [f.name for f in fields(declared)]
    if key not in known:
        raise UnknownName(f"field of {owner}", key, known)


def read_value(text: str, field: Field[Any], where: str) -> Scalar:
    """The value that a text stands for, of the type that the field is annotated with."""
    kind, *others = str(field.type).split(" | ")
    try:
        value: Scalar = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = float(text) if text in ("inf", "-inf") else text
    if value is None and "None" in others:
        return None
    if kind == "float" and type(value) is int and abs(value) < 2**53:
        value = float(value)
    if type(value).__name__ != kind:
        example = "" if field.default is None else f", such as {field.default}"
        raise BadValue(where, text, f"a value of type {' or '.join([kind, *others])}{example}")
    return value
