"""Checks of what a technique declares, when its class is loaded and when one is made."""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import MISSING, fields
from typing import Any, cast

from bench_lib.core.errors import BadValue, BenchError, described, require
from bench_lib.core.parameters import KINDS, setting_kinds
from bench_lib.core.registry import check_entry_name
from bench_lib.core.seeds import STREAMS
from bench_lib.tasks.formats import FORMATS
from bench_lib.techniques.interface.bounds import check_bounds
from bench_lib.techniques.interface.definition import check_definition, check_instance
from bench_lib.techniques.interface.technique import Technique

DECLARED = ("name", "family", "paper", "identity")
MOST_POOLED, MOST_PASSES = 1000, 10_000
MOST_TUNED, MOST_TRIED = 2, 50
"""Fields of a space, and values of each; every point is tried with the constructor."""
PASSES: dict[str, tuple[int, ...]] = {
    "passes": (),
    "passes_at": (0, 1),
    "estimation_passes": (),
    "pretraining_passes": (1,),
}
"""Methods that declare passes, and the arguments they are tried with."""


@contextmanager
def foreign(what: str) -> Iterator[None]:
    """Turn any exception of foreign code, `sys.exit` included, into a `BenchError` on one line."""
    try:
        yield
    except BenchError:
        raise
    except BaseException as error:
        if type(error) is KeyboardInterrupt:
            raise
        raise BenchError(f"{what} raised {described(error)}") from error


def check_technique(technique: object, where: str) -> None:
    """Raise `BenchError` for an object that is no technique, or lacks a declaration."""
    with foreign(f"looking at the technique {where}"):
        if not (inspect.isclass(technique) and issubclass(technique, Technique)):
            raise BenchError(f"{where} is not a child of bench_lib.techniques.interface.technique.Technique")
        missing = [field for field in DECLARED if not hasattr(technique, field)]
        if missing:
            raise BenchError(
                f"the technique {where} does not declare {', '.join(missing)}; the docstring of Technique in "
                "bench_lib/techniques/interface/technique.py says what they are, and examples/shaken.py shows them"
            )
        parameters = vars(technique).get("__dataclass_params__")
        if parameters is None or not parameters.frozen:
            raise BenchError(f"the technique {where} is not a frozen dataclass: put @dataclass(frozen=True) above it")
        check_definition(technique, Technique)
        _check_texts(technique, where)
        _check_fields(technique, where)
        _check_identity(technique, where)
        _check_space(technique, where)


def _check_texts(technique: type[Technique], where: str) -> None:
    check_entry_name("technique", technique.name, where)
    for what in ("family", "paper", "version"):
        value: object = getattr(technique, what)
        good = isinstance(value, str) and value.isprintable() and (what == "paper" or bool(value))
        require(good, f"{what} of the technique {where}", value, "text on one line")
    packages: object = technique.packages
    good = isinstance(packages, tuple) and all(isinstance(p, str) and p.isidentifier() for p in packages)
    require(good, f"packages of the technique {where}", packages, "a tuple of modules' names, such as ('peft',)")
    observer: object = technique.observer
    require(isinstance(observer, bool), f"observer of the technique {where}", observer, "True or False")
    reason: object = technique.no_identity
    require(isinstance(reason, str), f"no_identity of the technique {where}", reason, "the reason as text")
    trimmable: object = technique.trimmable
    require(isinstance(trimmable, bool), f"trimmable of the technique {where}", trimmable, "True or False")
    reason = technique.no_trimming
    require(isinstance(reason, str), f"no_trimming of the technique {where}", reason, "the reason as text")
    others: object = technique.supersedes
    good = isinstance(others, Mapping) and all(isinstance(text, str) for pair in others.items() for text in pair)
    require(good, f"supersedes of the technique {where}", others, "a mapping of techniques' names to reasons")


def _check_fields(technique: type[Technique], where: str) -> None:
    kinds = setting_kinds(cast(Any, technique))
    for field in fields(technique):
        what = f"default of the field {field.name!r} of the technique {where}"
        if field.default_factory is not MISSING:
            raise BenchError(f"the {what} comes from a factory; give it a plain value")
        require(field.init, f"init of the field {field.name!r} of the technique {where}", field.init, "True")
        if field.default is not MISSING:
            _check_value(field.default, kinds[field.name], what)


def _check_identity(technique: type[Technique], where: str) -> None:
    identity: object = technique.identity
    if identity is None:
        return
    kinds, what = setting_kinds(cast(Any, technique)), f"identity of the technique {where}"
    require(
        isinstance(identity, Mapping), what, identity, "a mapping of fields to values, or None where it has no point"
    )
    for name, value in dict(technique.identity or {}).items():
        require(name in kinds, f"field in {what}", name, ", ".join(kinds) or "none, since it has no fields")
        _check_value(value, kinds[name], f"{name} in {what}")


def _check_space(technique: type[Technique], where: str) -> None:
    """Raise unless the space names few fields, each with distinct, ordered and valid values."""
    space: object = technique.space
    kinds, what = setting_kinds(cast(Any, technique)), f"space of the technique {where}"
    allowed = "a mapping of fields to the values to try, empty where nothing is tuned"
    require(isinstance(space, Mapping), what, space, allowed)
    require(len(technique.space) <= MOST_TUNED, what, space, f"{MOST_TUNED} fields at most")
    for name, values in technique.space.items():
        require(name in kinds, f"field in {what}", name, ", ".join(kinds) or "none, since it has no fields")
        _check_tried(values, kinds[name], f"{name} in {what}")
    if technique.space:
        _check_points(technique, what)


def _check_tried(values: object, kinds: tuple[type, ...], what: str) -> None:
    """Raise unless the values have one type of the field; an int in place of a float would be another run."""
    if not (isinstance(values, tuple) and 2 <= len(values) <= MOST_TRIED):
        raise BadValue(what, values, f"a tuple of 2 to {MOST_TRIED} values")
    allowed = " or ".join(kind.__name__ for kind in kinds if kind is not type(None))
    for value in values:
        fits = type(value) in kinds and value is not None
        require(fits, f"value of {what}", value, f"a value of {allowed}")
        require(not isinstance(value, float) or math.isfinite(value), f"value of {what}", value, "a finite number")
    require(len({type(value) for value in values}) == 1, what, values, "values of one type")
    if type(values[0]) in (int, float):
        rising = all(one < other for one, other in itertools.pairwise(values))
        require(rising, what, values, "numbers in rising order, each once")
    require(len(set(values)) == len(values), what, values, "different values")


def _check_points(technique: type[Technique], what: str) -> None:
    """Raise for a point of the space that the constructor refuses."""
    if any(field.default is MISSING and field.name not in technique.space for field in fields(technique)):
        return  # its other arguments are unknown
    for values in itertools.product(*technique.space.values()):
        settings = dict(zip(technique.space, values, strict=True))
        point = ":".join(f"{name}={value}" for name, value in settings.items())
        try:
            with foreign("making it"):
                technique(**settings)
        except BenchError as error:
            raise BenchError(f"the {what} has {point}, which cannot be made: {error}") from error


def _check_value(value: object, kinds: tuple[type, ...], what: str) -> None:
    allowed = " or ".join(kind.__name__ for kind in kinds)
    kind = type(value)
    require(kind in KINDS and (kind in kinds or (kind is int and float in kinds)), what, value, f"a value of {allowed}")
    require(not (isinstance(value, float) and math.isnan(value)), what, value, "a number that equals itself")


def check_made(technique: Technique) -> None:
    """Raise `BenchError` unless all declarations of a made technique can be used."""
    name = str(technique.name)
    with foreign(f"the technique {name}, asked what it is,"):
        if not type(technique).__module__.startswith("bench_lib."):
            check_definition(type(technique), Technique)  # again, since the class may have changed
        check_instance(technique)
        for field in fields(technique):
            value = getattr(technique, field.name)
            require(type(value) in KINDS and value == value, f"{name}:{field.name}", value, "text, a number or None")
        check_bounds(technique)  # again, since a `__post_init__` may not call the parent's
        _check_number(name, "pools", technique.pools(), MOST_POOLED)
        for method, arguments in PASSES.items():
            _check_passes(name, method, getattr(technique, method), arguments)
        streams: object = technique.draws()
        good = isinstance(streams, tuple | list | set | frozenset) and all(s in STREAMS for s in streams)
        require(good, f"draws() of the technique {name}", streams, f"a tuple of {', '.join(STREAMS)}")
        for kind in FORMATS:
            reason: object = technique.declines(kind)
            allowed = "the reason as text, or None"
            require(reason is None or isinstance(reason, str), f"declines({kind}) of {name}", reason, allowed)


def _check_passes(name: str, method: str, ask: Callable[..., Any], arguments: tuple[int, ...]) -> None:
    found = ask(*arguments)
    pair = isinstance(found, tuple | list) and len(found) == 2
    require(pair, f"{method}() of the technique {name}", found, "two numbers: passes forward and passes backward")
    for number in found:
        _check_number(name, method, number, MOST_PASSES)


def _check_number(name: str, method: str, number: object, most: int) -> None:
    if type(number) is not int or not 0 <= number <= most:
        raise BadValue(f"{method}() of the technique {name}", number, f"whole numbers from 0 to {most:,}")
