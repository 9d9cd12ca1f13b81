"""Settings as text, such as `llrd:decay=0.9`: read by the types that the fields of a dataclass declare."""

from __future__ import annotations

import ast
import functools
import types
import typing
from collections.abc import Sequence
from dataclasses import MISSING, fields
from typing import Any

from bench_lib.core.errors import BadValue, BenchError, UnknownName, described
from bench_lib.core.spec import Scalar

KINDS = (str, int, float, bool, type(None))
"""The types that a setting may have."""


def read_settings(parts: Sequence[str], declared: type, kind: str, name: str) -> dict[str, Scalar]:
    """The values of `field=value` texts by field of a dataclass; messages name it by its kind and name.

    An unknown field raises `UnknownName` with the nearest ones, a value of another type `BadValue`.
    """
    owner = f"{kind} {name}"
    found: dict[str, Scalar] = {}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            raise BadValue(f"setting of {owner}", part, "field=value")
        check_field(key, declared, owner)
        if key in found:
            raise BenchError(f"field {key!r} of {owner} stands twice in {':'.join(parts)!r}; give it once")
        found[key] = read_value(value, declared, key, f"{name}:{key}")
    return found


def check_field(key: str, declared: type, owner: str) -> None:
    """Raise `UnknownName` unless the key is a field of the dataclass."""
    known = [f.name for f in fields(declared)]
    if key not in known:
        raise UnknownName(f"field of {owner}", key, known)


@functools.cache
def setting_kinds(declared: type) -> dict[str, tuple[type, ...]]:
    """The types that each field of a dataclass may have; `BadValue` for one that a setting cannot be."""
    try:
        hints = typing.get_type_hints(declared)
    except Exception as error:
        raise BenchError(
            f"the types of the fields of {declared.__qualname__} cannot be read: {described(error)}"
        ) from error
    return {f.name: _kinds(hints.get(f.name, f.type), f"{declared.__qualname__}.{f.name}") for f in fields(declared)}


def _kinds(annotation: Any, where: str) -> tuple[type, ...]:
    """The plain types of an annotation; a union has several."""
    union = typing.get_origin(annotation) in (typing.Union, types.UnionType)
    parts = typing.get_args(annotation) if union else (annotation,)
    kinds = tuple(type(None) if part is None else part for part in parts)
    if any(kind not in KINDS for kind in kinds) or set(kinds) == {type(None)}:
        raise BadValue(f"type of the field {where}", annotation, "str, int, float or bool, or a union of these or None")
    return kinds


def read_value(text: str, declared: type, name: str, where: str) -> Scalar:
    """The value of a text, in one of the types of the field of that name."""
    kinds = setting_kinds(declared)[name]
    try:
        value: Any = ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        value = float(text) if text in ("inf", "-inf") else text
    if type(value) is int and int not in kinds and float in kinds and abs(value) < 2**53:
        value = float(value)
    if type(value) not in kinds or (type(value) is str and not value.isprintable()):
        names = [kind.__name__ for kind in kinds if kind is not type(None)] + (["None"] if type(None) in kinds else [])
        default = next(f.default for f in fields(declared) if f.name == name)
        example = "" if default is None or default is MISSING else f", such as {default}"
        raise BadValue(where, text, f"a value of type {' or '.join(names)}{example}")
    return typing.cast(Scalar, value)
