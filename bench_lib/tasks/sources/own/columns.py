"""The format and the columns of a user's own task, as said in its file or found by their usual names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from bench_lib.core.errors import BadData, BenchError, UnknownName
from bench_lib.tasks.formats import FORMATS, Format
from bench_lib.tasks.formats.base import Role
from bench_lib.tasks.formats.rows import Row
from bench_lib.tasks.sources.own.definition import Definition, misplaced

HOW = "say it in a file: --task FILE.toml, with format = ... and columns = {...}"


def format_and_columns(definition: Definition, rows: Sequence[Row]) -> tuple[Format, tuple[str, ...]]:
    """The format, and the columns in its order, of a task with the rows of its first file.

    Raises `BadData` where they are neither said nor plain.
    """
    present = list(rows[0])
    task_format = definition.format or _recognised(definition, rows)
    if wrong := misplaced(definition.writing, task_format):
        raise BadData(f"{definition.path}: {wrong[0]}, by its columns ({', '.join(present)}); {HOW}")
    return task_format, _columns(definition, task_format, present)


def check_columns_present(source: str, columns: Sequence[str], present: Sequence[str]) -> None:
    """Raise `BadData` for a column that a file does not have, with the nearest that it has."""
    for column in columns:
        if column not in present:
            near = get_close_matches(column, present, n=1)
            hint = f"did you mean {near[0]!r}? " if near else ""
            raise BadData(f"{source} has no column {column!r}; {hint}there are {', '.join(present) or 'none'}")


def _recognised(definition: Definition, rows: Sequence[Row]) -> Format:
    """The one format that columns and the values of the target fit; `BadData` where there is none, or several."""
    present = list(rows[0])
    known, listed = (definition.columns, ()) if isinstance(definition.columns, Mapping) else ({}, definition.columns)
    named = [one for one in FORMATS if one.roles and _fits(one, known, present)]
    fitting = [one for one in named if known or _predicts(one, listed[-1:], rows)]
    fitting = [one for one in fitting if not one.recognised_last] or fitting
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(map(str, fitting or named))
    why = "are those of no task format that is known"
    if named:
        why = f"fit several task formats ({names})" if fitting else f"have names as in {names}, and other values"
    raise BadData(f"{definition.path}: the columns {', '.join(present)} {why}; {HOW}")


def _columns(definition: Definition, task_format: Format, present: Sequence[str]) -> tuple[str, ...]:
    given = definition.columns
    if not isinstance(given, Mapping):
        return given or _found(definition, task_format, present)
    roles = {role.name: role for role in task_format.roles}
    for name in given:
        if name not in roles:
            if not roles:
                raise BenchError(f"{definition.path}: columns of {task_format} tasks are a list, the target last")
            raise BenchError(f"{definition.path}: {UnknownName(f'column of {task_format} tasks', name, roles)}")
    for role in roles.values():
        if role.name not in given and not role.optional:
            raise BenchError(f"{definition.path}: columns say nothing of {role.name!r}, which {task_format} tasks need")
    return tuple(given[name] for name in roles if name in given)


def _found(definition: Definition, task_format: Format, present: Sequence[str]) -> tuple[str, ...]:
    """The columns by their usual names; `BadData` where one is missing, or several could be meant."""
    if not task_format.roles:
        raise BadData(f"{definition.path}: columns of {task_format} tasks are not found by themselves; list them")
    chosen = []
    for role in task_format.roles:
        names = _usual(role, present)
        if len(names) > 1:
            several = " and ".join(map(repr, names))
            raise BadData(f"{definition.path}: the columns {several} could both be the {role.name}; {HOW}")
        if not names and not role.optional:
            there = ", ".join(present) or "none"
            usual = ", ".join(role.usual)
            raise BadData(f"{definition.path}: no column is the {role.name} ({usual}); there are {there}; {HOW}")
        chosen += names
    return tuple(chosen)


def _fits(task_format: Format, known: Mapping[str, str], present: Sequence[str]) -> bool:
    """Whether each role that is not optional has a column."""
    named = {role.name for role in task_format.roles}
    needed = [role for role in task_format.roles if not role.optional]
    return known.keys() <= named and all(role.name in known or (not known and _usual(role, present)) for role in needed)


def _predicts(task_format: Format, listed: Sequence[str], rows: Sequence[Row]) -> bool:
    targets = listed or _usual(task_format.roles[-1], list(rows[0]))
    return any(task_format.may_predict([row.get(name) for row in rows]) for name in targets)


def _usual(role: Role, present: Sequence[str]) -> list[str]:
    return [name for name in role.usual if name in present]
