"""Stacks: several techniques in order, read from text such as `llrd:decay=0.9+reinit`, and checked for clashes."""

from __future__ import annotations

import ast
from dataclasses import dataclass, fields
from typing import TypeVar

from bench_lib.errors import BadValue, BenchError, UnknownName, Unsupported
from bench_lib.examples import Kind
from bench_lib.registry import Registry
from bench_lib.spec import Scalar, TechniqueSpec
from bench_lib.techniques.base import EXCLUSIVE, OBSERVING, TRAINING, Technique

Hook = TypeVar("Hook")
SEPARATORS = "+:,="


@dataclass(frozen=True)
class Stack:
    """Techniques in the order in which their hooks are called."""

    techniques: tuple[Technique, ...]

    def __post_init__(self) -> None:
        names = [t.name for t in self.techniques]
        for name in names:
            if names.count(name) > 1:
                raise BenchError(f"{name!r} stands twice in the stack {'+'.join(names)}; give it once")
        for hook in EXCLUSIVE:
            claims = [t.name for t in self.techniques if isinstance(t, hook)]
            if len(claims) > 1:
                raise BenchError(
                    f"{' and '.join(claims)} cannot be stacked: each claims {hook.__name__}, which only one can have"
                )
        for technique in self.techniques:
            _check_hooks(technique)

    def having(self, hook: type[Hook]) -> list[Hook]:
        """The techniques that have a hook, in order."""
        return [t for t in self.techniques if isinstance(t, hook)]

    def passes(self) -> tuple[int, int]:
        """Forward and backward passes for each micro-batch: those of the one technique that runs them, if any."""
        return max((t.passes() for t in self.techniques), default=(1, 1))

    def check(self, kind: Kind) -> None:
        """Raise `Unsupported` with the reason if a technique declines this kind of task."""
        for technique in self.techniques:
            if reason := technique.declines(kind):
                raise Unsupported(f"{technique.name} declines {kind} tasks: {reason}")

    def spec(self) -> tuple[TechniqueSpec, ...]:
        return tuple(t.spec() for t in self.techniques)


def parse_stack(text: str, registry: Registry[type[Technique]]) -> Stack:
    """Read `name[:field=value...]` joined by `+`; unknown names and fields answer with the nearest ones."""
    return Stack(tuple(_parse(part.strip(), registry) for part in text.split("+")))


def from_spec(spec: tuple[TechniqueSpec, ...], registry: Registry[type[Technique]]) -> Stack:
    """The stack that a spec describes; a version that is not the registered one raises `BenchError`."""
    techniques = []
    for part in spec:
        technique = registry.get(part.name)
        for key, _ in part.params:
            _check_field(technique, key)
        made = technique(**dict(part.params))
        if made.version != part.version:
            raise BenchError(f"the spec asks for {part.name} version {part.version}, this is version {made.version}")
        techniques.append(made)
    return Stack(tuple(techniques))


def _parse(text: str, registry: Registry[type[Technique]]) -> Technique:
    name, *settings = text.split(":")
    technique = registry.get(name)
    known = {f.name: f.default for f in fields(technique)}
    params: dict[str, Scalar] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise BadValue(f"setting of technique {name}", setting, "field=value")
        _check_field(technique, key)
        if key in params:
            raise BenchError(f"field {key!r} of technique {name} stands twice in {text!r}; give it once")
        params[key] = _value(value, known[key], f"{name}:{key}")
    return technique(**params)


def _check_field(technique: type[Technique], key: str) -> None:
    known = [f.name for f in fields(technique)]
    if key not in known:
        raise UnknownName(f"field of technique {technique.name}", key, known)


def _value(text: str, default: object, where: str) -> Scalar:
    try:
        value = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        value = float(text) if text in ("inf", "-inf") else text
    if isinstance(default, float) and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if default is not None and type(value) is not type(default):
        raise BadValue(where, text, f"a value of type {type(default).__name__}, such as {default}")
    if value is not None and not isinstance(value, (str, int, float, bool)):
        raise BadValue(where, text, "a number, a truth value, a word or None")
    return value


def _check_hooks(technique: Technique) -> None:
    allowed = OBSERVING if technique.observer else TRAINING
    strange = {h.__name__ for h in (*OBSERVING, *TRAINING) if isinstance(technique, h)} - {h.__name__ for h in allowed}
    if strange:
        role = "an observer" if technique.observer else "no observer"
        raise BenchError(
            f"technique {technique.name!r} is {role} and so cannot have the hook {', '.join(sorted(strange))}"
        )
