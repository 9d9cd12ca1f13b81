"""Published claims: what papers say that a technique does, one TOML file a claim, read and checked."""

from __future__ import annotations

import dataclasses
import functools
import tomllib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from bench_lib.core.errors import BadValue, BenchError, UnknownName, require
from bench_lib.core.parameters import check_field
from bench_lib.tasks.formats import FORMATS

FOLDER = Path(__file__).parents[1] / "claims"
"""The claims that are shipped with the package."""

NOT_VERIFIED = "not verified"
CHECKS = ("abstract: ", "authors' repository: ", "quoted by ", NOT_VERIFIED)
"""How a claim may have been checked, by the beginning of its field `checked`."""


class Effect(StrEnum):
    """The effect that a paper claims for a technique against its baseline."""

    MORE_STABLE = "more_stable"
    FEWER_FAILURES = "fewer_failures"
    HIGHER_MEAN = "higher_mean"
    NO_LOWER_MEAN = "no_lower_mean"
    NO_EFFECT = "no_effect"


@dataclass(frozen=True)
class Claim:
    """A claim of a paper; the fields of its file, which is named `TECHNIQUE_WORDS.toml`.

    `formats` names the suite's task formats of the paper's tasks, none if they have no format here; `tasks` and
    `models` are the paper's own. `amount` gives its unit. `train_examples` and `seeds` are left out where not known.
    """

    statement: str
    technique: str
    baseline: str
    effect: str
    formats: tuple[str, ...]
    tasks: tuple[str, ...]
    models: tuple[str, ...]
    source: str
    checked: str
    amount: str = ""
    train_examples: int | None = None
    seeds: int | None = None


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value == value.strip() and value.isprintable()


def _is_texts(value: object) -> bool:
    return isinstance(value, list) and all(map(_is_text, value))


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 1


FORMS: Mapping[str, tuple[Callable[[object], bool], str]] = {
    "str": (_is_text, "one line of text in quotes"),
    "tuple[str, ...]": (_is_texts, "a list of texts"),
    "int | None": (_is_count, "a whole number, 1 or more; leave the field out if it is not known"),
}
"""Validity check and description of the values of a field, by its type."""


@functools.cache
def shipped() -> Mapping[str, Claim]:
    """The claims that are shipped with the package, by name."""
    return read_claims(FOLDER)


def read_claims(folder: Path) -> Mapping[str, Claim]:
    """The claims of a folder by the names of their files; `BenchError` for the first file that is no claim."""
    return {path.stem: read_claim(path) for path in sorted(folder.glob("*.toml"))}


def read_claim(path: Path) -> Claim:
    """The claim of a file.

    Raises `UnknownName` for an unknown field, effect or format, with the nearest known ones, and `BadValue` for a value
    of another form.
    """
    owner = f"claim {path.name}"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BenchError(f"{owner} is not TOML: {error}; correct the file {path}") from error
    for name in found:
        check_field(name, Claim, owner)
    values = {field.name: _value(field, found, owner) for field in dataclasses.fields(Claim)}
    _check_names(values, owner)
    named = path.stem.startswith(f"{values['technique']}_")
    require(named, f"name of the file of {owner}", path.name, f"{values['technique']}_WORDS.toml, after its technique")
    checked = values["checked"]
    require(
        checked.startswith(CHECKS[:-1]) or checked == NOT_VERIFIED,
        f"field checked of {owner}",
        checked,
        f"{NOT_VERIFIED!r}, or a text that begins with {', '.join(map(repr, CHECKS[:-1]))} and says where",
    )
    return Claim(**values)


def _value(field: dataclasses.Field[Any], found: Mapping[str, Any], owner: str) -> Any:
    """The value of a field in a file, or its default."""
    if field.name not in found:
        if field.default is dataclasses.MISSING:
            raise BenchError(f"{owner} lacks the field {field.name!r}: {FORMS[str(field.type)][1]}")
        return field.default
    value = found[field.name]
    is_valid, form = FORMS[str(field.type)]
    if not is_valid(value):
        raise BadValue(f"field {field.name} of {owner}", value, form)
    return tuple(value) if isinstance(value, list) else value


def _check_names(values: Mapping[str, Any], owner: str) -> None:
    _check_name("effect", values["effect"], [str(effect) for effect in Effect], owner)
    for name in values["formats"]:
        _check_name("task format", name, FORMATS.names(), owner)
    require(bool(values["tasks"]), f"field tasks of {owner}", [], "at least one of the paper's tasks")
    require(bool(values["models"]), f"field models of {owner}", [], "at least one of the paper's models")
    different = values["baseline"] != values["technique"]
    require(different, f"field baseline of {owner}", values["baseline"], "another technique than the claim's own")


def _check_name(kind: str, name: str, known: Collection[str], owner: str) -> None:
    if name not in known:
        raise UnknownName(f"{kind} of {owner}", name, known)
