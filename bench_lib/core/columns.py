"""Records of nested values as flat columns: each column is declared once, as a field of the value that it lies in."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import NoneType
from typing import Any, TypeVar, get_args, get_type_hints

T = TypeVar("T")


def column(
    default: Any = dataclasses.MISSING,
    *,
    name: str = "",
    since: int = 1,
    circumstance: bool = False,
    factory: Any = dataclasses.MISSING,
    stored: bool = True,
) -> Any:
    """Declare a field as a column; what is declared of a nested value holds for all of its fields.

    `name` is the column's, where it is not the field's. A `circumstance` may differ between two runs of one spec.
    Files of schema versions before `since` lack the column: it is then None or empty. Fields that are not `stored` are
    no columns.
    """
    declared = {"name": name, "since": since, "circumstance": circumstance, "stored": stored}
    if factory is not dataclasses.MISSING:
        return dataclasses.field(default_factory=factory, metadata=declared)
    return dataclasses.field(default=default, metadata=declared, compare=stored, repr=stored)


@dataclass(frozen=True)
class Column:
    """A column: where its value lies in the record, and its type, without the None of an `optional` one."""

    name: str
    path: tuple[str, ...] = ()
    type: Any = None
    optional: bool = False
    since: int = 1
    circumstance: bool = False

    def of(self, record: object) -> Any:
        return functools.reduce(getattr, self.path, record)


def columns(owner: Any, outer: Column = Column("")) -> Iterator[Column]:
    """The columns of a dataclass and of the dataclasses that are its fields, in the order of the fields."""
    types = get_type_hints(owner)
    for field in dataclasses.fields(owner):
        declared, kind = field.metadata, types[field.name]
        optional = NoneType in get_args(kind)
        found = Column(
            name=declared.get("name") or field.name,
            path=(*outer.path, field.name),
            type=next(one for one in get_args(kind) if one is not NoneType) if optional else kind,
            optional=optional,
            since=max(outer.since, declared.get("since", 1)),
            circumstance=outer.circumstance or declared.get("circumstance", False),
        )
        if dataclasses.is_dataclass(kind):
            yield from columns(kind, found)
        elif declared.get("stored", True):
            yield found


def nested(owner: type[T], values: Mapping[tuple[str, ...], Any]) -> T:
    """The record with values at these paths; the others are its defaults."""
    fields: dict[str, Any] = {}
    groups: dict[str, dict[tuple[str, ...], Any]] = {}
    for (name, *rest), value in values.items():
        if rest:
            groups.setdefault(name, {})[tuple(rest)] = value
        else:
            fields[name] = value
    return owner(**fields, **{name: nested(type(getattr(owner, name)), inner) for name, inner in groups.items()})
